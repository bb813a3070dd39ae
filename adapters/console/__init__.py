"""The console: a terminal as a platform, and the shortest complete example of an adapter.

`parse.py` turns lines into values, `reply.py` shows answers, `listen.py` brings one turn from a question to its answer. What is
drawn, and the conversation at the prompt, are `screen.py` and `chat.py`; another platform has no such files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.ports.plugins import AdapterPlugin, FolderOptions
from bot.types import Capabilities

if TYPE_CHECKING:
    from adapters.console.reply import Console
    from bot.ports import Host

CAPABILITIES = Capabilities(has_buttons=False)


def create(options: FolderOptions, host: Host) -> Console:
    """Make the adapter; cheap."""
    from adapters.console.reply import Console

    return Console(host)


PLUGIN = AdapterPlugin(options=FolderOptions, capabilities=CAPABILITIES, create=create, is_listed=False)
