"""Notices of files as a channel would receive them, for `gwevent show` and `gwevent preview`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from bot.alerts.decode import UndecodablePayload, decode
from bot.skymap_service.overlap import probability_in_previous_region
from bot.sources.files import MAX_FILE_BYTES, why_not_a_notice
from formatters.blockkit.message import Message
from formatters.models import significance
from formatters.models.notice import Notice, NoticeKey
from formatters.models.superevent import Superevent
from formatters.posts import alert_card, alert_update
from formatters.posts.channel_view import ChannelView
from formatters.terminal import message_text


class PreviewError(ValueError):
    """A notice can't be shown. The text is one sentence."""


def decode_file(file: Path) -> Notice:
    """Decode the notice of a file. Raises PreviewError."""
    try:
        with file.open("rb") as opened:
            body = opened.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise PreviewError(f"{file} can't be read: {error.strerror}.") from error
    if len(body) > MAX_FILE_BYTES:
        raise PreviewError(
            f"{file} is no notice that can be read: it has more than {MAX_FILE_BYTES:,} bytes."
        )
    try:
        return decode(body)
    except UndecodablePayload as error:
        reason = (why_not_a_notice(body) or error.reason).removesuffix(".")
        raise PreviewError(f"{file} is no notice that can be read: {reason}.") from error


def build_superevent(notices: Sequence[Notice]) -> Superevent:
    """Return the superevent of the notices. Raises PreviewError if they belong to several."""
    try:
        return Superevent.from_notices(notices)
    except ValueError as error:
        raise PreviewError(str(error)) from error


def render_messages(superevent: Superevent, paths: Mapping[NoticeKey, Path], *, as_json: bool) -> str:
    """Return the root message and the replies as text or JSON; `paths` has the file of each notice."""

    def reply(notice: Notice) -> Message:
        before = significance.comparison_notice(superevent, notice)
        if before is None or before.localization == notice.localization:
            return alert_update.alert_update(superevent, notice)
        kept = probability_in_previous_region(paths[before.key].read_bytes(), paths[notice.key].read_bytes())
        return alert_update.alert_update(superevent, notice, kept)

    found = [
        alert_card.alert_card(superevent, ChannelView(is_root=True)),
        *map(reply, superevent.notices[1:]),
    ]
    if as_json:
        blocks = [{"text": message.text, "blocks": list(message.blocks)} for message in found]
        return json.dumps(blocks, ensure_ascii=False, indent=2)
    rendered = [
        f"push   {message_text.notification_text(message)}\n\n{message_text.render(message)}"
        for message in found
    ]
    return "\n\n--- in the thread ---\n\n".join(rendered)


def write_image(superevent: Superevent, newest: Path, out: Path | None) -> str:
    """Write the newest notice's sky map as PNG, and return its alt text. Raises PreviewError."""
    from bot.alerts.decode import extract_sky_maps
    from bot.skymap_service.image_process import ImageFailed, draw_in_process
    from bot.skymaps.errors import UnreadableMap

    if out is None:
        raise PreviewError("A picture needs a file: name it with -o.")
    try:
        drawn = draw_in_process(superevent, *extract_sky_maps(newest.read_bytes()))
        out.write_bytes(drawn.png)
    except UnreadableMap as error:
        raise PreviewError(error.reason) from error
    except ImageFailed as error:
        raise PreviewError(error.reason) from error
    except OSError as error:
        raise PreviewError(f"{error.filename} can't be read or written: {error.strerror}.") from error
    return drawn.alt_text
