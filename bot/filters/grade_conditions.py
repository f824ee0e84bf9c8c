"""Parses conditions on the grade that a criteria set gives: "grade ntt-kilonova >= Silver".

Which sets and grades there are isn't known here; `bot.criteria.resolution` checks that.
"""

from __future__ import annotations

import re

from bot.filters.set_names import is_language_word, read_slug
from bot.filters.token_reader import TokenReader
from bot.filters.tokens import FilterSyntaxError, Token
from bot.filters.vocabulary import OPS, find_similar_word
from formatters.models.criteria_set import GRADE_NAME, GRADE_NAME_MAX
from formatters.models.filter import GradeCondition

_EXAMPLES = "grade rubin-2026 or grade ntt-kilonova>=Silver"
_LOGIC = ("and", "or", "not")
_MOST_WORDS = 4
"""Words of a set's or a grade's name that were typed with blanks."""


def parse_grade(reader: TokenReader, word: Token) -> GradeCondition:
    """Parse what follows `grade`: a set's name, and a comparison with a grade. Raises FilterSyntaxError."""
    at = reader.current
    words = _read_name(reader, of_set=True)
    if at is None or not words:
        raise FilterSyntaxError(f"{word.quoted} needs the name of a criteria set, like {_EXAMPLES}.")
    slug = read_slug(" ".join(words))
    if slug is None or slug in _LOGIC:
        raise FilterSyntaxError(f"{at.quoted} is no name of a criteria set, as in {_EXAMPLES}.")
    op = reader.peek_comparison()
    if op is None:
        _refuse_reversed(reader, " ".join(words))
        return GradeCondition(slug)
    sign = reader.advance()
    at = reader.current
    words = _read_name(reader, of_set=False)
    if at is None or not words or at.normalized in _LOGIC:
        raise FilterSyntaxError(f"{sign.quoted} needs a grade after it, like grade {slug}{op}Gold.")
    name = " ".join(" ".join(words).strip('"').split())
    if GRADE_NAME.fullmatch(name) is None or len(name) > GRADE_NAME_MAX:
        raise FilterSyntaxError(
            f'{at.quoted} is no name of a grade, as in grade {slug}{op}Gold or grade {slug}="Priority 1".'
        )
    if reader.peek_comparison() is not None:
        raise FilterSyntaxError(
            f"{reader.advance().quoted} is one comparison too many: write the two with and."
        )
    return GradeCondition(slug, op, name)


def _refuse_reversed(reader: TokenReader, grade: str) -> None:
    """Raise FilterSyntaxError in "grade Gold of rubin-2026", where the set stands last."""
    is_joined = reader.current is not None and reader.current.normalized in ("of", "by", "from")
    last = reader.following if is_joined else reader.current
    slug = None if last is None or not (is_joined or "-" in last.text) else read_slug(last.text)
    if slug is None or is_language_word(slug):
        return
    name = f'"{grade}"' if " " in grade else grade
    raise FilterSyntaxError(
        f"The criteria set stands first: grade {slug}>={name}, or grade {slug}={name} for that grade alone."
    )


def _read_name(reader: TokenReader, *, of_set: bool) -> list[str]:
    """Read a name's first word and those that can be nothing but more of it: "lensed A", "rubin 2026"."""
    if not reader.peek_words(1):
        return []
    words = [reader.advance().text]
    is_quoted = words[0].startswith('"')
    while len(words) < _MOST_WORDS and not is_quoted and _goes_on(reader, of_set=of_set):
        words.append(reader.advance().text)
    return words


def _goes_on(reader: TokenReader, *, of_set: bool) -> bool:
    token, following = reader.current, reader.following
    pattern = r"\w+" if of_set else r"[\w+]+"
    if token is None or re.fullmatch(pattern, token.text) is None or is_language_word(token.text):
        return False
    is_compared = following is not None and following.text in OPS
    # What is compared after a grade is a condition, if a misspelled one.
    return (of_set or not is_compared) and (token.text.isdigit() or not find_similar_word(token.normalized))
