"""Answering at Discord: `plan` decides, `runner` carries out, `final` makes the answer as it stays, `session` types."""

from __future__ import annotations

from adapters.discord.reply.replies import Replies

__all__ = ["Replies"]
