"""Own-made deliveries with what each means, read from the JSON files of this folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from functools import reduce
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).parent
Means = Mapping[str, Any]


class Case(NamedTuple):
    """A delivery as a platform would send it, and what it means."""

    name: str
    delivery: dict[str, Any]
    means: Means | None
    """Fields of the value by their path, such as `author.id` or `attachments.0.name`, `kind` its type; None when it is nothing."""


def cases(platform: str) -> list[Case]:
    """The own-made deliveries of a platform. `tests/payloads/README.md` says how they are written."""
    found = json.loads((FOLDER / f"{platform}.json").read_text(encoding="utf-8"))
    return [Case(name, case["delivery"], case["means"]) for name, case in found.items()]


def looked_up(value: Any, means: Means) -> dict[str, Any]:
    """The fields of a value that `means` names, in the form in which JSON holds them."""
    return {path: _plain(type(value).__name__ if path == "kind" else _at(value, path)) for path in means}


def _at(value: Any, path: str) -> Any:
    return reduce(lambda at, name: at[int(name)] if name.isdigit() else getattr(at, name), path.split("."), value)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value
