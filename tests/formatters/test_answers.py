from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from formatters.answers import answer, help, recent, status, subscription_messages  # noqa: A004
from formatters.blockkit.message import Message
from formatters.models.notice import Notice
from formatters.models.source_status import SourceStatus
from formatters.models.subscription import Criteria, Subscription
from formatters.models.superevent import Superevent
from formatters.models.treasure_map import TreasureMapState
from formatters.posts import unreadable_notice
from formatters.terminal import message_text
from formatters.text import criteria_text

NOW = datetime(2024, 11, 27, 3, 0, tzinfo=UTC)


def subscribed(criteria: Criteria, **changes: object) -> Subscription:
    given: dict[str, object] = {"created_by": "U024BE7LH", "problem": None} | changes
    return Subscription(
        id=1,
        number=1,
        team_id="T1",
        channel_id="C1",
        criteria=criteria,
        created_by=str(given["created_by"]),
        created_at=NOW,
        delivery_problem=None if given["problem"] is None else str(given["problem"]),
    )


@pytest.mark.parametrize(
    ("criteria", "canonical"),
    [
        (Criteria(), "all"),
        (Criteria(group="CBC", mock=True, lowsig=True), "CBC mock lowsig"),
        (Criteria(group="Burst", test=True), "Burst test"),
    ],
)
def test_the_canonical_words(criteria: Criteria, canonical: str) -> None:
    assert criteria.canonical == canonical


def test_describe_alerts_wording() -> None:
    assert criteria_text.describe_alerts(Criteria(group="CBC", mock=True)) == (
        "Real, significant CBC alerts (early warnings, SSM, cWB-BBH and alerts significant by coincidence"
        " included); mocks too (about one every hour)."
    )
    burst = criteria_text.describe_alerts(Criteria(group="Burst"))
    assert "early warnings" not in burst
    assert "mock" not in burst


def test_confirmation_names_the_person_and_no_forged_mention(check: Callable[[Message], Message]) -> None:
    message = check(subscription_messages.confirmation(subscribed(Criteria(group="CBC"))))
    assert "<@U024BE7LH>" in str(message.blocks)
    forged = check(subscription_messages.confirmation(subscribed(Criteria(), created_by="U1> <!channel")))
    assert "<!channel" not in str(forged.blocks)


def test_subscription_list_shows_delivery_problem() -> None:
    listed = message_text.render(
        subscription_messages.subscription_list([subscribed(Criteria(), problem="is_archived")])
    )
    assert "Nothing can be posted: is_archived" in listed


def test_subscription_list_names_criteria_that_are_missing(check: Callable[[Message], Message]) -> None:
    one = replace(subscribed(Criteria()), missing_sets=("ntt-kilonova", "ours Silver*"))
    listed = message_text.render(check(subscription_messages.subscription_list([one])))
    assert "Missing criteria: ntt-kilonova and ours Silver" in listed and "don't hold" in listed


def test_cannot_post_message_advice() -> None:
    assert "/invite @gwevent" in message_text.render(subscription_messages.refused("not_in_channel"))
    assert message_text.render(subscription_messages.refused("unsubscribed meanwhile")) == (
        "Nothing was subscribed: unsubscribed meanwhile."
    )


def test_confirm_unsubscribe_lists_each_subscription_once(check: Callable[[Message], Message]) -> None:
    def numbered(count: int) -> list[Subscription]:
        return [replace(subscribed(Criteria(group="CBC")), number=n) for n in range(1, count + 1)]

    assert "And 3 more: 41, 42, 43" in message_text.render(
        check(subscription_messages.confirm_unsubscribe(numbered(43)))
    )
    long = [replace(s, criteria=Criteria(group="x" * 2_900)) for s in numbered(5)]
    assert "And 3 more: 3, 4, 5" in message_text.render(
        check(subscription_messages.confirm_unsubscribe(long))
    )


def test_the_overview_fits_a_phones_screen() -> None:
    said = message_text.render(help.overview())
    assert len(said) < 500 and said.count("\n") < 12
    for _, words in help.OVERVIEW:
        assert all(word in said for word in words)


def test_every_word_of_the_overview_has_its_own_page(check: Callable[[Message], Message]) -> None:
    pages = set()
    for _, words in help.OVERVIEW:
        for word in words:
            page = help.page_for("id" if word == "S230518h" else word.split()[0])
            assert page is not None
            pages.add(message_text.render(check(page)))
    assert len(pages) == sum(len(words) for _, words in help.OVERVIEW)


def test_a_page_lists_what_can_be_typed(check: Callable[[Message], Message]) -> None:
    for name, page in help.PAGES.items():
        found = help.page_for(name)
        assert found is not None
        said = message_text.render(check(found))
        for command, what in page.usages:
            assert f"\n{command}  {what.replace('`', '')}" in said


def test_help_lists_no_older_word() -> None:
    listed = {word for typed, _ in help.COMMANDS for word in typed.split()}
    assert not listed & {"recent", "search", "find", "dialog", "last", "sub", "subs", "unsub"}


@pytest.mark.parametrize(
    "word", ["visible", "VISIBLE", "`visible`", "observability", "site", "Sites", "filters", "condition"]
)
def test_help_finds_a_word_in_any_form(word: str) -> None:
    assert help.page_for(word) is not None


def test_unknown_words_get_help() -> None:
    said = message_text.render(help.unknown_command("lastest"))
    assert said.startswith("I don't understand “lastest”. Did you mean /gwevent latest?")
    assert "/gwevent help" in said
    assert "Did you mean" not in message_text.render(help.unknown_command("🚀"))


@pytest.mark.parametrize(
    ("near", "ending"),
    [
        ([], "was received."),
        (["S1a"], "Did you mean S1a?"),
        (["S1a", "S1b"], "Did you mean S1a or S1b?"),
        (["S1a", "S1b", "S1c"], "Did you mean S1a, S1b or S1c?"),
    ],
)
def test_similar_event_ids_are_suggested(near: list[str], ending: str) -> None:
    assert message_text.render(help.no_such_event("S1d", near)).endswith(ending)


def test_a_shared_answer_carries_its_question(check: Callable[[Message], Message]) -> None:
    message = check(answer.shareable(help.overview(), "latest CBC"))
    button = message.blocks[-1]["elements"][0]
    assert button["action_id"] == answer.SHARE_ACTION == "answer.share"
    assert button["value"] == "latest CBC"
    check(answer.shareable(help.overview(), ""))
    long = check(answer.shareable(help.overview(), "x" * 5000)).blocks[-1]["elements"][0]
    assert len(long["value"]) <= 2000


def test_recent_marks_retracted_events(make_notice: Callable[..., Notice]) -> None:
    gone = Superevent.from_notices([make_notice(), make_notice("RETRACTION", 30)])
    mock = Superevent.from_notices([make_notice(superevent_id="MS241126a")])
    said = message_text.render(recent.message(recent.RecentEvents([gone, mock]), NOW)).splitlines()
    assert said[0] == "The last 2 events"
    assert said[1].startswith("S241126dm · RETRACTED BNS 95 % · 31 deg²")
    assert said[2].startswith("MOCK MS241126a · BNS 95 % · PRELIMINARY")
    assert said[2].endswith("2024-11-26 02:10 UTC (24 h ago)")


def state(**changes: object) -> status.Status:
    last = changes.get("last_notice")
    assert last is None or isinstance(last, status.LastNotice)
    return status.Status(
        version="0.1.0",
        started_at=NOW - timedelta(hours=5),
        sources=(SourceStatus(name="hopskotch", connected=False, detail="The broker refuses us."),),
        last_notice=last,
        posting_time=timedelta(seconds=0.4),
        pending_deliveries=0,
        dead_letters=0,
        quarantined=0,
        subscriptions=0,
    )


@pytest.mark.parametrize(
    ("known", "words"),
    [
        (None, None),
        (TreasureMapState(read_at=None, problem=None, events=0), "nothing was read yet · no event followed"),
        (
            TreasureMapState(read_at=NOW - timedelta(minutes=4), problem=None, events=2),
            "last read 2024-11-27 02:56:00 UTC (4 min ago) · 2 events followed",
        ),
        (
            TreasureMapState(read_at=None, problem="The Treasure Map refuses <!here> (HTTP 401).", events=1),
            "NOT READ · The Treasure Map refuses <!here> (HTTP 401). · nothing was read yet",
        ),
    ],
)
def test_status_says_how_reading_the_treasure_map_goes(
    known: TreasureMapState | None, words: str | None
) -> None:
    message = status.message(replace(state(), treasure_map=known), NOW)
    said = message_text.render(message)
    assert "<!here>" not in str(message.blocks)
    assert ("Treasure Map" in said) is (known is not None)
    assert words is None or f"Treasure Map: {words}" in said


def test_status_names_long_silence() -> None:
    def last(hours: float) -> str:
        seen = status.LastNotice(
            superevent_id="MS241127c", alert_type="INITIAL", received=NOW - timedelta(hours=hours)
        )
        return message_text.render(status.message(state(last_notice=seen), NOW))

    assert "unusually long ago" not in last(2.9)
    assert "unusually long ago" in last(3.1)
    nothing = message_text.render(status.message(state(), NOW))
    assert "hopskotch: NOT CONNECTED · The broker refuses us." in nothing
    assert "Last notice: none yet" in nothing


def test_an_apology_links_only_to_the_web() -> None:
    def url(link: str | None) -> str:
        return str(
            unreadable_notice.message("S241126dm", "It ends early.", link).blocks[-1]["elements"][0]["url"]
        )

    assert url("https://example.org/x") == "https://example.org/x"
    assert url("javascript:alert(1)") == url(None) == "https://gracedb.ligo.org/superevents/S241126dm/view/"
    assert (
        "couldn't read (It ends early). See GraceDB"
        in unreadable_notice.message("S241126dm", "It ends early.").text
    )
