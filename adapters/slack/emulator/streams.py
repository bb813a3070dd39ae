"""Owns native streaming: chat.startStream, appendStream and stopStream, their chunks, and how a stream dies."""

from typing import Any

from .assistant import set_session_status
from .blocks import check_blocks
from .chat import MARKDOWN_MAX, authorship, check_thread, own_message, read_blocks, read_metadata, target
from .mrkdwn import from_markdown
from .registry import Call, SlackError, method
from .unfurls import unfurl
from .workspace import Json, Message, Stream

LIFE_S = 300.0
"""A stream dies five minutes after its start, even while it grows. Field observation: python-slack-sdk issue 1859."""
TASK_TEXT_MAX = 256
TASKS_MAX = 50
TASK_STATUSES = ("pending", "in_progress", "complete", "error")


@method("chat.startStream", "chat:write", tier="t2")
def start_stream(call: Call) -> Json:
    """Begin a streamed message in a thread. Source: Slack, chat.startStream."""
    channel = target(call)
    if not call.text("thread_ts", required=False):
        raise SlackError("invalid_arguments", messages=["[ERROR] missing required field: thread_ts"])
    thread_ts = check_thread(call, channel)
    if channel.kind != "im":
        _check_recipient(call)
    mode = call.text("task_display_mode", required=False) or "timeline"
    if mode not in ("timeline", "plan", "dense"):
        raise SlackError("invalid_arguments", messages=["[ERROR] must be a valid enum value: task_display_mode"])
    chunks = read_chunks(call)
    user, team = (call.text(f"recipient_{name}_id", required=False) or None for name in ("user", "team"))
    message = Message(call.desk.world.ids.ts(), channel.id, call.me, thread_ts=thread_ts, **authorship(call))
    message.stream = Stream(call.desk.world.clock.now(), user, team, mode)
    message.markdown = ""
    apply_chunks(message, chunks)
    message.extra = {"streaming_state": "in_progress"}
    unfurl(call, message)
    call.desk.timeline.add(message)
    return {"channel": channel.id, "ts": message.ts}


@method("chat.appendStream", "chat:write", tier="t4")
def append_stream(call: Call) -> Json:
    """Add to a streamed message. Source: Slack, chat.appendStream."""
    message, chunks = _streaming(call), read_chunks(call)
    if not chunks:
        raise SlackError("no_text")
    apply_chunks(message, chunks)
    unfurl(call, message)
    call.desk.timeline.touch(message)
    return {"channel": message.channel, "ts": message.ts}


@method("chat.stopStream", "chat:write", tier="t2")
def stop_stream(call: Call) -> Json:
    """Finish a streamed message, with blocks under it. Source: Slack, chat.stopStream."""
    message = _streaming(call)
    chunks, blocks, metadata = read_chunks(call), read_blocks(call), read_metadata(call)
    status = call.text("session_status", required=False)
    apply_chunks(message, chunks)
    if status:
        set_session_status(call, message.channel, message.thread_ts or message.ts, status)
    message.metadata = metadata
    finish(call, message, blocks)
    return {"channel": message.channel, "ts": message.ts}


def finish(call: Call, message: Message, blocks: list[Json]) -> None:
    """End the stream: from now on the message is as any other."""
    assert message.stream is not None
    message.stream.live = False
    message.extra = {}
    message.blocks = [*content_blocks(message.stream), *blocks]
    unfurl(call, message)
    call.desk.timeline.change(message, None)


def _streaming(call: Call) -> Message:
    """The app's own message that still streams. Raises `message_not_in_streaming_state` when it does not."""
    message = own_message(call, call.channel(), "message_not_owned_by_app")
    if message.stream is None:
        raise SlackError("message_not_in_streaming_state")
    if message.stream.live and call.desk.world.clock.now() - message.stream.started_at >= LIFE_S:
        message.stream.live = False
        call.desk.timeline.touch(message)
    if not message.stream.live:
        raise SlackError("message_not_in_streaming_state")
    return message


def _check_recipient(call: Call) -> None:
    for name in ("team", "user"):
        if not call.text(f"recipient_{name}_id", required=False):
            raise SlackError(f"missing_recipient_{name}_id")
    if call.args["recipient_user_id"] not in call.desk.world.users:
        raise SlackError("invalid_recipient_user_id")


# -- chunks


def read_chunks(call: Call) -> list[Json]:
    """`chunks`, or `markdown_text` as one chunk, checked. Raises `invalid_chunks`, `msg_too_long`, `invalid_blocks`."""
    chunks: Any = call.structure("chunks", "invalid_chunks") or []
    markdown = call.args.get("markdown_text")
    if markdown and chunks:
        raise SlackError("markdown_text_conflict")
    if markdown:
        chunks = [{"type": "markdown_text", "text": str(markdown)}]
    if not isinstance(chunks, list):
        raise SlackError("invalid_chunks")
    for chunk in chunks:
        _check_chunk(chunk)
    return chunks


def _check_chunk(chunk: Any) -> None:
    kind = chunk.get("type") if isinstance(chunk, dict) else None
    if kind == "markdown_text" and isinstance(chunk.get("text"), str):
        if len(chunk["text"]) > MARKDOWN_MAX:
            raise SlackError("msg_too_long")
    elif kind == "task_update":
        _check_task(chunk)
    elif kind == "plan_update" and isinstance(chunk.get("title"), str):
        _check_length(chunk, "title")
    elif kind == "blocks":
        if problems := check_blocks(chunk.get("blocks")):
            raise SlackError("invalid_blocks", messages=problems)
    else:
        raise SlackError("invalid_chunks", messages=[f"[ERROR] unsupported chunk: {kind}"])


def _check_task(chunk: Json) -> None:
    for name in ("id", "title"):
        if not chunk.get(name):
            raise SlackError("invalid_chunks", messages=[f"[ERROR] missing required field: {name}"])
    if chunk.get("status") not in TASK_STATUSES:
        raise SlackError("invalid_chunks", messages=["[ERROR] must be a valid enum value: status"])
    for name in ("title", "details", "output"):
        _check_length(chunk, name)


def _check_length(chunk: Json, name: str) -> None:
    if len(str(chunk.get(name) or "")) > TASK_TEXT_MAX:
        raise SlackError(
            "invalid_chunks", messages=[f"[ERROR] must be less than {TASK_TEXT_MAX + 1} characters: {name}"]
        )


def apply_chunks(message: Message, chunks: list[Json]) -> None:
    """Write chunks onto the message. Raises `msg_too_long` when all its Markdown together is too long."""
    assert message.stream is not None
    stream, added = message.stream, "".join(chunk["text"] for chunk in chunks if chunk["type"] == "markdown_text")
    if len(message.markdown or "") + len(added) > MARKDOWN_MAX:
        raise SlackError("msg_too_long")
    tasks = {chunk["id"] for chunk in chunks if chunk["type"] == "task_update"} | set(stream.tasks)
    if len(tasks) > TASKS_MAX:
        raise SlackError("invalid_chunks", messages=[f"[ERROR] no more than {TASKS_MAX} tasks allowed"])
    for chunk in chunks:
        _apply(stream, chunk)
    stream.appends += 1
    message.markdown = (message.markdown or "") + added
    message.text = from_markdown(message.markdown)


def _apply(stream: Stream, chunk: Json) -> None:
    if chunk["type"] == "markdown_text":
        _join(stream, chunk["text"])
    elif chunk["type"] == "task_update":
        _merge_task(stream, chunk)
    elif chunk["type"] == "plan_update":
        stream.plan_title = chunk["title"]
    else:
        stream.parts.append(chunk)


def _join(stream: Stream, text: str) -> None:
    if stream.parts and stream.parts[-1]["type"] == "markdown_text":
        stream.parts[-1]["text"] += text
    else:
        stream.parts.append({"type": "markdown_text", "text": text})


def _merge_task(stream: Stream, chunk: Json) -> None:
    """Details sent twice for one task are appended without a separator. Field observation."""
    task = stream.tasks.get(chunk["id"])
    if task is None:
        stream.tasks[chunk["id"]] = dict(chunk)
        stream.parts.append({"type": "task", "id": chunk["id"]})
        return
    details = (task.get("details") or "") + (chunk.get("details") or "")
    task.update({key: value for key, value in chunk.items() if value is not None})
    if details:
        task["details"] = details


def content_blocks(stream: Stream) -> list[Json]:
    """The blocks that a stream amounts to: its Markdown, tasks and blocks in their order."""
    cards = {name: _task_card(task) for name, task in stream.tasks.items()}
    blocks: list[Json] = []
    if stream.task_display_mode == "plan" and cards:
        blocks.append({"type": "plan", "title": stream.plan_title or "Plan", "tasks": list(cards.values())})
    for part in stream.parts:
        if part["type"] == "markdown_text":
            blocks.append({"type": "markdown", "text": part["text"]})
        elif part["type"] == "blocks":
            blocks += part["blocks"]
        elif stream.task_display_mode != "plan":
            blocks.append(cards[part["id"]])
    return blocks


def _task_card(task: Json) -> Json:
    card = {"type": "task_card", "task_id": task["id"], "title": task["title"], "status": task["status"]}
    return card | {name: task[name] for name in ("details", "output", "sources") if task.get(name)}
