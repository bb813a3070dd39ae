"""Finds providers: a provider is a folder here with `create(config, host) -> Provider`."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from types import ModuleType

from bot.errors import ConfigError


def names() -> list[str]:
    """The providers there are, in alphabetical order."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.ispkg)


def load(name: str) -> ModuleType:
    """The provider's module; raises ConfigError for an unknown name."""
    if name not in names():
        raise ConfigError(f"There is no provider {name!r}. Known providers: {', '.join(names())}.")
    return import_module(f"{__name__}.{name}")
