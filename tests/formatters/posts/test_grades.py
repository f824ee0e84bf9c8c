"""Where a message says the grades of the channel's criteria sets, and what it leaves out for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from formatters.blockkit.message import Message
from formatters.models.criteria_set import GradeOutcome, Stage, WhyUndecided
from formatters.models.notice import Event, ExternalCoincidence, Localization, Notice
from formatters.models.superevent import Superevent
from formatters.posts import alert_card, alert_update, card_budget
from formatters.posts.channel_view import ChannelView
from formatters.terminal import message_text

Notices = Callable[..., Notice]

WOULD_BE = GradeOutcome(slug="rubin-2026", grades=("Gold",), rank=0, stage=Stage.WOULD_BE)
STANDS = replace(WOULD_BE, stage=Stage.STANDS)
ENDED = replace(WOULD_BE, stage=Stage.ENDED)
SILVER = GradeOutcome(
    slug="ntt-kilonova",
    grades=("Silver",),
    rank=1,
    undecided=("Gold",),
    why_undecided=WhyUndecided.NO_MAP,
)


def root(superevent: Superevent, *grades: GradeOutcome) -> Message:
    return alert_card.alert_card(superevent, ChannelView(is_root=True, grades=grades))


def reply(
    superevent: Superevent, before: Sequence[GradeOutcome], after: Sequence[GradeOutcome], about: int = -1
) -> list[str]:
    """Return the lines of a reply between its head and its foot."""
    message = alert_update.alert_update(
        superevent, superevent.notices[about], grades_before=before, grades=after
    )
    return message_text.render(message).splitlines()[1:-1]


def test_the_card_says_the_best_two_sets_in_one_line(
    make_notice: Notices, make_event: Callable[..., Event]
) -> None:
    full = Superevent.from_notices([make_notice()])
    assert "rubin-2026: would be Gold · ntt-kilonova: Silver; Gold undecided\n" in message_text.render(
        root(full, SILVER, WOULD_BE)
    )
    # Where there is room, with the reasons.
    bare = make_event(classification={}, properties={})
    roomy = Superevent.from_notices([make_notice(event=bare, localization=None)])
    assert (
        "rubin-2026: would be Gold if the INITIAL keeps these numbers"
        " · ntt-kilonova: Silver; Gold undecided (no map yet)\n"
        in message_text.render(root(roomy, SILVER, WOULD_BE))
    )


def test_the_push_text_says_the_best_grade_after_the_distance(make_notice: Notices) -> None:
    text = root(Superevent.from_notices([make_notice()]), SILVER, WOULD_BE).text.replace("\u00a0", " ")
    assert "Mpc rubin-2026: would be Gold FAR" in text and "ntt" not in text


def test_an_answer_says_every_set_in_full(make_notice: Notices) -> None:
    third = replace(STANDS, slug="a", newest_grades=())
    view = ChannelView(grades=(SILVER, WOULD_BE, third))
    said = message_text.render(alert_card.alert_card(Superevent.from_notices([make_notice()]), view))
    assert "a: Gold (INITIAL); its numbers now: no grade, not re-triggered" in said
    assert "keeps these numbers" in said and "+1 more" not in said


def test_without_sets_a_card_is_what_it_was(make_notice: Notices) -> None:
    superevent = Superevent.from_notices([make_notice(), make_notice("RETRACTION", 30)])
    assert "ended" not in message_text.render(root(superevent))
    assert "ended" not in message_text.render(root(superevent, replace(ENDED, grades=(), rank=None)))


def test_a_retraction_ends_the_grade_in_one_line(make_notice: Notices) -> None:
    superevent = Superevent.from_notices([make_notice(), make_notice("RETRACTION", 30)])
    assert "rubin-2026: Gold ended by the retraction" in message_text.render(root(superevent, ENDED))
    assert reply(superevent, [STANDS], [ENDED])[0] == "rubin-2026: Gold ended by the retraction"


def test_a_crowded_card_says_the_grades_below_its_buttons(
    make_notice: Notices,
    make_event: Callable[..., Event],
    make_swift: Callable[..., ExternalCoincidence],
    make_map: Callable[..., Localization],
) -> None:
    crowded = Superevent.from_notices(
        [make_notice(event=make_event(far=3e-5), external=make_swift(overlap=0.04, localization=make_map()))]
    )
    words = message_text.render(root(crowded, SILVER, WOULD_BE)).splitlines()
    *facts, grades = words
    assert facts == message_text.render(root(crowded)).splitlines()
    assert grades.startswith("rubin-2026: would be Gold if the INITIAL keeps these numbers · ntt-kilonova")
    # The push text has no rows to run out of.
    assert "rubin-2026: would be Gold" in root(crowded, SILVER, WOULD_BE).text


@pytest.mark.parametrize("far", [3e-5, 1e-14])
@pytest.mark.parametrize("coincident", [False, True])
@pytest.mark.parametrize("slug", ["ntt", "ntt-kilonova-with-spectroscopy"])
def test_a_card_with_little_room_hides_neither_of_the_best_two_sets(
    make_notice: Notices,
    make_event: Callable[..., Event],
    make_swift: Callable[..., ExternalCoincidence],
    make_map: Callable[..., Localization],
    far: float,
    coincident: bool,
    slug: str,
) -> None:
    external = make_swift(overlap=40.0, localization=make_map()) if coincident else None
    superevent = Superevent.from_notices([make_notice(event=make_event(far=far), external=external)])
    said = message_text.render(root(superevent, STANDS, replace(SILVER, slug=slug)))
    assert "rubin-2026: Gold" in said and f"{slug}: Silver" in said


def test_reasons_yield_before_any_other_detail(make_notice: Notices) -> None:
    card = card_budget.CardLines(
        fixed=tuple(card_budget.Line(parts=("word", "more")) for _ in range(8)),
        foot=card_budget.Line(parts=("foot",), is_fact=False),
        criteria=card_budget.Line(parts=("long " * 60,)),
        shorter_criteria=(card_budget.Line(parts=("two",)), card_budget.Line(parts=("one",))),
    )
    chosen = card_budget.fit(card)
    assert chosen.criteria == card.shorter_criteria[0] and chosen.fixed == card.fixed


def test_a_changed_grade_is_the_first_change_of_a_reply(
    make_notice: Notices, make_event: Callable[..., Event]
) -> None:
    superevent = Superevent.from_notices(
        [make_notice(event=make_event(significant=False)), make_notice("INITIAL", 20)]
    )
    lines = reply(superevent, [WOULD_BE], [STANDS])
    assert lines[:2] == ["rubin-2026: would be Gold → Gold (INITIAL)", "Now significant"]
    message = alert_update.alert_update(
        superevent, superevent.latest, grades_before=[WOULD_BE], grades=[STANDS]
    )
    assert "since PRELIMINARY: rubin-2026: would be Gold → Gold (INITIAL)" in message.text


def test_a_grade_alone_is_a_change(make_notice: Notices) -> None:
    superevent = Superevent.from_notices([make_notice(), make_notice(minutes=17)])
    assert reply(superevent, [], [SILVER]) == ["ntt-kilonova: no grade → Silver; Gold undecided (no map yet)"]
    assert reply(superevent, [SILVER], [SILVER]) == ["Same facts as PRELIMINARY."]


@pytest.mark.parametrize("stage", ["INITIAL", "RETRACTION"])
def test_a_late_notice_says_the_change_of_grade_that_it_brought(stage: str, make_notice: Notices) -> None:
    update = make_notice("UPDATE", 60)
    assert update.received is not None
    late = replace(make_notice(stage, 20), received=update.received + timedelta(minutes=5))
    superevent = Superevent.from_notices([make_notice(), late, update])
    lines = reply(superevent, [WOULD_BE], [ENDED if stage == "RETRACTION" else STANDS], about=1)
    assert any(line.startswith("Late: ") for line in lines)
    change = (
        "would-be Gold ended by the retraction" if stage == "RETRACTION" else "would be Gold → Gold (INITIAL)"
    )
    assert f"rubin-2026: {change}" in lines


def test_a_notice_without_facts_before_leaves_the_grade_a_first_fact(make_notice: Notices) -> None:
    superevent = Superevent.from_notices(
        [make_notice(event=None, localization=None), make_notice("UPDATE", 9)]
    )
    assert reply(superevent, [], [STANDS])[0] == "rubin-2026: no grade → Gold (INITIAL)"
