"""The findings of `gwevent doctor` on a terminal."""

from __future__ import annotations

from formatters.terminal.findings import Finding, Level, format_findings


def test_one_remedy_for_several_findings_is_said_once_below_the_last() -> None:
    absent = [Finding("topic", Level.WARN, f"No topic {name}.", "Check the spelling.") for name in "ab"]
    other = Finding("group", Level.FAIL, "It may not be used.", "Leave it empty.")
    assert format_findings([*absent, other, *absent[:1]]).splitlines() == [
        "! Topic  No topic a.",
        "! Topic  No topic b.",
        "         → Check the spelling.",
        "✗ Group  It may not be used.",
        "         → Leave it empty.",
        "! Topic  No topic a.",
        "         → Check the spelling.",
        "",
        "1 to fix.",
    ]
