"""Answering at Discord: `plan` decides, `runner` carries out, `final` makes the answer as it stays, `session` opens and types."""

from __future__ import annotations

from adapters.discord.reply.runner import Replies

__all__ = ["Replies"]
