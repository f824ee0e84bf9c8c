"""The Web API methods `files.*`: upload URL and completion; a file becomes ready later, as on Slack."""

from __future__ import annotations

import secrets

from bot.local_slack.errors import ApiError, Json
from bot.local_slack.web_api.arguments import MethodCall
from bot.local_slack.web_api.chat import writable_channel
from bot.local_slack.workspace import Draft, File

_MAGIC = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"))


def mimetype(content: bytes) -> str:
    """Return a file's MIME type, recognized by its first bytes."""
    return next((kind for magic, kind in _MAGIC if content.startswith(magic)), "application/octet-stream")


def get_upload_url(call: MethodCall) -> Json:
    """Handle `files.getUploadURLExternal`."""
    name, length = call.require("filename"), call.get("length")
    if not length.isdigit() or int(length) == 0:
        raise ApiError("invalid_arguments", response_metadata={"messages": ["[ERROR] invalid length"]})
    if int(length) > 1_000_000_000:
        raise ApiError("file_upload_size_restricted")
    if len(call.get("alt_txt")) > 1000:
        raise ApiError("alt_txt_too_large")
    workspace = call.workspace
    file = File(
        workspace.new_id("F"),
        name,
        workspace.bot.id,
        int(length),
        secrets.token_urlsafe(24),
        alt_text=call.get("alt_txt"),
        title=name,
        created=int(workspace.clock()),
    )
    workspace.files[file.id] = file
    return {"upload_url": f"{call.base_url}/upload/v1/{file.id}/{file.secret}", "file_id": file.id}


def complete_upload(call: MethodCall) -> Json:
    """Handle `files.completeUploadExternal`: share the file in the given channels, or keep it private."""
    workspace = call.workspace
    wanted = call.json_value("files", "invalid_arguments")
    if not isinstance(wanted, list) or not wanted or not all(isinstance(item, dict) for item in wanted):
        raise ApiError("invalid_arguments", response_metadata={"messages": ["[ERROR] invalid files"]})
    files = []
    for item in wanted:
        file = workspace.files.get(str(item.get("id")))
        if file is None or file.content is None or file.completed:
            raise ApiError("file_not_found")
        files.append(file)
    names = [name for name in (call.get("channel_id"), *call.get("channels").split(",")) if name]
    if len(names) > 100:
        raise ApiError("channels_limit_exceeded")
    thread_ts = call.get("thread_ts") or None
    if thread_ts is not None and len(names) != 1:
        raise ApiError("invalid_arguments", response_metadata={"messages": ["[ERROR] one channel only"]})
    channels = [writable_channel(call, name) for name in names]
    for channel in channels:
        if workspace.bot.id not in channel.members:
            raise ApiError("not_in_channel")
    for file, item in zip(files, wanted, strict=True):
        file.completed = True
        file.title = str(item.get("title") or file.name)
        file.channels = [channel.id for channel in channels]
    for channel in channels:
        workspace.post(
            Draft(
                channel.id,
                workspace.bot.id,
                call.get("initial_comment"),
                bot_id=workspace.bot_id,
                app_id=workspace.app_id,
                thread_ts=thread_ts,
                files=tuple(file.id for file in files),
            )
        )
    for file in files:
        call.settle_file(workspace, file)
    return {"files": [_file_json(call, file) for file in files]}


def _file_json(call: MethodCall, file: File) -> Json:
    """Return the file as the API shows it; its type is empty until the file is ready."""
    url = f"{call.base_url}/files-pri/{call.workspace.id}-{file.id}/{file.id}/{file.name}"
    return {
        "id": file.id,
        "created": file.created,
        "timestamp": file.created,
        "name": file.name,
        "title": file.title,
        "alt_txt": file.alt_text,
        "mimetype": file.mimetype if file.ready else "",
        "filetype": file.mimetype.partition("/")[2] if file.ready else "",
        "user": file.owner,
        "size": file.length,
        "is_public": any(not call.workspace.channels[channel].private for channel in file.channels),
        "channels": file.channels,
        "url_private": url,
        "permalink": f"{call.base_url}/files/{file.owner}/{file.id}/{file.name}",
    }


def info(call: MethodCall) -> Json:
    """Handle `files.info`."""
    file = call.workspace.files.get(call.require("file"))
    if file is None or not file.completed:
        raise ApiError("file_not_found")
    return {"file": _file_json(call, file), "comments": [], "response_metadata": {"next_cursor": ""}}


def delete(call: MethodCall) -> Json:
    """Handle `files.delete`, which deletes only the caller's own files."""
    workspace = call.workspace
    file = workspace.files.get(call.require("file"))
    if file is None or not file.completed:
        raise ApiError("file_not_found")
    if file.owner != workspace.bot.id:
        raise ApiError("cant_delete_file")
    del workspace.files[file.id]
    return {}
