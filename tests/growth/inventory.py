"""What works on text or bytes: every public function and method of the sources, read off their signatures."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import adapters
import bot

OUTSIDE = re.compile(
    r"\b(str|bytes|Any|Payload|Json|Plain|Message|Part|Reply|ReplyEvent|Inbound|InboundMessage|Command|Edit|ToolCall|Prompt)\b"
)
"""Kinds of arguments that hold what people or models wrote."""


def modules(*packages: ModuleType) -> Iterator[ModuleType]:
    """Every module of these packages, but for the emulators, which are no part of Parley."""
    for package in packages:
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if ".emulator" not in found.name and not found.name.endswith("__main__"):
                yield importlib.import_module(found.name)


def functions() -> dict[str, list[str]]:
    """By name, as in `bot.policy.addressing.typed_command`, the names of the arguments that hold text: public, not asynchronous."""
    found: dict[str, list[str]] = {}
    for module in modules(bot, adapters):
        for name, function in _of(module):
            given = inspect.signature(function).parameters
            texts = [
                at for at, one in given.items() if at not in ("self", "cls") and OUTSIDE.search(str(one.annotation))
            ]
            if texts:
                found[f"{module.__name__}.{name}"] = texts
    return found


def _of(module: ModuleType) -> Iterator[tuple[str, Any]]:
    for name, value in vars(module).items():
        if name.startswith("_") or getattr(value, "__module__", "") != module.__name__:
            continue
        if inspect.isclass(value):
            methods = {at: getattr(one, "__func__", one) for at, one in vars(value).items() if not at.startswith("_")}
            yield from ((f"{name}.{at}", one) for at, one in methods.items() if _is_sync(one))
        elif _is_sync(inspect.unwrap(value) if callable(value) else value):
            yield name, value


def _is_sync(value: Any) -> bool:
    return (
        inspect.isfunction(value) and not inspect.iscoroutinefunction(value) and not inspect.isasyncgenfunction(value)
    )
