"""What the contract suite of adapters needs of a platform, and the cases there are.

A platform takes part by a module `adapter_NAME.py` beside this one that holds `CASE = Case(...)`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from bot.app import App
from bot.types import Capabilities


class Platform(Protocol):
    """A person at a platform, in a direct conversation with a whole Parley (echo models)."""

    app: App
    name: str

    async def say(self, text: str, files: Sequence[tuple[str, bytes]] = (), after: Any = None) -> Any:
        """Write; gives a handle of the question. after: the question whose conversation goes on."""

    async def speak(self, sound: bytes) -> Any:
        """Send a voice note."""

    async def edit(self, question: Any, text: str) -> None:
        """Change it."""

    async def delete(self, question: Any) -> None:
        """Take it back."""

    async def repeat(self, question: Any) -> None:
        """Deliver it a second time, as platforms do."""

    async def mention(self, text: str, *, by_bot: bool) -> Any:
        """Somebody, or another bot, mentions Parley in a shared channel; gives a handle as `say` does."""

    async def answers(self, question: Any) -> list[str]:
        """The texts of Parley's messages about it, in order, once all turns have ended."""

    async def uploads(self, question: Any) -> list[bytes]:
        """The files that Parley sent about it."""

    async def buttons(self, question: Any) -> set[str]:
        """What the buttons under its newest answer do."""

    async def settled(self) -> None:
        """Wait until nothing is under way."""


@dataclass(frozen=True)
class Case:
    """A platform that takes part."""

    name: str
    capabilities: Capabilities
    start: Callable[[Path], AbstractAsyncContextManager[Platform]]
    has_bots: bool = True
    has_edits: bool = True
    has_repeats: bool = True
    keeps_posts: bool = True
    """Messages stay where they were posted; else people see what the history holds."""
    plays_voice: bool = True
    max_text: int = 1_000_000
    """Characters of one posted message."""


ECHO = {f"{modality}_model": "echo:echo" for modality in ("chat", "transcribe", "speech", "image", "embedding")}
"""Models for tests."""


def cases() -> list[Case]:
    """Every platform that takes part."""
    here = Path(__file__).parent
    names = [module.name for module in pkgutil.iter_modules([str(here)]) if module.name.startswith("adapter_")]
    modules = [importlib.import_module(f"tests.contracts.{name}") for name in names if name != "adapter_cases"]
    return [module.CASE for module in modules if hasattr(module, "CASE")]
