from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from formatters.blockkit.message import Message
from formatters.models.notice import Event, ExternalCoincidence, Localization, Notice
from formatters.models.superevent import Superevent
from formatters.posts import alert_card
from formatters.posts.channel_view import ChannelView
from formatters.terminal import message_text

Notices = Callable[..., Notice]


def root(*notices: Notice) -> Message:
    return alert_card.alert_card(Superevent.from_notices(notices), ChannelView())


def words(*notices: Notice) -> str:
    return message_text.render(root(*notices))


def test_hasremnant_is_never_shown_without_terrestrial(
    make_notice: Notices, make_event: Callable[..., Event]
) -> None:
    for classification in ({}, {"BNS": 1.0}, {"BNS": 0.999, "Terrestrial": 0.001}):
        event = make_event(classification=classification, properties={"HasRemnant": 0.9})
        said = words(make_notice(event=event))
        assert "HasRemnant 90 %" in said
        assert "Terrestrial" in said
        assert "HasRemnant" not in root(make_notice(event=event)).text
    event = make_event(classification={"BNS": 1.0, "Terrestrial": 0.0}, properties={"HasRemnant": 0.9})
    assert "Terrestrial not given" in words(make_notice("UPDATE", event=event))
    assert "Terrestrial was 1 % in PRELIMINARY" in words(
        make_notice(), make_notice("UPDATE", 60, event=event)
    )


def test_significant_through_the_coincidence(
    make_notice: Notices, make_event: Callable[..., Event], make_swift: Callable[..., ExternalCoincidence]
) -> None:
    common = make_event(far=3.0e-5)
    swift = make_swift()
    assert "Significant only through the coincidence (GW alone 1 per 9.3 h)" in words(
        make_notice(event=common, external=swift)
    )
    assert "only through" not in words(make_notice(event=common))
    assert "only through" not in words(make_notice(event=make_event(far=3.0e-7), external=swift))
    assert "only through" not in words(make_notice(event=replace(common, significant=False), external=swift))


def test_status_labels(make_notice: Notices, make_event: Callable[..., Event]) -> None:
    def title(*notices: Notice) -> str:
        return alert_card.title(Superevent.from_notices(notices)).replace("\u00a0", " ")

    low = make_event(significant=False)
    assert title(make_notice()) == "BNS 95 % · PRELIMINARY · S241126dm"
    assert title(make_notice(superevent_id="MS181101ab")) == "MOCK · BNS 95 % · PRELIMINARY · MS181101ab"
    assert title(make_notice(superevent_id="TS1a")) == "TEST · BNS 95 % · PRELIMINARY · TS1a"
    known = title(make_notice("EARLYWARNING"))
    assert known == "EARLY WARNING · BNS 95 % · unconfirmed · S241126dm"
    assert title(make_notice(event=low)) == "LOW SIGNIFICANCE · BNS 95 % · PRELIMINARY · S241126dm"
    assert title(make_notice(), make_notice("RETRACTION", 30)) == "RETRACTED · S241126dm"
    assert title(make_notice(), make_notice(minutes=17)) == "BNS 95 % · PRELIMINARY 2 · S241126dm"


def test_an_early_warning_counts_nothing_down(make_notice: Notices) -> None:
    early = make_notice("EARLYWARNING", -0.3)
    message = root(early)
    said = message_text.render(message)
    assert "Merger 2024-11-26 02:10:46 UTC, notice 19 s before" in said
    assert "not yet confirmed by the full search" in said
    assert "2024-11-26 02:10:46" in said
    header, *rest = message.blocks
    assert "<!date" not in header["text"]["text"]
    assert "<!date" not in message.text
    assert any("<!date^1732587046^" in str(block) for block in rest)


def test_the_peak_distance_only_where_it_differs(
    make_notice: Notices, make_map: Callable[..., Localization]
) -> None:
    same = make_map()
    assert same.distance is not None
    near = replace(same, peak_distance=replace(same.distance, mean=same.distance.mean - 5))
    far = replace(same, peak_distance=replace(same.distance, mean=same.distance.mean - 9))
    assert "toward the peak" not in words(make_notice(localization=near))
    assert "40 ± 8 Mpc over the sky, 31 ± 8 Mpc toward the peak" in words(make_notice(localization=far))


def test_a_mention_hides_no_warning(
    make_notice: Notices, make_map: Callable[..., Localization], make_event: Callable[..., Event]
) -> None:
    early = make_notice(
        "EARLYWARNING",
        0.3,
        event=make_event(search="EarlyWarning", instruments=("H1", "L1")),
        localization=make_map(log_bci=-1.6, instruments=("H1", "L1")),
    )
    superevent = Superevent.from_notices([early])
    shown = [
        alert_card.alert_card(superevent, ChannelView(is_root=True, mentions=mentions))
        for mentions in ((), ("<!here>", "<@U024BE7LH>", "<!subteam^S0AB1>"))
    ]
    assert all("incoherent signals favoured 5:1" in str(message.blocks) for message in shown)
    assert [block for block in shown[1].blocks if block in shown[0].blocks] == list(shown[0].blocks)


def test_links_only_where_they_lead_somewhere(make_notice: Notices) -> None:
    def urls(notice: Notice) -> list[str]:
        return [
            element["url"]
            for block in root(notice).blocks
            for element in block.get("elements", ())
            if "url" in element
        ]

    assert urls(make_notice()) == [
        "https://gracedb.ligo.org/superevents/S241126dm/view/",
        "https://gcn.nasa.gov/circulars?query=S241126dm",
        "https://treasuremap.space/alerts?graceids=S241126dm",
    ]
    assert urls(make_notice(superevent_id="MS181101ab")) == [
        "https://gracedb.ligo.org/superevents/MS181101ab/view/"
    ]
    assert urls(make_notice(superevent_id="MS181101ab", urls={"gracedb": "javascript:alert(1)"})) == []
    assert urls(make_notice(superevent_id="MS181101ab", urls={})) == []


def test_hostile_words_neither_format_nor_mention(
    make_notice: Notices, make_event: Callable[..., Event], check: Callable[[Message], Message]
) -> None:
    evil = "<!channel> *x* `y` <https://evil.example|GraceDB> &amp; \n>" + "z" * 5000
    event = make_event(
        pipeline=evil,
        search=evil,
        group=evil,
        instruments=(evil,) * 9,
        classification={evil: 0.9, "Terrestrial": 0.1},
        properties={evil: 0.5},
    )
    notice = make_notice(event=event, localization=None, map_problem=evil, urls={"gracedb": evil, evil: evil})
    for message in (check(root(notice)), check(root(notice, make_notice("RETRACTION", 30)))):
        everything = [message.text, *(str(block) for block in message.blocks if block["type"] != "header")]
        for text in everything:
            assert "<!channel>" not in text
            assert "<https://evil" not in text
            assert "*x*" not in text
            assert "`y`" not in text


def test_footer_has_no_delay_for_archive_notices(make_notice: Notices) -> None:
    notice = make_notice()
    assert "received 0.3 s" in words(notice)
    archived = replace(notice, received=notice.time_created + timedelta(days=400))
    assert "received" not in words(archived)
    assert "received" not in words(replace(notice, received=None))
    assert "received" not in words(replace(notice, live=False)), "a file's import is no receipt"


def test_retracted_card_strikes_out_the_old_facts(make_notice: Notices) -> None:
    message = root(make_notice(), make_notice("RETRACTION", 30))
    section = message.blocks[1]["text"]["text"].replace("\u00a0", " ")
    assert "Was: ~BNS 95 % · 31 deg² · 40 ± 8 Mpc · FAR 1 per 350,000 yr~" in section
    assert "29 min after the event" in message_text.render(message)


def test_later_notice_revives_retracted_event(make_notice: Notices) -> None:
    message = root(make_notice(), make_notice("RETRACTION", 30), make_notice("UPDATE", 40))
    assert "RETRACTED" not in message_text.render(message)
    assert message.text.startswith("BNS 95% UPDATE")


def test_an_answer_says_the_events_age_and_a_post_doesnt(make_notice: Callable[..., Notice]) -> None:
    later = datetime(2026, 12, 1, tzinfo=UTC)
    first, gone = make_notice(), make_notice("RETRACTION", 700)

    def shown(*notices: Notice, asked_at: datetime | None) -> str:
        card = alert_card.alert_card(Superevent.from_notices(notices), ChannelView(asked_at=asked_at))
        return message_text.render(card).replace("\u00a0", " ")

    assert "2024-11-26 02:10:46 UTC (2 yr ago), notice +12 min" in shown(first, asked_at=later)
    assert "after the event (2 yr ago)" in shown(first, gone, asked_at=later)
    assert "ago" not in shown(first, asked_at=None) + shown(first, gone, asked_at=None)
