"""The checks of the Treasure Map: does it answer, does it take the token, can its answers be read?"""

from __future__ import annotations

from bot.doctor.live_report import LiveReport
from bot.settings import Settings
from bot.treasure_map.client import TokenRefused, TreasureMap, TreasureMapError
from bot.treasure_map.conversion import parse_footprint, parse_instruments, parse_pointings
from formatters.terminal.findings import Finding, Level

NAME = "Treasure Map"
KNOWN_INSTRUMENT = "ZTF"
"""Asked for by name, since the whole list is long."""
OBSERVED_EVENT = "S251112cm"
"""An event at which several groups pointed."""


async def check_treasure_map(settings: Settings) -> list[Finding]:
    """Ask for one instrument with the token; return no finding if the settings don't have it read."""
    if settings.treasuremap_token is None or settings.treasuremap_url is None:
        return []
    client = TreasureMap(settings.treasuremap_url, settings.treasuremap_token.get_secret_value())
    try:
        parse_instruments(await client.instruments(name=KNOWN_INSTRUMENT))
    except TokenRefused as error:
        todo = (
            "Copy the API token of your account's page at treasuremap.space to GWEVENT_TREASUREMAP_TOKEN, and"
            " restart; until then coverage knows the channel's own observations only."
        )
        return [Finding(NAME, Level.WARN, str(error), todo)]
    except TreasureMapError as error:
        todo = (
            "Others' pointings aren't known until it answers. Check the network and GWEVENT_TREASUREMAP_URL,"
            " or set it to off."
        )
        return [Finding(NAME, Level.WARN, str(error), todo)]
    finally:
        await client.close()
    return [Finding(NAME, Level.OK, f"answers at {settings.treasuremap_url}, and takes the token.")]


async def try_treasure_map(settings: Settings, report: LiveReport) -> None:
    """Read an instrument, its field of view and the pointings of a past event; the first is recorded."""
    if settings.treasuremap_token is None or settings.treasuremap_url is None:
        return
    client = TreasureMap(settings.treasuremap_url, settings.treasuremap_token.get_secret_value())
    try:
        listed = await client.instruments(name=KNOWN_INSTRUMENT)
        report.record("GET instruments", listed)
        instruments = parse_instruments(listed)
        for instrument in instruments[:1]:
            detectors = await client.footprints(instrument.id)
            report.record("GET footprints", detectors[:1] if isinstance(detectors, list) else detectors)
            if not parse_footprint(detectors, instrument.id):
                found = f"the field of view of {KNOWN_INSTRUMENT} can't be read."
                report.add(NAME, Level.WARN, found, "Please file an issue with the recorded answers.")
        answer = await client.pointings(OBSERVED_EVENT)
        report.record("GET pointings", _first_without_person(answer))
        pointings = parse_pointings(answer)
    except TreasureMapError as error:
        report.add(NAME, Level.WARN, str(error), "Others' pointings aren't known until it answers.")
        return
    finally:
        await client.close()
    read = f"{len(pointings.by_key)} pointings of {OBSERVED_EVENT} read"
    if pointings.unusable:
        todo = "Please file an issue with the recorded answers."
        report.add(NAME, Level.WARN, f"{read}, {pointings.unusable} can't be.", todo)
        return
    report.add(NAME, Level.OK, f"{read}; {len(instruments)} instruments are called {KNOWN_INSTRUMENT}.")


def _first_without_person(answer: object) -> object:
    """Return the first entry of a list, without who submitted it; anything else as it is."""
    if not isinstance(answer, list):
        return answer
    persons = ("username", "submitterid")
    return [
        {key: value for key, value in entry.items() if key not in persons}
        for entry in answer[:1]
        if isinstance(entry, dict)
    ]
