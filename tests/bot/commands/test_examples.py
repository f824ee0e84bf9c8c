"""Every example that a help page or the user guide prints works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.alerts.decode import decode
from bot.app.factory import Factory
from bot.commands.context import CommandContext
from bot.commands.corrections import near_words
from bot.commands.topics import Topic
from bot.commands.understanding import read_question
from bot.filters.vocabulary import OBSERVATORIES, PIPELINES, SWITCHES, VOCABULARY
from bot.local_slack.app_manifest import GWEVENT
from bot.samples import ms181101ab, to_avro
from formatters.answers.help import COMMANDS, PAGES
from formatters.terminal import message_text
from tests.support.factories import (
    MOCK,
    NOW,
    REAL,
    TEAM,
    Clock,
    decoded_notice,
    notice_record,
    planner,
    record_notices,
)
from tests.support.question_events import store_question_events

ASKER = CommandContext(TEAM, "C1", "U0ASKER")
GUIDE = Path(__file__).parents[3] / "docs" / "user-guide.md"
REFUSALS = re.compile(
    r"don't understand|no condition|is none of|nothing I know|is no position|I know no site"
    r"|is read as|stands alone|[Nn]o criteria set|has no grade"
    r"|isn't expected|There is no help|, as in |no date"
)
OF_OTHERS = re.compile(r"@|…|\(several lines\)|, sites ")
"""In usages that are no whole line."""


def as_typed(usage: str) -> str:
    """Return an example as a person types it: without its optional parts, with the first of its choices."""
    shown = re.sub(r"\s*\[[^\]]*\]", "", usage.replace("\\|", "|").replace("/gwevent", ""))
    return re.sub(r"(\w+)(?:\|\w+)+", r"\1", shown).strip()


def guide_examples() -> list[str]:
    """Return the commands of the guide's table."""
    rows = re.findall(r"^\| (`/gwevent.*?) \| ", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    return [as_typed(code) for row in rows for code in re.findall(r"`(/gwevent[^`]*)`", row)]


def continued_examples() -> list[str]:
    """Return the commands of the guide's tables that go on where the row above begins, or a code before them.

    "… sites altitude 25" names its word itself, "… pause 3" goes on with `subscriptions`.
    """
    found, word = [], ""
    for row in re.findall(r"^\| (`(?:/gwevent|… ).*?) \| ", GUIDE.read_text(encoding="utf-8"), re.MULTILINE):
        for code in re.findall(r"`([^`]*)`", row):
            typed = as_typed(code.removeprefix("… "))
            first = typed.partition(" ")[0]
            if code.startswith("… ") and "…" not in typed and "@group" not in typed:
                begin = "" if first in PAGES else "subscribe CBC " if word == "subscribe" else f"{word} "
                found.append(f"{begin}{typed}".strip())
            if first in PAGES:
                word = first
    return found


def documented_examples() -> set[str]:
    """Return what other documents tell to type after /gwevent."""
    root = GUIDE.parents[1]
    pages = (root / "README.md", *sorted((root / "docs").glob("*.md")), root / "deploy" / "README.md")
    codes = {code for page in pages for code in re.findall(r"`/gwevent ([^`\n]+)`", page.read_text("utf-8"))}
    return {as_typed(code) for code in codes if not re.search(r"[…@]|SITE|<\w+>", code)}


def documented_filters() -> set[str]:
    """Return the conditions of the guide's table."""
    section = GUIDE.read_text("utf-8").partition("\n## Filters\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.*?) \| ", section, re.MULTILINE)
    codes = {code.replace("\\|", "|") for row in rows for code in re.findall(r"`([^`]*)`", row)}
    return codes - {"<", "<=", ">", ">=", "="}


EXAMPLES = sorted(
    {as_typed(usage) for usage, _ in COMMANDS if not OF_OTHERS.search(usage)}
    | {f"edit {number}" for number in (3, 12)}
    | {f"help {word}" for name, page in PAGES.items() for word in (name, *page.words)}
    | {example for example in guide_examples() if "…" not in example}
    | documented_examples()
    | {f"events {words}" for words in documented_filters()}
    | set(continued_examples()),
    # What one example adds is there for the others.
    key=lambda example: ("remove" in example, example),
)


@pytest.mark.usefixtures("confirmation_without_wait")
@pytest.mark.slow
async def test_every_printed_example_works(factory: Factory) -> None:
    await store_question_events(factory)
    router = factory.create_command_router(Clock())
    failures = []
    for example in EXAMPLES:
        shown = message_text.render(await router.dispatch(example, ASKER))
        if REFUSALS.search(shown.partition("\n")[0]):
            failures.append((example, shown[:200]))
    assert not failures
    assert len(EXAMPLES) > 200


@pytest.mark.usefixtures("confirmation_without_wait")
async def test_what_the_demos_page_offers_to_click_has_an_answer(factory: Factory) -> None:
    await store_question_events(factory)
    await record_notices(factory, decoded_notice(MOCK, alert_type="PRELIMINARY", minutes=1))
    # As in the demo, there is an event of today.
    body = to_avro(notice_record(REAL, skymap=ms181101ab(NOW)[1]["event"]["skymap"]))
    await factory.notices.record(decode(body), body, "test:1", NOW, planner(NOW))
    router = factory.create_command_router(Clock())
    # The demo's own mock is another one.
    offered = {words.replace("MS181101ab", MOCK) for words in GWEVENT.examples}
    refused = [words for words in offered if (await router.dispatch(words, ASKER)).is_refusal]
    assert not refused and offered


@pytest.mark.parametrize(
    "word", sorted({*VOCABULARY, *SWITCHES, *PIPELINES, *OBSERVATORIES, "nearest", "best"})
)
def test_a_word_with_a_meaning_of_its_own_is_never_corrected(word: str) -> None:
    assert near_words(word, ["latest", "newest", "moc", "map", "test", "history", "visible", "check"]) == []


@pytest.mark.parametrize(
    "text",
    [
        "ra=95.7 dec=-10.96",
        "RA(J2000) = 95.7, Dec(J2000) = -10.96",
        "062248.0-105736",
        "l=220 b=-11",
        "95.7 -10.96",
    ],
)
@pytest.mark.parametrize("event_count", [0, 1])
def test_a_position_alone_is_checked(text: str, event_count: int) -> None:
    assert read_question(text, event_count, ["check", "events"], {}).command == "check"


def test_a_circle_alone_is_a_filter() -> None:
    assert read_question("near 95.7 -10.96 5deg", 0, ["check", "events"], {}).command == "events"


@pytest.mark.parametrize("text", ["is it RA dominated", "where is the peak"])
def test_a_question_about_the_area_is_no_position(text: str) -> None:
    assert read_question(text, 1, ["check", "events"], {}).topic is Topic.AREA


@pytest.mark.parametrize(
    "text", ["last week", "last 7 days", "last 24 hours", "last monday", "last 2 months"]
)
def test_a_period_after_last_is_a_list(text: str) -> None:
    reading = read_question(text, 0, ["last", "events"], {})
    assert (reading.command, reading.arguments) == ("events", text)
