"""Slash commands, buttons, message shortcuts and modals at Slack, as values. Pure.

None is said to be direct: people use them in direct messages among themselves too. `intake.py` asks Slack with whom one is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from adapters.slack import NAME, callback_ids
from adapters.slack.callback_ids import PREFIX, SHORTCUTS
from adapters.slack.parse_parts import (
    Payload,
    attachments,
    author,
    blocks_text,
    cards_text,
    forwards,
    message_text,
    moment,
    person_id,
    ref_of,
    workspace,
)
from bot.types import ACTIONS, Action, Address, Author, ButtonPress, Command, InboundMessage, Intent, Quoted

MAX_QUOTED = 1_800
"""Characters of a message that ride in a modal."""
MAX_FILES = 10
"""Of a message, that ride in a modal."""
FILE_FIELDS = ("id", "name", "mimetype", "filetype", "size", "subtype", "duration_ms")


def fingerprint(trigger: str) -> str:
    """What tells one use from another; the trigger itself, which opens a form for who has it, is not kept."""
    return hashlib.sha256(trigger.encode("utf-8", "surrogatepass")).hexdigest()[:32]


# --- Commands --------------------------------------------------------------------------------------------------------


def parse_command(body: Payload, names: Collection[str] = ()) -> Command:
    """A slash command; `/parley NAME …` is the command NAME, and `/parley` with other words asks."""
    name, text = _named_command(body, names)
    channel, user = (str(body.get(key) or "") for key in ("channel_id", "user_id"))
    trigger = fingerprint(str(body.get("trigger_id") or ""))
    ref = replace(ref_of(body, user, str(body.get("text") or "")), response_url=str(body.get("response_url") or ""))
    return Command(
        event_id=f"command:{trigger}",
        address=Address(NAME, workspace(body), channel),
        author=Author(person_id(user, workspace(body), workspace(body)), str(body.get("user_name") or "")),
        name=name,
        text=text,
        message_id=f"command:{trigger}",
        ref=ref.to_ref(),
    )


def _named_command(body: Payload, names: Collection[str]) -> tuple[str, str]:
    """The command's own name, and the words behind it."""
    name, text = str(body.get("command") or "").lstrip("/"), str(body.get("text") or "").strip()
    name = name.removeprefix(f"{PREFIX}-")
    if name != PREFIX:
        return name, text
    first, _, rest = text.partition(" ")
    known = first.lower().lstrip("/")
    return (known, rest.strip()) if known in names else ("ask" if text else "help", text)


# --- Buttons ---------------------------------------------------------------------------------------------------------


def parse_press(body: Payload) -> ButtonPress | None:
    """A button of ours under a reply; None for any other, and for those that open a modal."""
    pressed = first_action(body)
    prefix, _, name = str(pressed.get("action_id") or "").partition(":")
    value = str(pressed.get("value") or "")
    if name == "feedback":
        name, _, value = value.partition(" ")
    action = next((one for one in ACTIONS if one == name), None)
    if prefix != PREFIX or action is None or action == "edit_image":
        return None
    return _button_press(body, action, value)


def _button_press(body: Payload, action: Action, question: str, words: str = "") -> ButtonPress:
    container = body.get("container") or {}
    channel = str(container.get("channel_id") or (body.get("channel") or {}).get("id") or "")
    ts = str(container.get("message_ts") or "")
    thread = str(container.get("thread_ts") or (body.get("message") or {}).get("thread_ts") or "")
    user = body.get("user") or {}
    ref = replace(ref_of(body, str(user.get("id") or "")), response_url=str(body.get("response_url") or ""))
    return ButtonPress(
        event_id=f"press:{fingerprint(str(body.get('trigger_id') or ts))}:{action}",
        message_id=question or ts,
        address=Address(NAME, workspace(body), channel, thread),
        author=author(body, {"user": user.get("id", ""), "team": user.get("team_id", "")}),
        action=action,
        value=words,
        sent_at=moment(str(first_action(body).get("action_ts") or "")),
        ref=ref.to_ref(),
    )


def first_action(body: Payload) -> Payload:
    """The button that was pressed, or nothing."""
    found: Payload = next(iter(body.get("actions") or ()), {})
    return found


# --- Message shortcuts -----------------------------------------------------------------------------------------------


def parse_shortcut(body: Payload) -> InboundMessage | None:
    """A message shortcut that is answered at once; None for "Ask about this", which asks for a question first."""
    intent = SHORTCUTS.get(str(body.get("callback_id") or ""))
    return _question_about(body, shortcut_target(body), intent, "") if intent else None


def shortcut_target(body: Payload) -> dict[str, Any]:
    """The message that a shortcut was used on: small enough to ride in a modal."""
    message = body.get("message") or {}
    channel = body.get("channel") or {}
    files = [{name: one[name] for name in FILE_FIELDS if one.get(name)} for one in message.get("files") or ()]
    return {
        "channel": channel.get("id", ""),
        "ts": body.get("message_ts") or message.get("ts") or "",
        "author": message.get("user") or "",
        "thread": message.get("thread_ts") or message.get("ts") or body.get("message_ts") or "",
        "is_alone": not (message.get("thread_ts") or message.get("reply_count")),
        "text": _full_text(message),
        "files": files[:MAX_FILES],
        "url": body.get("response_url") or "",
        "member": channel.get("name", ""),
    }


def _full_text(message: Payload) -> str:
    return (
        "\n\n".join(filter(None, (message_text(message, ""), *(one.text for one in forwards(message)))))
        or cards_text(message.get("attachments") or ())
        or blocks_text(message.get("blocks") or ())
    )


def _question_about(body: Payload, target: Mapping[str, Any], intent: Intent, question: str) -> InboundMessage:
    """The message that a shortcut asks about, as a message of the person who used it.

    target: as of `shortcut_target`. question: what the person typed, or empty.
    """
    user, ts = body.get("user") or {}, str(target.get("ts") or "")
    trigger = fingerprint(str(body.get("trigger_id") or (body.get("view") or {}).get("id") or ts))
    channel = str(target.get("channel") or "")
    ref = replace(
        ref_of(body, str(user.get("id") or ""), question),
        response_url=str(target.get("url") or ""),
        about_ts=ts,
        is_shortcut=True,
        has_no_thread=bool(target.get("is_alone")),
    )
    return InboundMessage(
        event_id=f"shortcut:{trigger}",
        message_id=f"shortcut:{trigger}",
        address=Address(NAME, workspace(body), channel, str(target.get("thread") or ts)),
        author=author(body, {"user": user.get("id", ""), "team": user.get("team_id", "")}),
        text=question,
        quoted=(Quoted(about),) if (about := str(target.get("text") or "")) else (),
        attachments=attachments({**target, "channel": channel}, body),
        mentions_bot=True,
        intent=intent,
        ephemeral=intent != "answer",
        about_message_id=ts,
        about_author_id=str(target.get("author") or ""),
        ref=ref.to_ref(),
    )


# --- Modals ----------------------------------------------------------------------------------------------------------


def modal_state(target: Mapping[str, Any], fits: Callable[[str], bool]) -> str:
    """A shortcut's target as text, cut until it fits."""
    small = {**target, "text": str(target.get("text", ""))[:MAX_QUOTED]}
    while not fits(json.dumps(small, ensure_ascii=False)) and (small["files"] or small["text"]):
        if small["files"]:
            small["files"] = small["files"][:-1]
        else:
            small["text"] = small["text"][: len(small["text"]) * 3 // 4]
    return json.dumps(small, ensure_ascii=False)


def parse_submission(body: Payload) -> InboundMessage | ButtonPress | None:
    """A modal of ours that was sent off."""
    view = body.get("view") or {}
    words, state = view_value(view, "words"), _state_of(view)
    if not words or state is None:
        return None
    match view.get("callback_id"):
        case callback_ids.ASK:
            return _question_about(body, state, "answer", words)
        case callback_ids.EDIT_IMAGE:
            place = {"container": state, "trigger_id": view.get("id")}
            return _button_press({**body, **place}, "edit_image", str(state.get("question") or ""), words)
    return None


def _state_of(view: Payload) -> dict[str, Any] | None:
    try:
        state = json.loads(view.get("private_metadata") or "{}")
    except ValueError:
        return None
    return state if isinstance(state, dict) else None


def view_value(view: Payload, name: str) -> str:
    """What was typed or chosen in the block of this name."""
    state = view.get("state")
    of_block = ((state.get("values") or {}) if isinstance(state, Mapping) else {}).get(name) or {}
    for element in of_block.values():
        chosen = element.get("selected_option") or {}
        return str(element.get("value") or chosen.get("value") or "").strip()
    return ""
