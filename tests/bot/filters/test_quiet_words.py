"""Which events are quiet: what is read after "quiet", and what is asked."""

from __future__ import annotations

import pytest

from bot.filters import FilterSyntaxError, parse_criteria, parse_stored_criteria


@pytest.mark.parametrize(
    ("words", "canonical"),
    [
        ("CBC quiet BBH", "CBC quiet BBH"),
        ("CBC lowsig quiet bbh", "CBC lowsig quiet BBH"),
        ("CBC Quiet BBH > 90% mock", "CBC mock quiet BBH>0.9"),
        ("CBC quiet (BBH or NSBH), lowsig notify @here", "CBC lowsig quiet (BBH or NSBH) notify @here"),
        ("CBC BNS quiet not BNS", "CBC BNS quiet not BNS"),
        (
            "CBC criteria rubin-2026 quiet BBH streams circulars",
            "CBC circulars quiet BBH criteria rubin-2026",
        ),
        ("quiet Burst", "all quiet Burst"),
        ("quiet far>1/yr only mock", "all only mock quiet far>1/yr"),
        ("pipeline=quiet", "all pipeline=quiet"),
    ],
)
def test_a_condition_makes_events_quiet(words: str, canonical: str) -> None:
    criteria = parse_criteria(words)
    assert criteria.canonical == canonical
    assert parse_stored_criteria(canonical) == criteria


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("CBC quiet", "needs a condition after it"),
        ("CBC quiet mock", "is no condition for"),
        ("quiet all", "is no condition for"),
        ("CBC quiet BBH NSBH", '"NSBH" after "quiet" isn\'t clear'),
        ("CBC quiet BBH distance<300", '"distance" after "quiet" isn\'t clear'),
        ("CBC quiet BBH or NSBH", "in parentheses"),
        ("CBC quiet BBH and far<1/yr", "in parentheses"),
        ("CBC quiet BBH quiet NSBH", "twice"),
        ("CBC not quiet BBH", "stands by itself"),
        ("CBC (quiet BBH)", "stands by itself"),
        ("CBC quiet near 10 20 3deg", "no near, visible, within or grade"),
        ("CBC quiet within 200Mpc", "no near, visible, within or grade"),
        ("CBC quiet (BBH or grade rubin-2026)", "no near, visible, within or grade"),
        ("CBC quite BBH", 'did you mean "quiet"?'),
        ("CBC silent BBH", '"quiet"'),
        ("CBC notify @here quiet BBH", 'write it before "notify"'),
        ("CBC quiet BBHH", 'did you mean "BBH"?'),
    ],
)
def test_what_is_unclear_is_asked(words: str, sentence: str) -> None:
    with pytest.raises(FilterSyntaxError) as refused:
        parse_criteria(words)
    assert sentence in str(refused.value) and len(str(refused.value)) < 150


def test_a_set_of_an_earlier_version_may_be_called_quiet() -> None:
    """Canonical criteria of earlier versions have nothing after the sets' names."""
    assert parse_stored_criteria("CBC criteria quiet").criteria_sets == ("quiet",)
