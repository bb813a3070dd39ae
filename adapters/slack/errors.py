"""What Slack refuses: one error with Slack's own code, the codes that are handled alike, and what a person is told."""

from __future__ import annotations

from typing import Any

from bot.errors import OutageError, PlatformError

UNUSABLE_TOKEN = ("account_inactive", "token_revoked", "invalid_auth", "token_expired", "not_authed")
GONE_POST = ("message_not_found", "cant_update_message", "edit_window_closed", "thread_not_found")
OUTSIDE = ("not_in_channel", "channel_not_found", "user_not_in_channel")
"""We are no member of the channel."""
CLOSED = ("restricted_action", "restricted_action_read_only_channel", "restricted_action_thread_locked", "is_archived")
"""No app may write there. Source: Slack, chat.postMessage, errors."""
BAD_BLOCKS = ("invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "only_one_table_allowed")


class SlackError(PlatformError):
    """Slack refused a call; `slack_code` is its word for why."""

    def __init__(
        self, text: str, *, slack_code: str = "", retry_after_s: float | None = None, detail: str = ""
    ) -> None:
        super().__init__(text, retry_after_s=retry_after_s, detail=detail)
        self.slack_code = slack_code


class SlackAwayError(SlackError, OutageError):
    """Slack cannot be reached, has trouble of its own, or lets nothing through for long."""


def refusal(method: str, data: Any) -> SlackError:
    """The error for an answer that says no. data: the answer's JSON, or anything else that came."""
    found = data if isinstance(data, dict) else {}
    code = str(found.get("error", ""))
    more = found.get("response_metadata", {}).get("messages") or found.get("needed") or ""
    return SlackError(_sentence(code, found), slack_code=code, detail=f"{method}: {code} {more}".strip())


def _sentence(code: str, data: dict[str, Any]) -> str:
    match code:
        case "missing_scope":
            needed = data.get("needed", "")
            return (
                f"Parley lacks the permission {needed} in this Slack workspace. Reinstall it with the current manifest."
            )
        case "not_in_channel" | "channel_not_found":
            return "Parley is not a member of this channel. Invite it by /invite and ask again."
        case "is_archived":
            return "This channel is archived."
        case _ if code in UNUSABLE_TOKEN:
            return "Slack does not accept Parley's token any more. It has to be installed again."
    return f"Slack refused: {code}."
