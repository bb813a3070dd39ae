"""An adapter's own facts about an inbound, a receipt or a file: a frozen dataclass there, strings in the core's `ref`. Pure."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    T = TypeVar("T", bound=DataclassInstance)
else:
    T = TypeVar("T")


def to_ref(facts: DataclassInstance, always: Collection[str] = ()) -> dict[str, str]:
    """The fields as strings, without those that hold their default.

    always: fields that are written even so, because a later event's ref is laid over an earlier one's and must hide it.
    """
    default = type(facts)()
    return {
        one.name: _to_text(getattr(facts, one.name))
        for one in fields(facts)
        if one.name in always or getattr(facts, one.name) != getattr(default, one.name)
    }


def from_ref(kind: type[T], ref: Mapping[str, str], former_keys: Mapping[str, str]) -> T:
    """The dataclass from these strings; what is missing has its default.

    former_keys: by field, the key under which released versions stored it. Their inbounds and receipts are still in databases.
    """
    default = kind()
    found: dict[str, Any] = {}
    for one in fields(kind):
        text = ref.get(one.name, ref.get(former_keys.get(one.name, one.name)))
        if text is not None:
            found[one.name] = _from_text(text, getattr(default, one.name))
    return kind(**found)


def _to_text(given: Any) -> str:
    match given:
        case bool():
            return "1" if given else "0"
        case float():
            return f"{given:.0f}"
        case tuple():
            return ",".join(given)
        case Mapping():
            return json.dumps(dict(given), ensure_ascii=False)
    return str(given)


def _from_text(text: str, default: Any) -> Any:
    match default:
        case bool():
            return text == "1"
        case int() | float():
            return type(default)(text or 0) or default
        case tuple():
            return tuple(filter(None, text.split(",")))
        case Mapping():
            return json.loads(text or "{}")
    return text
