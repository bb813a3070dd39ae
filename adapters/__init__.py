"""Finds adapters: an adapter is a folder here with `create(config, host) -> Adapter` and `CAPABILITIES`."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from types import ModuleType

SHARED = "shared"
"""The folder of what platforms share, itself no platform."""


def names() -> list[str]:
    """The platforms there are, in alphabetical order; a folder without `create` yet, such as a lone emulator, is none."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.ispkg and module.name != SHARED)


def load(name: str) -> ModuleType:
    """The adapter's module; raises ModuleNotFoundError for an unknown name."""
    return import_module(f"{__name__}.{name}")
