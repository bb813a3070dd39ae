"""What the terminal needs to know of an attached file to read it when its turn comes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from adapters.shared.refs import from_ref, to_ref


@dataclass(frozen=True)
class ConsoleRef:
    """Where an attached file is."""

    path: str = ""
    """Absolute but not resolved: a pipe of the shell has no other name."""

    def to_ref(self) -> dict[str, str]:
        """Return the strings that the core stores."""
        return to_ref(self)

    @classmethod
    def from_ref(cls, ref: Mapping[str, str]) -> ConsoleRef:
        """Read what the core stored."""
        return from_ref(cls, ref, {})
