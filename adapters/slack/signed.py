"""What is posted to the request URL: believed once its signature is Slack's, and a delivery once it is shaped as one. Pure."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

MAX_AGE_S = 300
"""A signature older than this may be a replay. Source: Slack, Verifying requests."""
MAX_DEPTH = 100
"""Of lists and objects within one another. Slack's blocks go to about ten."""
MAX_FIELDS = 200
_SIGNATURE = re.compile(r"v0=[0-9a-f]{64}", re.ASCII)
_NO_LETTERS = re.compile("[\\x00\\ud800-\\udfff]")
_TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)
MAPPINGS = ("assistant_thread", "container", "context", "event", "message", "previous_message", "tokens", "view")
LISTS = ("actions", "attachments", "authorizations", "files")
"""Of objects."""
WORDS = (
    "action_id",
    "bot_id",
    "callback_id",
    "channel_id",
    "channel_name",
    "channel_type",
    "command",
    "deleted_ts",
    "enterprise_id",
    "event_id",
    "event_ts",
    "message_ts",
    "private_metadata",
    "response_url",
    "source_team",
    "subtype",
    "team_id",
    "thread_ts",
    "trigger_id",
    "ts",
    "type",
    "user_id",
    "user_name",
    "user_team",
)
NAMED = ("channel", "enterprise", "team", "user")
"""By id, or by a description."""


class JunkError(ValueError):
    """What was signed is no delivery; the message says why."""


def may_be_signed(headers: Mapping[str, str], now_s: float) -> bool:
    """Whether the headers have the shape and the age of Slack's: what has not need not even be received."""
    at, given = headers.get("X-Slack-Request-Timestamp", ""), headers.get("X-Slack-Signature", "")
    if not _TIMESTAMP.fullmatch(at) or not _SIGNATURE.fullmatch(given):
        return False
    return abs(now_s - int(at)) <= MAX_AGE_S


def is_signed(secret: str, body: bytes, headers: Mapping[str, str], now_s: float) -> bool:
    """Whether Slack signed these very bytes a moment ago. now_s: in Unix seconds. Source: Slack, Verifying requests."""
    if not secret or not may_be_signed(headers, now_s):
        return False
    at, given = headers["X-Slack-Request-Timestamp"], headers["X-Slack-Signature"]
    right = hmac.new(secret.encode(), b"v0:" + at.encode() + b":" + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(given, f"v0={right}")


def delivery_of(body: bytes, content_type: str) -> dict[str, Any]:
    """The delivery in a request's body: JSON, or a form that holds JSON as `payload`, or a command as a form. Raises JunkError."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise JunkError("it is not UTF-8") from error
    if content_type == "application/json" or text.lstrip().startswith(("{", "[")):
        return checked(_json(text))
    try:
        form = dict(parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except ValueError as error:
        raise JunkError("it is no form") from error
    return checked(_json(form["payload"]) if "payload" in form else form)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:  # digits by the thousand are a ValueError too
        raise JunkError("it is no JSON") from error


def checked(body: Any) -> dict[str, Any]:
    """The delivery, if it is shaped as one as far as it is told apart by; its parsers look at the rest. Raises JunkError."""
    if not isinstance(body, dict):
        raise JunkError("it is no object")
    _check_depth(body)
    waiting: list[Mapping[str, Any]] = [body]
    while waiting:
        node = waiting.pop()
        _check_fields(node)
        waiting += [node[name] for name in MAPPINGS if node.get(name)]
        waiting += [one for name in ("actions", "authorizations") for one in node.get(name) or ()]
    return body


def _check_depth(body: Any) -> None:
    level, depth = [body], 0
    while level := [inner for node in level for inner in _within(node) if isinstance(inner, dict | list)]:
        depth += 1
        if depth > MAX_DEPTH:
            raise JunkError("it is too deep")


def _within(node: Any) -> Iterable[Any]:
    return node.values() if isinstance(node, dict) else node


def _check_fields(node: Mapping[str, Any]) -> None:
    """What is read by name has the kind that is read."""
    for name, value in node.items():
        is_right = value is None or (
            (name not in MAPPINGS or isinstance(value, dict))
            and (name not in LISTS or _holds_objects(value))
            and (name not in WORDS or is_word(value))
            and (name not in NAMED or is_word(value) or (isinstance(value, dict) and is_word(value.get("id") or "")))
        )
        if not is_right:
            raise JunkError(f"{name[:40]!a} is not of its kind")


def is_word(value: Any) -> bool:
    """Whether it is text that a database keeps and another server takes."""
    return isinstance(value, str) and not _NO_LETTERS.search(value)


def _holds_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) for one in value)
