"""Replies at Slack: a status line, a stream or edits as Slack and the rate limits allow, and in the end exactly the reply."""

from __future__ import annotations

from adapters.slack.reply.limits import DEFAULT_LIMITS, ReplyLimits
from adapters.slack.reply.replies import Replies

__all__ = ["DEFAULT_LIMITS", "Replies", "ReplyLimits"]
