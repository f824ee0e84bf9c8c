"""Answer to `candidates export csv`: all counterpart candidates as comma-separated values."""

from __future__ import annotations

from collections.abc import Sequence

from formatters.answers.candidates import CandidateRow
from formatters.answers.event_details import MAX_CODE_CHARS
from formatters.blockkit import blocks
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import bold, escape
from formatters.models.superevent import Superevent
from formatters.posts import alert_card
from formatters.text import quantities
from formatters.text.csv_lines import csv_line, csv_text

_HEADER = (
    *("name", "aliases", "kind", "decision", "decided_at", "ra_deg", "dec_deg", "radius_deg"),
    *("credible_level", "credible_level_3d", "in_90", "redshift", "redshift_error"),
    *("host_distance_mpc", "host_distance_sd_mpc", "line_of_sight_mpc", "line_of_sight_sd_mpc"),
    *("distance_sd", "seen_after_merger_s", "sources"),
)


def message(
    superevent: Superevent, rows: Sequence[CandidateRow], limit: int | None = MAX_CODE_CHARS
) -> Message:
    """Return the candidates in their order, as many whole lines as `limit` characters hold."""
    title = " ".join([*alert_card.status_labels(superevent), superevent.superevent_id])
    title = f"{title}: {quantities.pluralize(len(rows), 'counterpart candidate')} as a table"
    lines = [csv_line(_HEADER)]
    left = None if limit is None else limit - len(lines[0])
    for row in rows:
        line = csv_line(_values(row))
        if left is not None:
            left -= len(line) + 1
            if left < 0:
                break
        lines.append(line)
    shown = len(lines) - 1
    cut = []
    if shown < len(rows):
        cut = [blocks.context(f"The first {quantities.number(shown)} are shown: kept first, rejected last.")]
    return blocks.message(
        escape(f"{title}."), blocks.section(bold(escape(title))), blocks.code("\n".join(lines)), *cut
    )


def _values(row: CandidateRow) -> list[object]:
    one, position, place = row.candidate, row.candidate.position, row.candidate.on_map
    along = None if place is None else place.distance
    kind = "neutrino" if one.is_neutrino else "gamma rays" if one.is_burst else ""
    has_host = not kind and row.host is not None
    return [
        csv_text(one.name),
        csv_text(" ".join(alias.replace(" ", "_") for alias in one.aliases)),
        kind,
        *(
            [None, None]
            if one.decision is None
            else [one.decision.decision.value, quantities.iso(one.decision.at)]
        ),
        quantities.right_ascension_degrees(position.ra, 6),
        quantities.declination_degrees(position.dec, 6),
        position.radius,
        *(
            [None] * 3
            if place is None
            else [place.credible_level, place.credible_level_3d, str(place.in_90).lower()]
        ),
        position.redshift,
        position.redshift_error,
        *([row.host.mean, row.host.std] if has_host and row.host is not None else [None] * 2),
        *([None] * 2 if along is None else [along.mean, along.std]),
        one.distance_sigmas,
        None if one.offset is None else one.offset.total_seconds(),
        csv_text("; ".join(dict.fromkeys(source.label or "added here" for source in one.sources))),
    ]
