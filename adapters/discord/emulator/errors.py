"""Owns Discord's REST errors: status, code and message as the vendor's table of JSON error codes has them."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

TABLE: dict[int, tuple[int, str]] = {
    10003: (404, "Unknown Channel"),
    10004: (404, "Unknown Guild"),
    10007: (404, "Unknown Member"),
    10008: (404, "Unknown Message"),
    10011: (404, "Unknown Role"),
    10013: (404, "Unknown User"),
    10014: (400, "Unknown Emoji"),
    10015: (404, "Unknown Webhook"),
    10060: (404, "Unknown Sticker"),
    10062: (404, "Unknown interaction"),
    10063: (404, "Unknown application command"),
    20012: (403, "You are not authorized to perform this action on this application"),
    20022: (400, "The write action you are performing on the server has hit the write rate limit"),
    30032: (400, "Maximum number of application commands reached (100)"),
    30034: (400, "Max number of daily application command creates has been reached (200)"),
    40005: (413, "Request entity too large"),
    40060: (400, "Interaction has already been acknowledged."),
    40067: (400, "A tag is required to create a forum post in this channel"),
    40094: (400, "This interaction has hit the maximum number of follow up messages"),
    50001: (403, "Missing Access"),
    50003: (400, "Cannot execute action on a DM channel"),
    50005: (403, "Cannot edit a message authored by another user"),
    50006: (400, "Cannot send an empty message"),
    50007: (403, "Cannot send messages to this user"),
    50008: (400, "Cannot send messages in a non-text channel"),
    50013: (403, "Missing Permissions"),
    50016: (400, "Provided too few or too many messages to delete. Must provide at least 2 and at most 100 messages."),
    50021: (403, "Cannot execute action on a system message"),
    50024: (400, "Cannot execute action on this channel type"),
    50027: (401, "Invalid Webhook Token"),
    50034: (400, "You can only bulk delete messages that are under 14 days old."),
    50035: (400, "Invalid Form Body"),
    50081: (400, "Invalid sticker sent"),
    50083: (400, "Thread is archived"),
    50109: (400, "The request body contains invalid JSON."),
    50159: (400, "Voice messages do not support additional content."),
    50160: (400, "Voice messages must have a single audio attachment."),
    50161: (400, "Voice messages must have supporting metadata."),
    50162: (400, "Voice messages cannot be edited."),
    50173: (400, "You cannot send voice messages in this channel."),
    160002: (400, "Cannot reply without permission to read message history"),
    160004: (400, "A thread has already been created for this message"),
    160005: (400, "Thread is locked"),
}
"""code: (HTTP status, message). Source: Discord, Opcodes and Status Codes, JSON."""


class ApiError(Exception):
    """An answer that refuses: carries the HTTP status and the JSON body."""

    def __init__(self, code: int, *, status: int | None = None, message: str | None = None, errors: Json | None = None):
        known_status, known_message = TABLE.get(code, (400, "Error"))
        self.status = status or known_status
        self.body: Json = {"message": message or known_message, "code": code}
        if errors:
            self.body["errors"] = errors
        super().__init__(f"{self.status} {self.body}")


class Refused(Exception):
    """What a person tried is not possible in Discord's own clients, so it never reaches the bot."""


def not_found() -> ApiError:
    """The answer for a path that does not exist."""
    return ApiError(0, status=404, message="404: Not Found")


def unauthorized() -> ApiError:
    """The answer for a missing or wrong token."""
    return ApiError(0, status=401, message="401: Unauthorized")


class Form:
    """Collects what is wrong with a body, field by field, and raises 50035 once for all of it."""

    def __init__(self) -> None:
        self.errors: Json = {}

    def bad(self, path: tuple[str | int, ...], code: str, message: str) -> None:
        """Note one mistake; path: keys and indexes from the body down to the field."""
        node = self.errors
        for key in path:
            node = node.setdefault(str(key), {})
        node.setdefault("_errors", []).append({"code": code, "message": message})

    def finish(self) -> None:
        """Raise ApiError 50035 if anything was noted."""
        if self.errors:
            raise ApiError(50035, errors=self.errors)
