"""The words that choose kinds of events: the same for every command, and for subscriptions.

`mock`, `test`, `lowsig` and `retracted` mean *also* (`mocks too`); `only` before or after one means *alone*;
`no`, `not` or `without` before one leaves it out; `real` is what nobody has to say; `all` means every group.
Without any of them a question is about real, significant events that aren't retracted. They stand outside of
"or", "and" and parentheses. `significant` is a condition of the filter (`bot.filters.parser`), not one of
these words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from bot.filters.event_attributes import EventAttributes
from bot.filters.tokens import FilterSyntaxError, Token, tokenize
from bot.filters.vocabulary import OPS, SWITCHES
from bot.runtime.typed_text import normalize_typed_text
from formatters.models.notice import Category

KINDS = {"mock", "test", "lowsig", "retracted", "real"}
_ONLY = {"only", "just"}
_ALSO = {"also", "including", "include", "incl", "plus"}
_TOO = {"too", "also", "included"}
_WITHOUT = {"no", "not", "without", "excluding"}
_CHOOSING = frozenset(_ONLY | _ALSO | _WITHOUT | {"all", *SWITCHES})
"""Words, without hyphens, with which a choice of kinds may begin."""
_DEPTHS = {"(": 1, ")": -1}
_NAMING_SIGNS = frozenset({"|", *OPS})
_NAMING_WORDS = frozenset({"from", "grade"})
"""After these a word is a name, as in "search=MDC|test"; if it is not, the filter's parser refuses it."""


@dataclass(frozen=True, kw_only=True)
class Scope:
    """The kinds of events that are meant, apart from group, filter and period."""

    real: bool = True
    mock: bool = False
    test: bool = False
    significant: bool = True
    lowsig: bool = False
    standing: bool = True
    """True for events that are not retracted."""
    retracted: bool = False
    every_group: bool = False
    """True if "all" was written."""
    circulars: bool = False
    """True if "circulars" was written, which only a subscription may."""

    @cached_property
    def categories(self) -> tuple[Category, ...]:
        """The wanted categories; at least one."""
        wanted = ((Category.REAL, self.real), (Category.MOCK, self.mock), (Category.TEST, self.test))
        return tuple(category for category, is_wanted in wanted if is_wanted)

    def accepts(self, attributes: EventAttributes) -> bool:
        """Return True if the event is of a wanted category, significance and state."""
        return self.accepts_kind(
            attributes.category, significant=attributes.significant, retracted=attributes.retracted
        )

    def accepts_kind(self, category: Category, *, significant: bool, retracted: bool) -> bool:
        """Return True if an event of this kind is wanted."""
        return (
            category in self.categories
            and (self.significant if significant else self.lowsig)
            and (self.retracted if retracted else self.standing)
        )

    @property
    def text(self) -> str:
        """The words as people type them, in one order: "only mock lowsig"; empty for the default."""
        words = []
        for is_default_wanted, named in self._named_kinds():
            words += [*([] if is_default_wanted else ["only"]), *named]
        return " ".join(words)

    @property
    def title(self) -> str:
        """The same for a title, where "also" says that these kinds are not all: "only mock also lowsig"."""
        only = [f"only {' '.join(named)}" for is_wanted, named in self._named_kinds() if not is_wanted]
        also = [kind for is_wanted, named in self._named_kinds() if is_wanted for kind in named]
        return " ".join([*only, *(["also", ", ".join(also)] if also else [])])

    def _named_kinds(self) -> list[tuple[bool, list[str]]]:
        """Return the named kinds, with whether the default beside them is wanted too."""
        every = (
            (self.real, ("mock", "test")),
            (self.significant, ("lowsig",)),
            (self.standing, ("retracted",)),
        )
        return [(is_wanted, [kind for kind in kinds if getattr(self, kind)]) for is_wanted, kinds in every]


def parse_scope(text: str) -> tuple[Scope, str]:
    """Return the scope that a text's words choose, and the text without them. Raises FilterSyntaxError."""
    scope, rest = split_scope(tokenize(normalize_typed_text(text)))
    return scope, " ".join(token.text for token in rest)


def split_scope(tokens: Sequence[Token]) -> tuple[Scope, list[Token]]:
    """Return the scope that the words choose, and the other tokens. Raises FilterSyntaxError."""
    also: set[str] = set()
    alone: set[str] = set()
    left_out: set[str] = set()
    rest: list[Token] = []
    depth = 0
    at = 0
    while at < len(tokens):
        token = tokens[at]
        depth += _DEPTHS.get(token.text, 0)
        if token.normalized.replace("-", "").replace("_", "") not in _CHOOSING:
            rest.append(token)
            at += 1
            continue
        end, words, how = _read_kinds(tokens, at)
        if not words:
            # "only BNS" is what "BNS" says: a condition restricts by itself.
            is_only = token.normalized in _ONLY and not is_name(tokens, at)
            if not (depth == 0 and is_only and at + 1 < len(tokens)):
                rest.append(token)
            at += 1
            continue
        around = (*tokens[max(at - 1, 0) : at], *tokens[end : end + 1])
        if depth > 0 or any(other.normalized in ("and", "or") for other in around):
            raise standing_alone_error(token)
        {"also": also, "alone": alone, "left out": left_out}[how].update(words)
        at = end
    both = sorted((also | alone) & left_out)
    if both:
        raise FilterSyntaxError(f'"{both[0]}" is wanted and left out at once.')
    named = also | alone
    scope = Scope(
        real="real" in named or not (alone & {"mock", "test"} or "real" in left_out),
        mock="mock" in named,
        test="test" in named,
        significant="lowsig" not in alone,
        lowsig="lowsig" in named,
        standing="retracted" not in alone,
        retracted="retracted" in named,
        every_group="all" in named,
        circulars="circulars" in named,
    )
    if not scope.categories:
        raise FilterSyntaxError('Without real ones no event is left: write "only mock" or "only test".')
    return scope, rest


def standing_alone_error(token: Token) -> FilterSyntaxError:
    """Return the error for a word of the scope that stands inside of a filter."""
    return FilterSyntaxError(f'{token.quoted} stands by itself, outside of "and", "or", "not" and "( )".')


def is_name(tokens: Sequence[Token], at: int) -> bool:
    """Return True if the token stands where a name does: after a comparison, "|", "from" or "grade"."""
    start = at
    while start > 0 and tokens[start - 1].text.casefold() in _NAMING_WORDS:
        start -= 1
    found = start > 0 and tokens[start - 1].text in _NAMING_SIGNS
    # In "grade x>=grade mock" the second "grade" is a name itself.
    return found is ((at - start) % 2 == 0)


def _kind(tokens: Sequence[Token], at: int) -> str | None:
    """Return the kind that the token names, None if it is no such word or a name."""
    if at >= len(tokens) or is_name(tokens, at):
        return None
    folded = tokens[at].text.casefold()
    if folded[:1] == "-":
        # "-mock" is no "mock": the filter's parser asks what is meant.
        return None
    folded = folded.replace("-", "").replace("_", "")
    return "all" if folded == "all" else SWITCHES.get(folded)


def _read_kinds(tokens: Sequence[Token], at: int) -> tuple[int, list[str], str]:
    """Read kinds from a position on: (the position after them, the kinds, "also", "alone" or "left out").

    There are no kinds where none stands there.
    """
    if is_name(tokens, at):
        return at, [], "also"
    prefix = tokens[at].normalized
    start = at + (prefix in _ONLY | _WITHOUT | _ALSO)
    kind = _kind(tokens, start)
    if kind is None or (start > at and kind not in KINDS):
        return at, [], "also"
    end, kinds = start + 1, [kind]
    # "only mocks and tests", "mock, test"
    while (
        kind in KINDS
        and end < len(tokens)
        and tokens[end].normalized in ("and", "or")
        and (following := _kind(tokens, end + 1)) in KINDS
    ):
        end, kinds = end + 2, [*kinds, str(following)]
    if start > at and prefix not in _ALSO:
        return end, kinds, "alone" if prefix in _ONLY else "left out"
    suffix = tokens[end].normalized if end < len(tokens) and kind in KINDS else ""
    if suffix in _TOO:
        return end + 1, kinds, "also"
    # "BNS mocks only"; in "mock only test" the word belongs to what follows.
    if start == at and suffix in _ONLY and _kind(tokens, end + 1) not in KINDS:
        return end + 1, kinds, "alone"
    return end, kinds, "also"
