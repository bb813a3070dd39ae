"""Finds platforms: each folder here but `shared` is one, and says so by `PLUGIN = AdapterPlugin(...)` in its `__init__.py`."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import Any

from bot.errors import ConfigError
from bot.ports.plugins import AdapterPlugin

SHARED = "shared"
"""The folder of what platforms share, itself no platform."""


def names() -> list[str]:
    """The platforms there are, in alphabetical order."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.ispkg and module.name != SHARED)


def load(name: str) -> AdapterPlugin[Any]:
    """What the folder says about itself. Raises ModuleNotFoundError for an unknown name, ConfigError without a PLUGIN."""
    plugin = vars(import_module(f"{__name__}.{name}")).get("PLUGIN")
    if not isinstance(plugin, AdapterPlugin):
        raise ConfigError(f"adapters/{name}/__init__.py holds no PLUGIN = AdapterPlugin(...).")
    return plugin


def plugins() -> dict[str, AdapterPlugin[Any]]:
    """Every platform by its name; cheap, since their libraries are imported later."""
    return {name: load(name) for name in names()}
