"""Answers to `galaxies export csv` and `ds9`: the ranked galaxies as text to copy."""

from __future__ import annotations

from collections.abc import Sequence

from formatters.answers.event_details import MAX_CODE_CHARS
from formatters.answers.galaxies import csv_or_region_title
from formatters.answers.region_file import HEADER as DS9_HEADER
from formatters.blockkit import blocks
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import bold, escape
from formatters.models.galaxy import GalaxyRanking, RankedGalaxy
from formatters.models.superevent import Superevent
from formatters.posts import alert_card
from formatters.text import galaxy_lines, quantities
from formatters.text.csv_lines import csv_line, csv_text

CSV_HEADER = (
    *("rank", "name", "ra_deg", "dec_deg", "distance_mpc", "distance_sd_mpc", "share", "sum"),
    *("credible_level", "credible_level_3d", "log10_mass_msun", "mass_from", "magnitude"),
    "questionable_redshift",
)


def csv_message(
    superevent: Superevent,
    ranking: GalaxyRanking,
    limit: int | None = MAX_CODE_CHARS,
    made_on: Sequence[str] = (),
) -> Message:
    """Return the galaxies by rank, as many whole lines as `limit` characters hold; None is no limit.

    `made_on` are sentences about the map that they are ranked on.
    """
    total, lines = 0.0, []
    for one in ranking.galaxies:
        total += one.share
        lines.append(csv_line(_values(one, total)))
    return _message(superevent, ranking, "as a table", [csv_line(CSV_HEADER)], lines, limit, made_on)


def ds9_message(
    superevent: Superevent,
    ranking: GalaxyRanking,
    limit: int | None = MAX_CODE_CHARS,
    made_on: Sequence[str] = (),
) -> Message:
    """Return the galaxies as points of a DS9 region file, with rank and name."""
    lines = [
        f"point({quantities.right_ascension_degrees(one.galaxy.ra, 6)},"
        f"{quantities.declination_degrees(one.galaxy.dec, 6)}) # point=circle text={{{_ds9_text(one)}}}"
        for one in ranking.galaxies
    ]
    marks = alert_card.status_labels(superevent)
    event = " ".join([*marks, superevent.superevent_id]).encode("ascii", "replace").decode()
    head = [DS9_HEADER, f"# {' '.join(event.split())}: galaxies in the 90% volume, by rank", "icrs"]
    return _message(superevent, ranking, "for DS9", head, lines, limit, made_on)


def _message(
    superevent: Superevent,
    ranking: GalaxyRanking,
    form: str,
    head: Sequence[str],
    lines: Sequence[str],
    limit: int | None,
    made_on: Sequence[str],
) -> Message:
    title = csv_or_region_title(superevent, ranking, form)
    kept = list(head)
    left = None if limit is None else limit - sum(len(line) + 1 for line in head)
    for line in lines:
        if left is not None:
            left -= len(line) + 1
            if left < 0:
                break
        kept.append(line)
    shown = len(kept) - len(head)
    reason = ", as many as a message holds" if shown < len(lines) else ""
    notes = [blocks.context(escape(" ".join(made_on)))] if made_on else []
    if shown < ranking.total:
        share = quantities.percent(sum(one.share for one in ranking.galaxies[:shown]))
        words = f"The first {quantities.number(shown)} by rank are here{reason}: {share} of the ranking."
        notes.append(blocks.context(escape(words)))
    return blocks.message(
        escape(f"{title}."), blocks.section(bold(escape(title))), blocks.code("\n".join(kept)), *notes
    )


def _values(one: RankedGalaxy, total: float) -> list[object]:
    galaxy = one.galaxy
    return [
        one.rank,
        csv_text(galaxy.name),
        quantities.right_ascension_degrees(galaxy.ra, 6),
        quantities.declination_degrees(galaxy.dec, 6),
        galaxy.distance,
        galaxy.distance_error,
        one.share,
        total,
        one.level_2d,
        one.level_3d,
        f"{galaxy.log_mass:.2f}",
        galaxy.mass_source.name.lower(),
        galaxy.magnitude,
        str(galaxy.is_questionable).lower(),
    ]


def _ds9_text(one: RankedGalaxy) -> str:
    name = galaxy_lines.short_name(one.galaxy.name).encode("ascii", "replace").decode()
    # Braces end the text, and a line end the region.
    return f"{one.rank} {''.join(letter for letter in name if letter.isprintable() and letter not in '{}')}"
