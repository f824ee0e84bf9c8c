"""Parses conditions on the chirp mass: the median ("mchirp<2"), or a range's probability.

"mchirp<2.3 > 0.9", "mchirp>=22 > 90%" and "mchirp 2.3..5.5 > 0.9" sum LVK's bins that lie whole inside the
range.
"""

from __future__ import annotations

import math
import re

from bot.filters.token_reader import TokenReader, in_own_unit
from bot.filters.tokens import FilterSyntaxError, Token
from bot.filters.vocabulary import FLOAT, OPS
from formatters.models.filter import Compare, MassProbability, Op, format_number

_UNIT = r"(?:m[☉⊙]|m_?sun|m_[☉⊙])"
_RANGE = re.compile(rf"(?P<low>{FLOAT}) ?{_UNIT}? ?(?:\.{{2,}}|…|-{{1,2}}|—|to) ?(?P<high>{FLOAT}) ?{_UNIT}?")
"""Keyboards make "…" of three points and a dash of "-", which `normalize_typed_text` makes "-" again."""
_MOST_WORDS = 5
"""Words of a range: "2.3 Msun to 5.5 Msun"."""
_EXAMPLES = "mchirp<2.3>0.9, mchirp>=22>0.9 or mchirp 2.3..5.5>0.9"


def parse_mass(reader: TokenReader, word: Token) -> Compare | MassProbability:
    """Parse what follows `mchirp`. Raises FilterSyntaxError."""
    found = _read_range(reader)
    if found is not None:
        return found
    op = reader.peek_comparison()
    if op is None:
        raise FilterSyntaxError(
            f"{word.quoted} needs a comparison, like mchirp<2 (the median), or a range's probability, like"
            " mchirp 2.3..5.5>0.9."
        )
    sign = reader.advance()
    mass = reader.read_value(sign, "Msun")
    if not _accept_with(reader):
        return Compare("mchirp", op, mass)
    if op is Op.EQ:
        raise FilterSyntaxError(f"{sign.quoted} has no probability after it: a range has, like {_EXAMPLES}.")
    is_upper = op in (Op.LT, Op.LE)
    if is_upper and mass == 0:
        raise FilterSyntaxError(f'"mchirp{sign.text}0" is no range of masses: write it like {_EXAMPLES}.')
    return _with_probability(reader, 0.0 if is_upper else mass, mass if is_upper else None)


def _accept_with(reader: TokenReader) -> bool:
    """Consume "with" before an operator; return whether an operator follows."""
    if reader.following is not None and reader.following.text in OPS:
        reader.accept("with")
    return reader.peek_comparison() is not None


def _read_range(reader: TokenReader) -> MassProbability | None:
    """Read "2.3..5.5 > 0.9"; return None if no range stands there."""
    match = reader.accept_pattern(_RANGE, _MOST_WORDS)
    if match is None:
        return None
    low, high = (in_own_unit(match[name], None, "Msun") for name in ("low", "high"))
    shown = f"{format_number(low)}..{format_number(high)}"
    if not 0 <= low < high < math.inf:
        raise FilterSyntaxError(f'"{shown}" is no range from the lower to the higher mass, as 2.3..5.5 is.')
    if not _accept_with(reader):
        raise FilterSyntaxError(
            f'"{shown}" needs a probability: mchirp {shown}>0.9. The median in it is written'
            f" mchirp>={format_number(low)} mchirp<{format_number(high)}."
        )
    return _with_probability(reader, low, high)


def _with_probability(reader: TokenReader, low: float, high: float | None) -> MassProbability:
    op = reader.peek_comparison()
    assert op is not None, "the callers have seen it"
    sign = reader.advance()
    at = reader.current
    try:
        probability = reader.read_value(sign, "probability", "mchirp<2.3>0.9")
    except FilterSyntaxError as error:
        if at is None or not re.fullmatch(FLOAT, at.text, re.IGNORECASE):
            raise
        raise FilterSyntaxError(
            f"{at.quoted} is no probability (0 to 1, or 0 % to 100 %); a range's is mchirp 2.3..5.5>0.9."
        ) from error
    if reader.peek_comparison() is not None:
        raise FilterSyntaxError(
            f"{reader.advance().quoted} is one comparison too many: write it like {_EXAMPLES}."
        )
    return MassProbability(low, high, op, probability)
