"""Golden messages for human review: read golden/*.json as an observer would, on a phone at night."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from formatters.answers import (
    answer,
    conversation,
    event_comparison,
    event_details,
    event_people,
    help,  # noqa: A004
    plan,
    plan_export,
    recent,
    search_results,
    status,
    subscription_choices,
    subscription_messages,
)
from formatters.blockkit.message import Message
from formatters.models import subscription
from formatters.models.criteria_set import GradeOutcome, Stage, WhyUndecided
from formatters.models.escalation import Acknowledgement, EscalationStep
from formatters.models.event_people import NOBODY, EventPeople
from formatters.models.event_plan import NothingReason, NothingToObserve
from formatters.models.filter import (
    Compare,
    ConeQuery,
    Detector,
    External,
    FarCompare,
    FieldIn,
    Near,
    Op,
    SiteQuery,
    VisibleFrom,
)
from formatters.models.notice import ASSEMBLED_FROM, GRACEDB, RETRACTION, Notice
from formatters.models.observation import InstrumentShare, ObservationStatus
from formatters.models.source_status import SourceStatus
from formatters.models.superevent import Superevent
from formatters.posts import alert_card, alert_update, mention, unreadable_notice
from formatters.posts.channel_view import ChannelView, ImageRef
from formatters.views import subscription_modal
from tests.support.plans import NOW as PLANNED_AT
from tests.support.plans import made_plan

NOW = datetime(2024, 11, 27, 3, 0, tzinfo=UTC)
VIEW = ChannelView()
ROOT = ChannelView(is_root=True)

WHO = EventPeople(
    acknowledgements=(Acknowledgement(user_id="U0B", since=NOW),),
    instruments=(InstrumentShare(instrument="ZTF", status=ObservationStatus.PLANNED, share=None),),
)
NOTHING_PLANNED = NothingToObserve(
    reason=NothingReason.TOO_LOW, next_start=PLANNED_AT + timedelta(hours=9), searched=timedelta(days=370)
)

KINDS = (
    "bns",
    "mock",
    "test",
    "raven",
    "burst",
    "ssm",
    "cwb_bbh",
    "low_significance",
    "one_detector",
    "unknown_search",
    "map_problem",
    "no_map",
    "bare",
    "retraction_only",
    "unknown_type",
)


def test_every_story_is_reviewed(stories: dict[str, list[Notice]]) -> None:
    assert set(KINDS) == set(stories)


@pytest.mark.parametrize("kind", KINDS)
def test_cards_and_replies(
    kind: str,
    stories: dict[str, list[Notice]],
    check: Callable[[Message], Message],
    golden: Callable[[str, Message], None],
) -> None:
    superevent = Superevent.from_notices(stories[kind])
    for number, notice in enumerate(superevent.notices, start=1):
        then = superevent.up_to(notice)
        golden(f"{kind}-{number}-card", check(alert_card.alert_card(then, VIEW)))
        golden(f"{kind}-{number}-root", check(alert_card.alert_card(then, ROOT)))
        if number > 1:
            golden(f"{kind}-{number}-reply", check(alert_update.alert_update(then, notice)))


WOULD_BE = GradeOutcome(slug="rubin-2026", grades=("Gold",), rank=0, stage=Stage.WOULD_BE)
STANDS = replace(WOULD_BE, stage=Stage.STANDS, newest_grades=("Gold",))
UNDECIDED = GradeOutcome(
    slug="ntt-kilonova",
    grades=("Silver",),
    rank=1,
    undecided=("Gold",),
    why_undecided=WhyUndecided.NO_MAP,
)
NO_GRADE = GradeOutcome(slug="grandma")
GRADES = {
    "would-be": (WOULD_BE,),
    "not-judged-yet": (
        GradeOutcome(
            slug="rubin-2026",
            undecided=("Gold", "Silver", "Bronze"),
            why_undecided=WhyUndecided.MAP_PENDING,
            stage=Stage.WOULD_BE,
        ),
    ),
    "stands": (replace(STANDS, newest_grades=("Silver",)),),
    "undecided": (UNDECIDED,),
    "none": (replace(WOULD_BE, grades=(), rank=None), NO_GRADE),
    "two-sets": (UNDECIDED, WOULD_BE),
    "three-sets": (NO_GRADE, replace(WOULD_BE, grades=("lensed A", "Bronze"), rank=2), UNDECIDED),
}


@pytest.mark.parametrize("kind", GRADES)
def test_grades_on_cards(
    kind: str,
    stories: dict[str, list[Notice]],
    check: Callable[[Message], Message],
    golden: Callable[[str, Message], None],
) -> None:
    for story, number in (("bns", 2), ("burst", 1), ("raven", 2)):
        superevent = Superevent.from_notices(stories[story][:number])
        root = ChannelView(is_root=True, grades=GRADES[kind])
        golden(f"grades-{kind}-{story}-root", check(alert_card.alert_card(superevent, root)))
    bns = Superevent.from_notices(stories["bns"][:2])
    answered = ChannelView(grades=GRADES[kind])
    golden(f"grades-{kind}-card", check(alert_card.alert_card(bns, answered)))


def test_grades_in_replies(
    stories: dict[str, list[Notice]],
    check: Callable[[Message], Message],
    golden: Callable[[str, Message], None],
) -> None:
    bns = Superevent.from_notices(stories["bns"])
    silver = GradeOutcome(slug="ntt-kilonova", grades=("Silver",), rank=1)
    gold = replace(silver, grades=("Gold",), rank=0)
    ended = tuple(replace(one, stage=Stage.ENDED, newest_grades=None) for one in (STANDS, silver))
    told: dict[str, tuple[int, tuple[GradeOutcome, ...], tuple[GradeOutcome, ...]]] = {
        "rises": (2, (silver,), (gold,)),
        "triggers": (3, (WOULD_BE, silver), (STANDS, gold)),
        "stands": (4, (STANDS, silver), (replace(STANDS, newest_grades=("Silver",)), silver)),
        "ended": (5, (STANDS, silver), ended),
        "again": (6, ended, (STANDS, replace(silver, grades=(), rank=None))),
        "decided": (2, (UNDECIDED,), (gold,)),
    }
    for kind, (number, before, after) in told.items():
        notice = bns.notices[number]
        reply = alert_update.alert_update(bns, notice, grades_before=before, grades=after)
        golden(f"grades-{kind}-reply", check(reply))
    crowded = Superevent.from_notices(stories["ssm"])
    below = ChannelView(is_root=True, grades=(UNDECIDED, WOULD_BE))
    golden("grades-below-buttons-root", check(alert_card.alert_card(crowded, below)))
    gone = bns.up_to(bns.notices[5])
    view = ChannelView(is_root=True, grades=ended)
    golden("grades-ended-root", check(alert_card.alert_card(gone, view)))


def test_from_gracedb(
    stories: dict[str, list[Notice]],
    check: Callable[[Message], Message],
    golden: Callable[[str, Message], None],
) -> None:
    looked_up = [replace(notice, archive="GraceDB") for notice in stories["bns"]]
    golden("gracedb-notice-card", check(alert_card.alert_card(Superevent.from_notices(looked_up[:3]), VIEW)))
    facts = replace(
        looked_up[2],
        alert_type=GRACEDB,
        time_created=looked_up[2].time_created + timedelta(days=12, seconds=0.5),
        published={ASSEMBLED_FROM: ["superevent", "p_astro.json,0"]},
    )
    golden("gracedb-assembled-card", check(alert_card.alert_card(Superevent.from_notices([facts]), VIEW)))
    gone = replace(
        facts,
        alert_type=RETRACTION,
        event=None,
        external=None,
        localization=None,
        time_created=facts.time_created + timedelta(hours=1),
    )
    for name, dated in (("dated", True), ("undated", False)):
        told = replace(gone, published={ASSEMBLED_FROM: ["superevent"], "dated": dated})
        golden(
            f"gracedb-retracted-{name}-card",
            check(alert_card.alert_card(Superevent.from_notices([facts, told]), VIEW)),
        )


def test_late_notices(
    stories: dict[str, list[Notice]],
    check: Callable[[Message], Message],
    golden: Callable[[str, Message], None],
) -> None:
    after = NOW + timedelta(days=1)
    for number, name in ((1, "late-reply"), (5, "late-retraction-reply")):
        notices = list(stories["bns"])
        notices[number] = replace(notices[number], received=after)
        golden(name, check(alert_update.alert_update(Superevent.from_notices(notices), notices[number])))


def test_mentions(
    stories: dict[str, list[Notice]],
    check: Callable[[Message], Message],
    golden: Callable[[str, Message], None],
) -> None:
    bns, raven = (Superevent.from_notices(stories[kind]) for kind in ("bns", "raven"))
    targets = ("<!here>", "<@U024BE7LH>", "<!subteam^S0AB1>")
    address = "https://example.slack.com/archives/C1/p1732586446000100"
    first = ChannelView(mentions=targets, is_root=True)
    golden("mention-root", check(alert_card.alert_card(bns.up_to(bns.notices[0]), first)))
    golden("mention-coincidence", check(mention.mention_message(raven, raven.notices[1], targets, address)))
    golden("mention-without-link", check(mention.mention_message(raven, raven.notices[1], targets[:1], None)))
    gone = next(n for n in bns.notices if n.is_retraction)
    golden("mention-stand-down", check(mention.retraction_mention(bns.up_to(gone), targets, address)))


def _subscriptions() -> list[subscription.Subscription]:
    criteria_list = [
        subscription.Criteria(group="CBC"),
        subscription.Criteria(group="Burst", lowsig=True),
        subscription.Criteria(group="all", mock=True, test=True, lowsig=True),
        subscription.Criteria(
            group="CBC",
            mock=True,
            notify=subscription.MentionRule(
                targets=("<!here>", "<@U024BE7LH>", "<!subteam^S0AB1>"), mock=True, only_ns=True
            ),
        ),
    ]
    return [
        subscription.Subscription(
            id=number,
            number=number,
            team_id="T1",
            channel_id="C1",
            criteria=criteria,
            created_by="U024BE7LH",
            created_at=NOW,
            delivery_problem="is_archived" if number == 1 else None,
        )
        for number, criteria in enumerate(criteria_list)
    ]


def _filtered() -> subscription.Subscription:
    """Return a subscription with every kind of condition."""
    sky = Near(ConeQuery(197.45, -23.381389, 5.0)) | VisibleFrom(SiteQuery("Cerro Tololo"), Op.GE, 0.3)
    light = Compare("BNS", Op.GT, 0.5) | FieldIn("search", ("SSM",)) | External()
    wanted = light & Compare("distance", Op.LT, 300) & FarCompare(Op.LT, 1, 100, "yr") & ~Detector("V1") & sky
    return subscription.Subscription(
        id=70,
        number=7,
        team_id="T1",
        channel_id="C1",
        criteria=subscription.Criteria(
            group="CBC",
            lowsig=True,
            filter=wanted & FieldIn("type", ("INITIAL", "UPDATE")),
            notify=subscription.MentionRule(targets=("<!here>",), condition=Compare("NS", Op.GE, 0.5)),
        ),
        created_by="U024BE7LH",
        created_at=NOW,
    )


def _escalating() -> subscription.Subscription:
    """Return a subscription with steps after its mention, and with quiet events."""
    steps = (
        EscalationStep(after=timedelta(minutes=5), targets=("<@U0SECOND>", "<!subteam^S0THIRD>")),
        EscalationStep(after=timedelta(minutes=90), webhook=True),
    )
    notify = subscription.MentionRule(targets=("<!subteam^S0FIRST>",), only_ns=True, escalation=steps)
    criteria = subscription.Criteria(group="CBC", quiet=Compare("BBH", Op.GE, 0.5), notify=notify)
    return replace(_filtered(), criteria=criteria)


def _matching(stories: dict[str, list[Notice]]) -> search_results.SearchResults:
    found = [Superevent.from_notices(stories[kind]) for kind in ("ssm", "raven", "bns", "mock")]
    return search_results.SearchResults(
        canonical="(BNS or search=SSM) far<1/yr",
        newest_hits=[
            search_results.SearchHit(superevent=one, by_joint_far=number == 0)
            for number, one in enumerate(found)
        ],
        count=12_345,
        candidates=23_456,
        since=datetime(2023, 5, 1, tzinfo=UTC),
        until=datetime(2024, 1, 1, tzinfo=UTC),
        undecided=70,
        queried=50,
    )


def _status(**problems: int) -> status.Status:
    return status.Status(
        version="0.1.0",
        started_at=NOW - timedelta(days=3, hours=2),
        sources=(
            SourceStatus(
                name="hopskotch",
                connected=not problems,
                detail="Reading igwn.gwalert from kafka.scimma.org as <someone>.",
                lag=2,
            ),
        ),
        last_notice=status.LastNotice(
            superevent_id="MS241127c",
            alert_type="PRELIMINARY",
            received=NOW - timedelta(hours=9 if problems else 0.2),
        ),
        posting_time=timedelta(seconds=0.42),
        pending_deliveries=problems.get("waiting", 0),
        dead_letters=problems.get("dead", 0),
        quarantined=problems.get("quarantined", 0),
        subscriptions=3,
    )


def test_answers(
    stories: dict[str, list[Notice]],
    check: Callable[[Message], Message],
    golden: Callable[[str, Message], None],
) -> None:
    seen = [Superevent.from_notices(notices) for notices in stories.values()]
    with_map = next(one for one in seen[0].notices if one.best_localization is not None)
    mine = _subscriptions()
    filtered = _filtered()
    mock = alert_card.alert_card(Superevent.from_notices(stories["mock"][:1]), VIEW)
    answers = {
        "help": help.overview(),
        "help-filters": help.filters_help(),
        **{f"help-{word}": page for word in sorted(help.PAGES) if (page := help.page_for(word)) is not None},
        "help-unknown": help.unknown_command("`<!channel>` & *co*"),
        "help-no-such-event": help.no_such_event("S241126dn", ["S241126dm", "S241126d", "MS241126dm"]),
        "help-no-such-event-at-all": help.no_such_event("S991231zz", []),
        "help-no-such-event-in-gracedb": help.no_such_event(
            "S241126dn", ["S241126dm"], "In GraceDB S241126dn is not public or doesn't exist."
        ),
        "compare": event_comparison.message(seen[:3]),
        "compare-many": event_comparison.message(seen),
        "greeting": conversation.greeting(),
        "thanks": conversation.thanks(),
        "runs": conversation.runs(),
        "people": event_people.who(seen[0], WHO, ["U024BE7LH", "W0ABC"]),
        "people-awaited": event_people.who(seen[0], EventPeople(is_awaited=True), ["U024BE7LH"]),
        "people-none": event_people.who(seen[0], NOBODY, []),
        "people-no-thread": event_people.nobody_here(seen[0]),
        "day": conversation.day("S230518", seen[:3], 3, NOW, is_catalogue_name=False),
        "day-catalogue": conversation.day("GW230518", seen[:1], 1, NOW, is_catalogue_name=True),
        "day-nothing": conversation.day("GW170817", [], 0, NOW, is_catalogue_name=True),
        "subscribe-choices": subscription_choices.message(),
        "csv": event_details.csv_table(seen[0]),
        "plan": plan.message(
            plan.PlanAnswer(
                superevent=seen[0],
                plan=made_plan(with_map, 5),
                image=ImageRef(alt_text="The map with five fields", file_id="F024BE7LH"),
            )
        ),
        "plan-many": plan.message(
            plan.PlanAnswer(
                superevent=seen[0],
                plan=made_plan(with_map, 120, is_combined=True, unread=(with_map,)),
                no_image="Without a picture: the drawing process is gone.",
            )
        ),
        "plan-nothing": plan.message(
            plan.PlanAnswer(superevent=seen[0], plan=made_plan(with_map, 0, nothing=NOTHING_PLANNED))
        ),
        "plan-csv": plan_export.csv_message(seen[0], made_plan(with_map, 5)),
        "plan-json": plan_export.json_message(seen[0], made_plan(with_map, 5)),
        "thread-link": answer.with_thread_link(
            help.error_message("An answer."), "S230518h", "https://example.slack.com/archives/C1/p1"
        ),
        "help-error": help.error_message('"mocks!" is none of CBC, Burst, all, mock, test, lowsig, notify.'),
        "recent": recent.message(recent.RecentEvents(seen), NOW),
        "recent-one": recent.message(recent.RecentEvents(seen[:1]), NOW),
        "recent-none": recent.message(recent.RecentEvents([]), NOW),
        "status": status.message(_status(), NOW),
        "status-problems": status.message(_status(waiting=12_345, dead=2, quarantined=1), NOW),
        "subscription-confirmed": subscription_messages.confirmation(mine[0]),
        "subscription-confirmed-all": subscription_messages.confirmation(mine[2]),
        "subscription-confirmed-notify": subscription_messages.confirmation(mine[3]),
        "subscription-confirmed-escalation": subscription_messages.confirmation(_escalating()),
        "subscription-list-escalation": subscription_messages.subscription_list([_escalating()]),
        "subscription-subscribed": subscription_messages.subscribed(),
        "subscription-unchanged": subscription_messages.unchanged(filtered),
        "subscription-not-subscribed": subscription_messages.not_subscribed(
            mine[1].criteria, [mine[0], filtered]
        ),
        "subscription-confirmation-pending": subscription_messages.confirmation_pending(mine[0].criteria),
        "subscription-already": subscription_messages.already_subscribed(mine[0]),
        "subscription-list": subscription_messages.subscription_list(mine),
        "subscription-none": subscription_messages.subscription_list([]),
        "subscription-removed": subscription_messages.unsubscribed([mine[0], mine[1]]),
        "subscription-already-ended": subscription_messages.stale_button([]),
        "subscription-changed-since": subscription_messages.stale_button(
            [mine[0], replace(filtered, paused_at=NOW)]
        ),
        "subscription-confirm-unsubscribe": subscription_modal.confirm_unsubscribe([*mine, filtered]),
        "subscription-confirm-unsubscribe-of-one": subscription_modal.confirm_unsubscribe([filtered]),
        "subscription-renumbered": subscription_messages.renumbered(17, filtered),
        "subscription-paused-already": subscription_messages.already_paused(replace(filtered, paused_at=NOW)),
        "subscription-not-paused": subscription_messages.not_paused(filtered),
        "subscription-refused": subscription_messages.refused("not_in_channel"),
        "subscription-confirmed-filter": subscription_messages.confirmation(filtered),
        "subscription-already-paused": subscription_messages.already_subscribed(
            replace(filtered, paused_at=NOW)
        ),
        "subscription-edited": subscription_messages.edited(mine[0], replace(filtered, number=0)),
        "subscription-paused": subscription_messages.paused(filtered),
        "subscription-resumed": subscription_messages.resumed(filtered),
        "subscription-no-such-number": subscription_messages.no_such_number("9", [*mine, filtered]),
        "subscription-list-filter": subscription_messages.subscription_list(
            [replace(filtered, paused_at=NOW), *mine[:1]]
        ),
        "search": search_results.search_message(_matching(stories), NOW),
        "search-none": search_results.search_message(
            replace(_matching(stories), newest_hits=[], count=0, undecided=0), NOW
        ),
        "search-all": search_results.search_message(
            replace(_matching(stories), canonical="all", undecided=0), NOW
        ),
        "search-nothing-received": search_results.search_message(
            search_results.SearchResults(canonical="BNS", newest_hits=[], count=0, candidates=0), NOW
        ),
        "test": search_results.backtest_message(
            replace(_matching(stories), since=None, until=None, queried=3, undecided=3), NOW
        ),
        "unreadable-notice": unreadable_notice.message(
            "S241126dm", "The Avro container ends in the middle of a block."
        ),
        "unreadable-notice-mock": unreadable_notice.message(
            "MS241126dm", "Unknown codec <zstd>", "javascript:alert(1)"
        ),
        "shareable": answer.shareable(
            answer.with_introduction("No real event was received yet; this is the newest mock.", mock),
            "latest",
        ),
    }
    for name, message in answers.items():
        golden(f"answer-{name}", check(message))


def test_the_longest_list_fits(stories: dict[str, list[Notice]], check: Callable[[Message], Message]) -> None:
    longest = max(
        (Superevent.from_notices(n) for n in stories.values()),
        key=lambda s: len(alert_card.alert_card(s, VIEW).text),
    )
    many = [longest] * 40
    assert (
        check(recent.message(recent.RecentEvents(many), NOW)).text.count(longest.superevent_id)
        == recent.MAX_EVENTS
    )
