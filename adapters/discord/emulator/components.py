"""Owns what message components and modals may hold, by the vendor's OpenAPI file, version 10."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from . import limits
from .errors import Form
from .model import Json

Path = tuple[str | int, ...]

ROW, BUTTON, STRING_SELECT, TEXT_INPUT, SECTION, TEXT_DISPLAY, THUMBNAIL = 1, 2, 3, 4, 9, 10, 11
GALLERY, FILE, SEPARATOR, CONTAINER, LABEL, UPLOAD, RADIOS, CHECKS, CHECKBOX = 12, 13, 14, 17, 18, 19, 21, 22, 23
SELECTS = (3, 5, 6, 7, 8)
TOP_1 = (ROW,)
TOP_2 = (ROW, SECTION, TEXT_DISPLAY, GALLERY, FILE, SEPARATOR, CONTAINER)
IN_CONTAINER = (ROW, SECTION, TEXT_DISPLAY, GALLERY, FILE, SEPARATOR)
IN_LABEL = (TEXT_INPUT, *SELECTS, UPLOAD, RADIOS, CHECKS, CHECKBOX)

ROWS, TOTAL, DISPLAY_CHARACTERS, CUSTOM_ID = 5, 40, 4000, 100
"""At most 5 rows, or with components v2 40 components and 4,000 characters of text in the whole message."""


def walk(components: list[Json]) -> Iterator[Json]:
    """Every component, with those inside."""
    for component in components:
        yield component
        inside = [*(component.get("components") or [])]
        inside += [component[key] for key in ("accessory", "component") if component.get(key)]
        yield from walk(inside)


def check(form: Form, components: list[Any], path: Path, *, version_2: bool) -> None:
    """Check a message's components; version_2: whether the message has the flag IS_COMPONENTS_V2."""
    every = list(walk(components))
    if not version_2 and len(components) > ROWS:
        form.bad(path, "BASE_TYPE_BAD_LENGTH", f"Must be {ROWS} or fewer in length.")
    if len(every) > TOTAL:
        form.bad(path, "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED", f"The total number of components exceeds {TOTAL}")
    if sum(len(one.get("content") or "") for one in every if one.get("type") == TEXT_DISPLAY) > DISPLAY_CHARACTERS:
        message = f"The displayable text size exceeds maximum size of {DISPLAY_CHARACTERS}"
        form.bad(path, "COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED", message)
    for index, component in enumerate(components):
        _one(form, component, (*path, index), TOP_2 if version_2 else TOP_1)
    _unique(form, every, path)


def _unique(form: Form, every: list[Json], path: Path) -> None:
    ids = [one["custom_id"] for one in every if one.get("custom_id")]
    if len(ids) != len(set(ids)):
        form.bad(path, "COMPONENT_CUSTOM_ID_DUPLICATED", "Component custom id cannot be duplicated")


def _one(form: Form, component: Json, path: Path, allowed: tuple[int, ...]) -> None:
    kind = component.get("type")
    if kind not in allowed:
        shown = ", ".join(map(str, allowed))
        form.bad((*path, "type"), "UNION_TYPE_CHOICES", f'Value of field "type" must be one of ({shown},).')
        return
    CHECKS_BY_KIND.get(kind, _select if kind in SELECTS else _nothing)(form, component, path)


def _nothing(form: Form, component: Json, path: Path) -> None:
    """Nothing beyond the type to check."""


def _row(form: Form, component: Json, path: Path) -> None:
    inside = limits.items(form, component, "components", path, 5, low=1)
    for index, child in enumerate(inside):
        _one(form, child, (*path, "components", index), (BUTTON, *SELECTS))
    if any(child.get("type") in SELECTS for child in inside) and len(inside) > 1:
        form.bad(
            (*path, "components"),
            "COMPONENT_LAYOUT_WIDTH_EXCEEDED",
            "The specified component exceeds the maximum width",
        )


def _button(form: Form, component: Json, path: Path) -> None:
    limits.text(form, component, "custom_id", path, CUSTOM_ID, low=1)
    limits.text(form, component, "label", path, 80)
    limits.text(form, component, "url", path, 512)
    limits.choice(form, component, "style", path, (1, 2, 3, 4, 5, 6))
    style = component.get("style")
    if style == 5 and not component.get("url"):
        form.bad((*path, "url"), "BUTTON_COMPONENT_URL_REQUIRED", "A url is required")
    if style in (1, 2, 3, 4) and not component.get("custom_id"):
        form.bad((*path, "custom_id"), "BUTTON_COMPONENT_CUSTOM_ID_REQUIRED", "A custom id is required")
    if style != 6 and not component.get("label") and not component.get("emoji"):
        form.bad((*path, "label"), "BUTTON_COMPONENT_INVALID", "A button must have a label or an emoji")


def _select(form: Form, component: Json, path: Path) -> None:
    limits.text(form, component, "custom_id", path, CUSTOM_ID, low=1, required=True)
    limits.text(form, component, "placeholder", path, 150)
    limits.number(form, component, "min_values", path, 0, 25)
    limits.number(form, component, "max_values", path, 1, 25)
    if component.get("type") == STRING_SELECT:
        _options(form, component, path, 1, 25)


def _options(form: Form, component: Json, path: Path, low: int, high: int) -> None:
    if component.get("options") is None:
        form.bad((*path, "options"), "BASE_TYPE_REQUIRED", "This field is required")
    options = limits.items(form, component, "options", path, high, low=low)
    for index, option in enumerate(options):
        for key in ("label", "value"):
            limits.text(form, option, key, (*path, "options", index), 100, low=1, required=True)
        limits.text(form, option, "description", (*path, "options", index), 100)
    values = [option.get("value") for option in options]
    if len(values) != len(set(values)):
        form.bad(
            (*path, "options"), "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED", "The specified option value is already used"
        )


def _section(form: Form, component: Json, path: Path) -> None:
    for index, child in enumerate(limits.items(form, component, "components", path, 3, low=1)):
        _one(form, child, (*path, "components", index), (TEXT_DISPLAY,))
    accessory = component.get("accessory")
    if accessory is None:
        form.bad((*path, "accessory"), "BASE_TYPE_REQUIRED", "This field is required")
    else:
        _one(form, accessory, (*path, "accessory"), (BUTTON, THUMBNAIL))


def _display(form: Form, component: Json, path: Path) -> None:
    limits.text(form, component, "content", path, DISPLAY_CHARACTERS, low=1, required=True)


def _gallery(form: Form, component: Json, path: Path) -> None:
    for index, item in enumerate(limits.items(form, component, "items", path, 10, low=1)):
        limits.text(form, item, "description", (*path, "items", index), 1024)
        _media(form, item, "media", (*path, "items", index))


def _media(form: Form, owner: Json, key: str, path: Path) -> None:
    limits.text(form, owner.get(key) or {}, "url", (*path, key), 2048, low=1, required=True)


def _thumbnail(form: Form, component: Json, path: Path) -> None:
    limits.text(form, component, "description", path, 1024)
    _media(form, component, "media", path)


def _file(form: Form, component: Json, path: Path) -> None:
    _media(form, component, "file", path)
    if not str((component.get("file") or {}).get("url", "")).startswith("attachment://"):
        form.bad((*path, "file", "url"), "INVALID_URL", "A file component takes only attachment:// addresses")


def _container(form: Form, component: Json, path: Path) -> None:
    limits.number(form, component, "accent_color", path, 0, 0xFFFFFF)
    for index, child in enumerate(limits.items(form, component, "components", path, TOTAL, low=1)):
        _one(form, child, (*path, "components", index), IN_CONTAINER)


def _label(form: Form, component: Json, path: Path) -> None:
    limits.text(form, component, "label", path, 45, low=1, required=True)
    limits.text(form, component, "description", path, 100)
    _one(form, component.get("component") or {}, (*path, "component"), IN_LABEL)


def _input(form: Form, component: Json, path: Path) -> None:
    limits.text(form, component, "custom_id", path, CUSTOM_ID, low=1, required=True)
    limits.text(form, component, "label", path, 45)
    limits.text(form, component, "value", path, 4000)
    limits.text(form, component, "placeholder", path, 100)
    limits.choice(form, component, "style", path, (1, 2))
    limits.number(form, component, "min_length", path, 0, 4000)
    limits.number(form, component, "max_length", path, 1, 4000)


def _upload(form: Form, component: Json, path: Path) -> None:
    limits.text(form, component, "custom_id", path, CUSTOM_ID, low=1, required=True)
    limits.number(form, component, "max_values", path, 1, 10)


def _radios(form: Form, component: Json, path: Path) -> None:
    limits.text(form, component, "custom_id", path, CUSTOM_ID, low=1, required=True)
    _options(form, component, path, 2 if component.get("type") == RADIOS else 1, 10)


CHECKS_BY_KIND: dict[int, Callable[[Form, Json, Path], None]] = {
    ROW: _row,
    BUTTON: _button,
    SECTION: _section,
    TEXT_DISPLAY: _display,
    THUMBNAIL: _thumbnail,
    GALLERY: _gallery,
    FILE: _file,
    CONTAINER: _container,
    LABEL: _label,
    TEXT_INPUT: _input,
    UPLOAD: _upload,
    RADIOS: _radios,
    CHECKS: _radios,
}


def check_modal(form: Form, modal: Json, path: Path) -> None:
    """Check a modal: its id, a title of at most 45 characters, one to five labels or rows."""
    limits.text(form, modal, "custom_id", path, CUSTOM_ID, low=1, required=True)
    limits.text(form, modal, "title", path, 45, low=1, required=True)
    inside = limits.items(form, modal, "components", path, 5, low=1)
    for index, component in enumerate(inside):
        at = (*path, "components", index)
        if component.get("type") == ROW:
            for position, child in enumerate(limits.items(form, component, "components", at, 1, low=1)):
                _one(form, child, (*at, "components", position), (TEXT_INPUT,))
        else:
            _one(form, component, at, (LABEL, TEXT_DISPLAY))
    _unique(form, list(walk(inside)), (*path, "components"))


FILLED: dict[int, Json] = {
    STRING_SELECT: {"min_values": 1, "max_values": 1},
    THUMBNAIL: {"description": None, "spoiler": False},
    FILE: {"spoiler": False},
    SEPARATOR: {"spacing": 1, "divider": True},
    CONTAINER: {"accent_color": None, "spoiler": False},
}
"""What Discord fills in where a component leaves it out."""


def numbered(components: list[Json]) -> list[Json]:
    """The components as Discord gives them back: each with an `id`, counted from 1 where none was given."""
    taken = {one["id"] for one in walk(components) if one.get("id")}
    free = (n for n in range(1, 10_000) if n not in taken)

    def number(component: Json) -> Json:
        made = {key: value for key, value in component.items() if value is not None}
        made = {**FILLED.get(made["type"], {}), **made, "id": component.get("id") or next(free)}
        for key in ("accessory", "component"):
            if key in made:
                made[key] = number(made[key])
        if "components" in made:
            made["components"] = [number(child) for child in made["components"]]
        return made

    return [number(component) for component in components]
