"""Synthetic notices, and the checks that every message must pass."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import slackblocks

from formatters.blockkit import mrkdwn
from formatters.blockkit.message import Message
from formatters.models.notice import (
    Distance,
    Event,
    ExternalCoincidence,
    Localization,
    MassBins,
    Notice,
    Region,
)

GOLDEN = Path(__file__).parent / "golden"
View = dict[str, Any]
EVENT_TIME = datetime(2024, 11, 26, 2, 10, 46, 654_000, tzinfo=UTC)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--record-golden",
        action="store_true",
        help="write the golden messages anew instead of comparing (then read the diff)",
    )


def event(**changes: Any) -> Event:
    given: dict[str, Any] = {
        "time": EVENT_TIME,
        "far": 9.11069936486e-14,
        "significant": True,
        "instruments": ("H1", "L1", "V1"),
        "group": "CBC",
        "pipeline": "gstlal",
        "search": "AllSky",
        "classification": {"BNS": 0.95, "NSBH": 0.01, "BBH": 0.03, "Terrestrial": 0.01},
        "properties": {"HasNS": 0.95, "HasRemnant": 0.91, "HasMassGap": 0.01},
        "duration": None,
        "central_frequency": None,
    }
    return Event(**(given | changes))


def localization(**changes: Any) -> Localization:
    ra, dec = changes.get("ra", 194.30419921874997), changes.get("dec", -17.856895095545468)
    area = changes.get("area_90", 30.97986)
    distance = changes.get("distance", Distance(mean=39.76999609489013, std=8.308435058808886))
    given: dict[str, Any] = {
        "ra": ra,
        "dec": dec,
        "area_50": 8.900583,
        "area_90": area,
        "regions": (Region(ra=ra, dec=dec, area=area, probability=0.9),),
        "pieces_50": 1,
        "distance": distance,
        "peak_distance": distance,
    }
    return Localization(**(given | changes))


def wide(**changes: Any) -> Localization:
    """Return a localization with two lobes and scattered small regions, typical of one or two detectors."""
    regions = (
        Region(ra=90.8, dec=-20.1, area=5600.0, probability=0.59),
        Region(ra=216.3, dec=56.2, area=3900.0, probability=0.307),
        Region(ra=12.0, dec=3.0, area=74.0, probability=0.003),
    )
    distance = Distance(mean=1974.153, std=583.237)
    given: dict[str, Any] = {
        "ra": 90.8,
        "dec": -19.2,
        "area_50": 2344.6,
        "area_90": 9574.2,
        "regions": regions,
        "pieces_50": 2,
        "distance": distance,
        "peak_distance": distance,
    }
    return localization(**(given | changes))


def swift(**changes: Any) -> ExternalCoincidence:
    given: dict[str, Any] = {
        "observatory": "Swift",
        "search": "SubGRBTargeted",
        "gcn_notice_id": "754189311",
        "ivorn": "ivo://lvk.internal/swift#targeted_subthreshold-2024-11-25T01:01:17.026Z",
        "time_difference": 0.25,
        "time_coincidence_far": 1.4958830611323357e-10,
        "time_sky_position_coincidence_far": 1.2418992783582145e-10,
        "localization": wide(
            ra=56.0,
            dec=72.0,
            area_90=873.3,
            area_50=208.0,
            regions=(
                Region(ra=225.8, dec=-48.1, area=700.0, probability=0.75),
                Region(ra=300.0, dec=11.0, area=170.0, probability=0.144),
                Region(ra=56.0, dec=72.0, area=3.3, probability=0.006),
            ),
        ),
        "overlap": 0.88,
    }
    return ExternalCoincidence(**(given | changes))


def notice(alert_type: str = "PRELIMINARY", minutes: float = 12.05, **changes: Any) -> Notice:
    superevent_id = changes.get("superevent_id", "S241126dm")
    created = (EVENT_TIME + timedelta(minutes=minutes)).replace(microsecond=0)
    retraction = alert_type == "RETRACTION"
    given: dict[str, Any] = {
        "superevent_id": superevent_id,
        "alert_type": alert_type,
        "time_created": created,
        "urls": {"gracedb": f"https://gracedb.ligo.org/superevents/{superevent_id}/view/"},
        "event": None if retraction else event(),
        "external": None,
        "localization": None if retraction else localization(),
        "received": created + timedelta(seconds=0.3),
    }
    return Notice(**(given | changes))


def mass_bins() -> MassBins:
    return MassBins(bin_edges=(1.0, 1.1, 1.2, 1.3), probabilities=(0.09, 0.71, 0.2))


def validated(message: Message) -> Message:
    """Return the message after slackblocks and gwevent's own limits have accepted it."""
    blocks = [dict(block) for block in message.blocks]
    parsed = [_parsed({**block, "block_id": f"b{number}"}) for number, block in enumerate(blocks)]
    slackblocks.Message(channel="C0", text=message.text, blocks=parsed)
    # Nothing may be lost in a round trip: a key that the library doesn't know is our mistake.
    for block, again in zip(blocks, parsed, strict=True):
        written = json.loads(repr(again))
        del written["block_id"]
        assert _without_false(written) == _without_false(block)
    assert message.text
    assert mrkdwn.utf16_length(message.text) <= mrkdwn.TEXT_MAX
    assert "\u00a0" not in message.text
    total = sum(mrkdwn.utf16_length(text) for block in blocks for text in texts(block)) + mrkdwn.utf16_length(
        message.text
    )
    assert total <= mrkdwn.MESSAGE_TOTAL_MAX
    for block in blocks:
        for text in texts(block, "mrkdwn"):
            _well_formed(text, message.mentions)
    _well_formed(message.text, message.mentions)
    return message


def _parsed(block: dict[str, Any]) -> slackblocks.Block:
    # The library can't parse elements, tables and rich text yet, so they are built with it instead.
    if block["type"] == "table":
        assert {cell["type"] for row in block["rows"] for cell in row} == {"raw_text"}
        assert len({len(row) for row in block["rows"]}) == 1
        rows: list[Any] = [[slackblocks.RawText(cell["text"]) for cell in row] for row in block["rows"]]
        return slackblocks.TableBlock(rows=rows, block_id=block["block_id"])
    if block["type"] == "rich_text":
        (element,) = block["elements"]
        words: list[Any] = [slackblocks.RichText(part["text"]) for part in element["elements"]]
        return slackblocks.RichTextBlock([slackblocks.RichTextCodeBlock(words)], block_id=block["block_id"])
    if block["type"] != "actions":
        return slackblocks.Block.from_dict(block)
    known = {"type", "text", "action_id", "url", "value", "confirm", "style"}
    buttons: list[slackblocks.Element] = []
    for element in block["elements"]:
        if element["type"] == "overflow":
            buttons.append(_overflow(element))
            continue
        assert element["type"] == "button"
        assert set(element) <= known
        given = {key: element[key] for key in known - {"type", "text", "confirm"} if key in element}
        if "confirm" in element:
            parts: dict[str, Any] = {
                part: slackblocks.Text.from_dict(text) for part, text in element["confirm"].items()
            }
            given["confirm"] = slackblocks.ConfirmationDialogue(**parts)
        buttons.append(slackblocks.Button(text=slackblocks.Text.from_dict(element["text"]), **given))
    return slackblocks.ActionsBlock(elements=buttons, block_id=block["block_id"])


def _overflow(element: dict[str, Any]) -> slackblocks.OverflowMenu:
    assert set(element) == {"type", "action_id", "options"}
    assert 2 <= len(element["options"]) <= 5
    options = []
    for option in element["options"]:
        assert set(option) <= {"text", "value", "url"}
        options.append(
            slackblocks.Option(
                text=slackblocks.Text.from_dict(option["text"]), value=option["value"], url=option.get("url")
            )
        )
    return slackblocks.OverflowMenu(action_id=element["action_id"], options=options)


def _well_formed(text: str, mentions: tuple[str, ...]) -> None:
    """Assert that every "&" begins an entity, and every "<" a complete link, mention or date.

    Assert that only the expected mentions notify the whole channel.
    """
    for rest in text.split("&")[1:]:
        assert rest.startswith(("amp;", "lt;", "gt;")), text
    opened = text.split("<")[1:]
    known = ("http://", "https://", "@", "!date^", "!subteam^", *(target[1:] for target in mentions))
    assert all(rest.startswith(known) and ">" in rest for rest in opened), text
    assert text.count("<") == text.count(">"), text


def texts(value: Any, kind: str | None = None) -> list[str]:
    """Return all texts of a block, or those of one kind."""
    if isinstance(value, dict):
        if value.get("type") in ("mrkdwn", "plain_text", "raw_text"):
            return [value["text"]] if kind in (None, value["type"]) else []
        if value.get("type") == "text":
            return [value["text"]] if kind is None else []
        return [text for item in value.values() for text in texts(item, kind)]
    if isinstance(value, list):
        return [text for item in value for text in texts(item, kind)]
    return []


def _without_false(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_false(item) for key, item in value.items() if item is not False}
    return [_without_false(item) for item in value] if isinstance(value, list) else value


@pytest.fixture(scope="session")
def make_event() -> Callable[..., Event]:
    return event


@pytest.fixture(scope="session")
def make_map() -> Callable[..., Localization]:
    return localization


@pytest.fixture(scope="session")
def make_wide_map() -> Callable[..., Localization]:
    return wide


@pytest.fixture(scope="session")
def make_swift() -> Callable[..., ExternalCoincidence]:
    return swift


@pytest.fixture(scope="session")
def make_notice() -> Callable[..., Notice]:
    return notice


@pytest.fixture(scope="session")
def check() -> Callable[[Message], Message]:
    """Return the function that validates a message and returns it."""
    return validated


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, Message | View], None]:
    """Return the function that compares a message or a view with its golden file, or records it."""
    record = request.config.getoption("--record-golden", default=False)

    def compare(name: str, message: Message | View) -> None:
        path = GOLDEN / f"{name}.json"
        shown: View = (
            {"text": message.text, "blocks": [dict(block) for block in message.blocks]}
            if isinstance(message, Message)
            else message
        )
        written = json.dumps(shown, ensure_ascii=False, indent=2) + "\n"
        if record:
            path.write_text(written, encoding="utf-8")
        assert path.is_file(), f"{path.name} is missing: run pytest tests/formatters --record-golden"
        assert json.loads(path.read_text(encoding="utf-8")) == json.loads(written)

    return compare


@pytest.fixture(scope="session")
def stories() -> dict[str, list[Notice]]:
    """Return sequences of notices for superevents of every kind, in order."""
    burst = event(
        group="Burst",
        pipeline="CWB",
        classification={},
        properties={},
        duration=0.0013956958745169087,
        central_frequency=487.32952931440246,
        far=1.3e-9,
        instruments=("H1", "L1"),
    )
    ssm = event(
        pipeline="MBTA",
        search="SSM",
        classification={},
        properties={"HasSSM": 0.999, "HasNS": 0.88, "HasMassGap": 0.12},
        far=3.0e-5,
        instruments=("H1", "L1"),
    )
    cwb = event(
        pipeline="CWB",
        search="BBH",
        classification={"BBH": 0.97, "Terrestrial": 0.03},
        properties={},
        duration=0.031,
        central_frequency=92.0,
        far=4.4e-9,
    )
    early = event(
        pipeline="spiir",
        search="EarlyWarning",
        far=4.214686555314984e-08,
        instruments=("H1", "L1"),
        classification={"BNS": 0.926, "NSBH": 0.0628, "BBH": 0.0, "Terrestrial": 0.0111},
        properties={"HasNS": 1.0, "HasRemnant": 1.0, "HasMassGap": 0.5213},
    )
    early_map = localization(
        area_90=3026.3,
        area_50=233.2,
        distance=Distance(mean=65.808, std=41.65),
        peak_distance=Distance(mean=48.2, std=10.9),
        log_bci=-1.6,
    )
    bbh = event(
        classification={"BBH": 0.99999, "BNS": 0.0, "NSBH": 0.0, "Terrestrial": 1.1e-5},
        properties={"HasNS": 0.0, "HasRemnant": 0.0, "HasMassGap": 0.0},
        far=9.502637526731553e-10,
        pipeline="pycbc",
    )
    low = event(
        significant=False,
        far=6.1e-6,
        classification={"Terrestrial": 0.83, "BBH": 0.11, "NSBH": 0.03, "BNS": 0.03},
        properties={"HasNS": 0.34, "HasRemnant": 0.11, "HasMassGap": 0.22},
    )
    mock: dict[str, Any] = {
        "superevent_id": "MS181101ab",
        "event": event(search="MDC", mchirp_source=mass_bins()),
    }
    far_map = wide(area_90=2176.2, area_50=610.0, distance=Distance(mean=112.0, std=31.0))
    near_map = localization(ra=188.0, dec=9.0, area_90=161.2, area_50=40.0)
    fermi = swift(
        observatory="Fermi", search="GRB", time_difference=1.74, localization=localization(ra=190.0)
    )
    return {
        "bns": [
            notice("EARLYWARNING", 0.32, event=early, localization=early_map),
            notice(event=replace(event(), mchirp_source=mass_bins())),
            notice("PRELIMINARY", 16.6, event=replace(event(), mchirp_source=mass_bins())),
            notice("INITIAL", 60, event=event(pipeline="SGNL"), external=fermi),
            notice("UPDATE", 600, event=event(far=1.14e-41), localization=localization(area_90=12.0)),
            notice("RETRACTION", 700),
            notice("UPDATE", 800, event=bbh, localization=wide()),
        ],
        "mock": [
            notice(**mock),
            notice("INITIAL", 22, **mock),
            notice("RETRACTION", 30, superevent_id="MS181101ab"),
        ],
        "test": [notice(superevent_id="TS241126a")],
        "raven": [
            notice("INITIAL", 181, event=bbh, localization=wide()),
            notice("UPDATE", 1022, event=bbh, localization=wide(area_90=1956.9), external=swift()),
        ],
        "burst": [notice(event=burst, localization=wide(distance=None, peak_distance=None))],
        "ssm": [
            notice(event=replace(ssm, significant=False), localization=far_map),
            notice(
                "PRELIMINARY",
                20,
                event=ssm,
                localization=far_map,
                external=swift(time_difference=1.27, localization=near_map, overlap=0.04),
            ),
        ],
        "cwb_bbh": [notice(event=cwb, localization=wide(distance=None, peak_distance=None))],
        "low_significance": [notice(event=low, localization=wide())],
        "one_detector": [notice(event=replace(bbh, instruments=("L1",)), localization=wide())],
        "unknown_search": [
            notice(event=event(search="Foo_Bar <&>", pipeline="*new*", classification={}, properties={}))
        ],
        "map_problem": [notice(localization=None, map_problem="The table ends after 12 of 19200 rows.")],
        "no_map": [notice(localization=None)],
        "bare": [notice(event=None, localization=None)],
        "retraction_only": [notice("RETRACTION", 30)],
        "unknown_type": [notice("REVIEW", 30, event=bbh)],
    }
