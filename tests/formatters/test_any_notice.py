"""Property tests: every notice that the decoder accepts produces valid messages."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import product

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from formatters.answers import event_history, recent
from formatters.blockkit import mrkdwn
from formatters.blockkit.message import Message
from formatters.models.criteria_set import (
    GRADE_NAME,
    GRADE_NAME_MAX,
    SLUG,
    SLUG_MAX,
    GradeOutcome,
    Stage,
    WhyUndecided,
)
from formatters.models.escalation import Acknowledgement
from formatters.models.event_people import EventPeople, Mute
from formatters.models.notice import (
    ALERT_TYPES,
    Distance,
    Event,
    ExternalCoincidence,
    Localization,
    MassBins,
    Notice,
    Region,
    Surroundings,
)
from formatters.models.observation import InstrumentShare, ObservationStatus
from formatters.models.superevent import Superevent
from formatters.posts import alert_card, alert_update
from formatters.posts.channel_view import ChannelView
from formatters.terminal import message_text, notice_text

hostile = st.text(alphabet=st.sampled_from([*"<>&*_~`:|@!\n aZ0", "\u202e", "😀", "\u00a0"]), max_size=30)
names = st.sampled_from(["CBC", "Burst", "AllSky", "SSM", "EarlyWarning", "CWB", "BNS", "Swift"]) | hostile
shares = st.floats(0, 1)
addresses = st.just("https://x.org/?a=1&b=2") | hostile
sizes = st.floats(min_value=0, allow_nan=False, allow_infinity=False)
numbers = st.floats(allow_nan=False, allow_infinity=False)
times = st.integers(1_420_000_000_000, 2_050_000_000_000).map(
    lambda milliseconds: datetime.fromtimestamp(milliseconds / 1000, UTC)
)
probabilities = st.dictionaries(
    st.sampled_from(["BNS", "NSBH", "BBH", "Terrestrial", "HasNS", "HasRemnant"]) | hostile,
    shares,
    max_size=6,
)
distances = st.builds(Distance, mean=numbers, std=sizes)
regions = st.builds(
    Region, ra=st.floats(0, 360), dec=st.floats(-90, 90), area=st.floats(0, 41_253), probability=shares
)
maps = st.builds(
    Localization,
    ra=st.floats(0, 360),
    dec=st.floats(-90, 90),
    area_50=st.floats(0, 41_253),
    area_90=st.floats(0, 41_253),
    regions=st.lists(regions, max_size=5).map(tuple),
    distance=st.none() | distances,
    peak_distance=st.none() | distances,
    log_bci=st.none() | numbers,
    instruments=st.lists(names, max_size=3).map(tuple),
    surroundings=st.none()
    | st.builds(
        Surroundings,
        time=times,
        sun_separation=st.floats(0, 180),
        probability_near_sun=shares,
        probability_near_galactic_plane=shares,
    ),
    pieces_50=st.none() | st.integers(1, 3),
    creator=st.none() | st.sampled_from(["BAYESTAR", "ligo-skymap-from-samples"]) | hostile,
)
events = st.builds(
    Event,
    time=times,
    far=st.none() | sizes,
    significant=st.booleans(),
    instruments=st.lists(names, max_size=5).map(tuple),
    group=names,
    pipeline=names,
    search=names,
    classification=probabilities,
    properties=probabilities,
    duration=st.none() | sizes,
    central_frequency=st.none() | sizes,
    mchirp_source=st.none()
    | st.builds(
        MassBins,
        bin_edges=st.lists(sizes, max_size=4).map(tuple),
        probabilities=st.lists(shares, max_size=3).map(tuple),
    ),
)
coincidences = st.builds(
    ExternalCoincidence,
    observatory=names,
    search=names,
    gcn_notice_id=st.none() | hostile,
    ivorn=st.none() | hostile,
    time_difference=st.none() | numbers,
    time_coincidence_far=st.none() | sizes,
    time_sky_position_coincidence_far=st.none() | sizes,
    localization=st.none() | maps,
    map_problem=st.none() | hostile,
    overlap=st.none() | shares,
    peak_level=st.none() | shares,
)


def notices(superevent_id: str) -> st.SearchStrategy[Notice]:
    return st.builds(
        Notice,
        superevent_id=st.just(superevent_id),
        alert_type=st.sampled_from(ALERT_TYPES) | hostile,
        time_created=times,
        urls=st.dictionaries(
            st.sampled_from(["gracedb", "skymap"]) | hostile,
            st.just("https://x.org/?a=1&b=2") | hostile,
            max_size=2,
        ),
        event=st.none() | events,
        external=st.none() | coincidences,
        localization=st.none() | maps,
        map_problem=st.none() | hostile,
        received=st.none() | times,
    )


grade_names = st.from_regex(GRADE_NAME, fullmatch=True).map(lambda name: name[:GRADE_NAME_MAX].strip())
some_grades = st.lists(grade_names, max_size=4).map(tuple)
outcomes = st.builds(
    GradeOutcome,
    slug=st.from_regex(SLUG, fullmatch=True).map(lambda slug: slug[:SLUG_MAX]),
    grades=some_grades,
    rank=st.none() | st.integers(0, 19),
    undecided=some_grades,
    why_undecided=st.none() | st.sampled_from(WhyUndecided),
    stage=st.sampled_from(Stage),
    newest_grades=st.none() | some_grades,
    never_stood=st.booleans(),
)
superevents = st.sampled_from(["S241126dm", "MS181101ab", "TS241126a", "GW241126AB"]).flatmap(
    lambda name: st.lists(notices(name), min_size=1, max_size=3).map(Superevent.from_notices)
)


CROWD_IDS = tuple(f"U{number:010}" for number in range(50))
CROWD = EventPeople(
    is_awaited=True,
    acknowledgements=tuple(
        Acknowledgement(user_id=user, since=datetime(2026, 1, 1, tzinfo=UTC)) for user in CROWD_IDS
    ),
    instruments=tuple(
        InstrumentShare(instrument=f"<!here> & *{number}* {'x' * 80}", status=status, share=share)
        for number, (status, share) in enumerate(product(ObservationStatus, (0.0, 0.5, 1.0, None)))
    ),
    mute=Mute(user_id="U1", since=datetime(2026, 1, 1, tzinfo=UTC)),
)
"""More people, and longer names, than any channel has."""


# No shrinking: notices are large, and the failure message already shows the offending text.
@pytest.mark.slow
@settings(
    max_examples=60,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow],
)
@given(superevents, st.lists(outcomes, max_size=8).map(tuple))
def test_every_message_is_sound(
    check: Callable[[Message], Message], superevent: Superevent, grades: tuple[GradeOutcome, ...]
) -> None:
    root = alert_card.alert_card(superevent, ChannelView(is_root=True, grades=grades))
    assert all(len(str(block["text"]["text"]).split("\n")) <= 10 for block in root.blocks if "text" in block)
    messages = [alert_card.alert_card(superevent, ChannelView(grades=grades)), root]
    busy = ChannelView(is_root=True, grades=grades, people=CROWD, observers=CROWD_IDS)
    messages.append(alert_card.alert_card(superevent, busy))
    messages += [
        alert_update.alert_update(superevent, notice, grades_before=grades[:4], grades=grades[2:])
        for notice in superevent.notices
    ]
    messages.append(
        recent.message(
            recent.RecentEvents([superevent] * recent.MAX_EVENTS), datetime(2026, 1, 1, tzinfo=UTC)
        )
    )
    messages.append(event_history.message(superevent, datetime(2026, 1, 1, tzinfo=UTC)))
    for message in messages:
        check(message)
        # No classifier is certain; what is exact is said in other words.
        assert not re.search(r"(?<![\d.,])(0|100)\s?%", message_text.render(message) + message.text)
        assert superevent.superevent_id in message_text.render(message) or message is not messages[0]
        assert mrkdwn.utf16_length(message_text.fallback_text(message)) <= mrkdwn.TEXT_MAX
    for notice in superevent.notices:
        assert notice_text.to_text(notice)
