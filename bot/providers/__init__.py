"""Finds providers: each folder here is one, and says so by `PLUGIN = ProviderPlugin(...)` in its `__init__.py`."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import Any

from bot.errors import ConfigError
from bot.ports.plugins import ProviderPlugin


def names() -> list[str]:
    """The providers there are, in alphabetical order."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.ispkg)


def load(name: str) -> ProviderPlugin[Any]:
    """What the folder says about itself. Raises ConfigError for an unknown name, or without a PLUGIN."""
    if name not in names():
        raise ConfigError(f"There is no provider {name!r}. Known providers: {', '.join(names())}.")
    plugin = vars(import_module(f"{__name__}.{name}")).get("PLUGIN")
    if not isinstance(plugin, ProviderPlugin):
        raise ConfigError(f"bot/providers/{name}/__init__.py holds no PLUGIN = ProviderPlugin(...).")
    return plugin


def plugins() -> dict[str, ProviderPlugin[Any]]:
    """Every provider by its name; cheap, since their libraries are imported later."""
    return {name: load(name) for name in names()}
