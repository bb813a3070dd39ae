"""The plain JSON form of values, and text that can be kept.

`to_json` and `from_json` carry any value over a queue, a database or a restart. A value is a frozen dataclass registered with
`@value`; other rooms register theirs too. What a released version wrote is still read: see RENAMED_VALUES and RENAMED_FIELDS.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, TypeVar

Class = TypeVar("Class", bound=type)

VALUES: dict[str, Any] = {}
"""Every value by its name."""
RENAMED_VALUES: Mapping[str, str] = {"Unread": "UnreadAttachment", "Press": "ButtonPress"}
"""Names under which released versions kept a value."""
RENAMED_FIELDS: Mapping[str, Mapping[str, str]] = {
    "InboundMessage": {"asks": "intent", "mentions_us": "mentions_bot"},
    "UnreadAttachment": {"why": "reason", "may_work_later": "is_retryable"},
}
"""Names under which released versions kept a field, by the value's name."""
FORMER_REF_KEYS: Mapping[str, str] = {"instead": "unreadable_hint", "of_turn": "about_turn_id"}
"""Facts that released versions kept in an inbound's `ref`, and the fields that hold them now."""


def value(made: Class) -> Class:
    """Register a frozen dataclass, so that it has a plain JSON form under its own name."""
    VALUES[made.__name__] = made
    return made


def to_json(value: Any) -> Any:
    """The plain JSON form of a value, or of tuples, lists and mappings of values; raises TypeError for anything else."""
    if dataclasses.is_dataclass(value) and type(value).__name__ in VALUES:
        fields = {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"$": type(value).__name__, **fields}
    match value:
        case None | bool() | int() | float() | str():
            return value
        case datetime():
            return {"$": "datetime", "at": value.isoformat()}
        case date():
            return {"$": "date", "at": value.isoformat()}
        case tuple():
            return {"$": "tuple", "of": [to_json(item) for item in value]}
        case frozenset():
            return {"$": "frozenset", "of": sorted(to_json(item) for item in value)}
        case list():
            return [to_json(item) for item in value]
        case Mapping():
            if "$" in value:
                return {"$": "mapping", "of": [[key, to_json(item)] for key, item in value.items()]}
            return {str(key): to_json(item) for key, item in value.items()}
    raise TypeError(f"{type(value).__name__} has no plain form")


def from_json(plain: Any) -> Any:
    """The value that `to_json` was given; fields unknown to this version are dropped. Raises ValueError if it is no plain form."""
    if isinstance(plain, list):
        return [from_json(item) for item in plain]
    if not isinstance(plain, dict):
        return plain
    match plain.get("$"):
        case None:
            return {key: from_json(item) for key, item in plain.items()}
        case "datetime":
            return datetime.fromisoformat(plain["at"])
        case "date":
            return date.fromisoformat(plain["at"])
        case "tuple":
            return tuple(from_json(item) for item in plain["of"])
        case "frozenset":
            return frozenset(from_json(item) for item in plain["of"])
        case "mapping":
            return {key: from_json(item) for key, item in plain["of"]}
        case str() as name if (name := RENAMED_VALUES.get(name, name)) in VALUES:
            return _value_from_json(name, plain)
    raise ValueError(f"no value is named {plain['$']!r}")


def _value_from_json(name: str, plain: Mapping[str, Any]) -> Any:
    known = {f.name for f in dataclasses.fields(VALUES[name])}
    renamed = RENAMED_FIELDS.get(name, {})
    given = {renamed.get(key, key): item for key, item in plain.items()}
    fields = {key: from_json(item) for key, item in given.items() if key in known}
    return VALUES[name](**_with_former_ref(fields, known))


def _with_former_ref(fields: dict[str, Any], known: set[str]) -> dict[str, Any]:
    """Fields with what a released version kept among the adapter's own strings."""
    ref = fields.get("ref") or {}
    if "wants_speech" in known and ref.get("speak") == "1":
        fields.setdefault("wants_speech", True)
    for key, name in FORMER_REF_KEYS.items():
        if name in known and ref.get(key):
            fields.setdefault(name, ref[key])
    return fields


def clean_value(value: Any) -> Any:
    """The value, or tuple or mapping of values, with every text in it as `clean_text` gives it; itself where all are clean."""
    match value:
        case str():
            return value if value.isascii() and "\0" not in value else clean_text(value)
        case tuple():
            cleaned = tuple(map(clean_value, value))
            return value if cleaned == value else cleaned
        case Mapping():
            return {clean_value(key): clean_value(item) for key, item in value.items()}
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return value
    fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    changed = {name: new for name, old in fields.items() if (new := clean_value(old)) != old}
    return dataclasses.replace(value, **changed) if changed else value


def clean_text(text: str) -> str:
    """The text with U+FFFD for each NUL and each half of a surrogate pair; two halves that belong together are joined.

    PostgreSQL keeps no NUL, and halves have no UTF-8, so neither a database nor a request could take them.
    """
    text = text.replace("\0", "\ufffd")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
