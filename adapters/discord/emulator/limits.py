"""Owns the limits of the fields of messages and embeds, by the vendor's OpenAPI file, version 10."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import components, model
from .errors import Form
from .model import Json

Path = tuple[str | int, ...]

CONTENT = 2000
EMBEDS, EMBED_TOTAL = 10, 6000
FILES = 10
STICKERS = 3
NONCE = 25
REQUEST_BYTES = 25 * 1024 * 1024
"""The largest request. Source: Discord, Reference, Uploading Files."""


def text(form: Form, body: Json, key: str, path: Path, high: int, *, low: int = 0, required: bool = False) -> None:
    """Check one text field: its presence, its type and its length in Unicode characters."""
    value = body.get(key)
    at = (*path, key)
    if value is None:
        if required:
            form.bad(at, "BASE_TYPE_REQUIRED", "This field is required")
        return
    if not isinstance(value, str):
        form.bad(at, "STRING_TYPE_CONVERT", f'Could not interpret "{value}" as string.')
    elif low and not low <= len(value) <= high:
        form.bad(at, "BASE_TYPE_BAD_LENGTH", f"Must be between {low} and {high} in length.")
    elif len(value) > high:
        form.bad(at, "BASE_TYPE_MAX_LENGTH", f"Must be {high} or fewer in length.")


def items(form: Form, body: Json, key: str, path: Path, high: int, *, low: int = 0) -> list[Any]:
    """Check one list field's size, and give the list; nothing counts as empty."""
    value = body.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        form.bad((*path, key), "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType")
        return []
    if not low <= len(value) <= high:
        kind = "Must be between" if low else "Must be"
        bounds = f"{low} and {high}" if low else f"{high} or fewer"
        form.bad((*path, key), "BASE_TYPE_BAD_LENGTH", f"{kind} {bounds} in length.")
    return value


def number(form: Form, body: Json, key: str, path: Path, low: float, high: float) -> None:
    """Check one numeric field's type and range."""
    value = body.get(key)
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        form.bad((*path, key), "NUMBER_TYPE_COERCE", f'Value "{value}" is not int.')
    elif value < low:
        form.bad((*path, key), "NUMBER_TYPE_MIN", f"Value should be greater than or equal to {low}.")
    elif value > high:
        form.bad((*path, key), "NUMBER_TYPE_MAX", f"Value should be less than or equal to {high}.")


def choice(form: Form, body: Json, key: str, path: Path, known: Sequence[Any]) -> None:
    """Check that a field has one of the known values, if it is there."""
    value = body.get(key)
    if value is not None and value not in known:
        shown = ", ".join(str(one) for one in known)
        form.bad((*path, key), "BASE_TYPE_CHOICES", f"Value must be one of {{{shown}}}.")


def check_message(form: Form, body: Json, path: Path = (), *, flags: int = 0) -> None:
    """Check the body of a message to create or edit. flags: those that the message has or will have."""
    text(form, body, "content", path, CONTENT)
    check_embeds(form, items(form, body, "embeds", path, EMBEDS), (*path, "embeds"))
    items(form, body, "sticker_ids", path, STICKERS)
    check_attachments(form, items(form, body, "attachments", path, FILES), (*path, "attachments"))
    check_nonce(form, body, path)
    check_mentions(form, body.get("allowed_mentions") or {}, (*path, "allowed_mentions"))
    number(form, body, "flags", path, 0, 2**53)
    version_2 = bool(flags & model.COMPONENTS_V2)
    if version_2:
        _check_legacy(form, body, path)
    components.check(form, body.get("components") or [], (*path, "components"), version_2=version_2)


def _check_legacy(form: Form, body: Json, path: Path) -> None:
    for key in ("content", "embeds", "poll", "sticker_ids"):
        if body.get(key):
            message = f"The '{key}' field cannot be used when using MessageFlags.IS_COMPONENTS_V2"
            form.bad((*path, key), "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2", message)


def check_nonce(form: Form, body: Json, path: Path) -> None:
    """A nonce is a whole number or at most 25 characters."""
    nonce = body.get("nonce")
    if isinstance(nonce, str):
        text(form, body, "nonce", path, NONCE)
    elif nonce is not None and not isinstance(nonce, int):
        form.bad((*path, "nonce"), "NONCE_TYPE", "Nonce must be a string or an integer.")


def check_mentions(form: Form, allowed: Json, path: Path) -> None:
    """Allowed mentions: known kinds, at most 100 ids a kind, and no kind both parsed and listed."""
    parse = items(form, allowed, "parse", path, 3)
    for index, kind in enumerate(parse):
        if kind not in ("users", "roles", "everyone"):
            known = "('users', 'everyone', 'roles')"
            form.bad((*path, "parse", index), "BASE_TYPE_CHOICES", f"Value must be one of {known}.")
    for kind in ("users", "roles"):
        listed = items(form, allowed, kind, path, 100)
        if listed and kind in parse:
            message = f'parse:["{kind}"] and {kind}: [ids...] are mutually exclusive.'
            form.bad(path, "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", message)


def check_attachments(form: Form, attachments: list[Any], path: Path) -> None:
    """The list that names the uploaded or kept files."""
    for index, one in enumerate(attachments):
        at = (*path, index)
        if not isinstance(one, dict) or one.get("id") is None:
            form.bad((*at, "id"), "BASE_TYPE_REQUIRED", "This field is required")
            continue
        text(form, one, "filename", at, 1024, low=1)
        text(form, one, "description", at, 1024)
        text(form, one, "title", at, 1024)
        text(form, one, "waveform", at, 400)
        number(form, one, "duration_secs", at, 0, 2_147_483_647)


def check_embeds(form: Form, embeds: list[Any], path: Path) -> None:
    """Embeds one by one, and the 6,000 characters that all of them share."""
    for index, embed in enumerate(embeds):
        _check_embed(form, embed, (*path, index))
    if sum(_embed_size(embed) for embed in embeds) > EMBED_TOTAL:
        form.bad(path, "MAX_EMBED_SIZE_EXCEEDED", f"Embed size exceeds maximum size of {EMBED_TOTAL}")


def _check_embed(form: Form, embed: Json, path: Path) -> None:
    text(form, embed, "title", path, 256)
    text(form, embed, "description", path, 4096)
    text(form, embed, "url", path, 2048)
    number(form, embed, "color", path, 0, 0xFFFFFF)
    text(form, embed.get("footer") or {}, "text", (*path, "footer"), 2048)
    text(form, embed.get("author") or {}, "name", (*path, "author"), 256)
    for index, field in enumerate(items(form, embed, "fields", path, 25)):
        text(form, field, "name", (*path, "fields", index), 256, required=True)
        text(form, field, "value", (*path, "fields", index), 1024, required=True)


def _embed_size(embed: Json) -> int:
    fields = [part for field in embed.get("fields") or [] for part in (field.get("name"), field.get("value"))]
    footer, author = (embed.get("footer") or {}).get("text"), (embed.get("author") or {}).get("name")
    return sum(len(part or "") for part in [embed.get("title"), embed.get("description"), footer, author, *fields])
