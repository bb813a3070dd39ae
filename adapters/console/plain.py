"""Events as JSON for other programs: plain objects and lists, each value with a `type`. Public, unlike the form in the store."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from bot.types import Reply


def plain(value: Any) -> Any:
    """Return a value as JSON, such as `{"type": "text_delta", "text": "Hi"}`; times are ISO 8601. A reply has its `text`, too."""
    if dataclasses.is_dataclass(value):
        fields = {one.name: plain(getattr(value, one.name)) for one in dataclasses.fields(value)}
        words = {"text": value.text} if isinstance(value, Reply) else {}
        return {"type": _snake(type(value).__name__), **words, **fields}
    match value:
        case date():
            return value.isoformat()
        case list() | tuple() | frozenset():
            return [plain(one) for one in value]
        case Mapping():
            return {str(key): plain(one) for key, one in value.items()}
    return value


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
