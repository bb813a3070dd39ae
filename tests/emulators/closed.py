"""The words in which we describe requests: JSON Schema with closed objects, written short."""

from __future__ import annotations

from typing import Any

import jsonschema_rs

Schema = dict[str, Any]


def closed(needed: str = "", /, **fields: Schema) -> Schema:
    """An object with these fields at most. needed: those that it must have, with blanks between them."""
    return {"type": "object", "properties": fields, "required": needed.split(), "additionalProperties": False}


def each(item: Schema, most: int) -> Schema:
    """An array of at most so many."""
    return {"type": "array", "items": item, "maxItems": most}


def text(most: int) -> Schema:
    """A string of at most so many characters."""
    return {"type": "string", "maxLength": most}


def nullable(schema: Schema) -> Schema:
    """That, or null."""
    if isinstance(schema.get("type"), str):
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


ANY: Schema = {}
FLAG: Schema = {"type": "boolean"}
NUMBER: Schema = {"type": "integer", "minimum": 0}
STRING: Schema = {"type": "string", "minLength": 1}


def problems(schema: Schema, value: Any) -> list[str]:
    """Where a value breaks a schema, each with its path."""
    key = id(schema)
    if key not in _validators:
        _validators[key] = jsonschema_rs.Draft202012Validator(schema)
    errors = _validators[key].iter_errors(value)
    return ["/".join(map(str, error.instance_path)) + f": {error.message[-160:]}" for error in errors]


_validators: dict[int, Any] = {}
"""By the schema's identity: the schemas are constants of their modules."""
