"""The only way in. When `accept` returns, the inbound is written down and will be answered once, whatever happens."""

from bot.inbox.door import Inbox

__all__ = ["Inbox"]
