"""Owns the limits of Block Kit: what a list of blocks may hold, and Slack's words for what is wrong. Pure."""

from collections.abc import Callable, Iterator
from typing import Any

from .workspace import Json, block_text

MAX_TEXT_TOTAL = 13_200
"""All text of all blocks of a message. Field observation; beyond it Slack answers `msg_blocks_too_long`."""
MAX_MARKDOWN_TOTAL = 12_000
"""Over all `markdown` blocks of one payload. Source: Slack, Block Kit, markdown block."""
MAX_BLOCKS = {"message": 50, "modal": 100, "home": 100}
BLOCK_ID_MAX = ACTION_ID_MAX = 255

Rule = Callable[[Json, str], Iterator[str]]


def check_blocks(blocks: Any, surface: str = "message") -> list[str]:
    """What is wrong with blocks, as Slack's `response_metadata.messages` says it; empty when nothing is."""
    if not isinstance(blocks, list):
        return ["[ERROR] expected an array [json-pointer:/blocks]"]
    problems = []
    if len(blocks) > MAX_BLOCKS[surface]:
        problems.append(f"[ERROR] no more than {MAX_BLOCKS[surface]} items allowed [json-pointer:/blocks]")
    for index, block in enumerate(blocks):
        problems += _check_block(block, f"/blocks/{index}")
    return problems + list(_across(blocks))


def is_too_long(blocks: list[Json]) -> bool:
    """Whether the text of all blocks together is more than Slack takes (`msg_blocks_too_long`)."""
    return len(block_text([block for block in blocks if block.get("type") != "markdown"])) > MAX_TEXT_TOTAL


def normalised(blocks: list[Json], seed: Callable[[], str]) -> list[Json]:
    """The blocks as Slack keeps them: ids filled in for blocks and interactive elements."""
    return [_with_ids(block, seed) for block in blocks]


def _with_ids(block: Json, seed: Callable[[], str]) -> Json:
    block = {"block_id": seed(), **block}
    if "elements" in block and block["type"] in ("actions", "context_actions"):
        block["elements"] = [{"action_id": seed(), **element} for element in block["elements"]]
    return block


def _check_block(block: Any, at: str) -> list[str]:
    if not isinstance(block, dict):
        return [f"[ERROR] expected an object [json-pointer:{at}]"]
    kind = block.get("type")
    if kind not in RULES:
        return [f"[ERROR] unsupported type: {kind} [json-pointer:{at}/type]"]
    return [*_longest(block, at, "block_id", BLOCK_ID_MAX), *RULES[kind](block, at)]


def _across(blocks: list[Any]) -> Iterator[str]:
    whole = [block for block in blocks if isinstance(block, dict)]
    ids = [block["block_id"] for block in whole if block.get("block_id")]
    for repeated in sorted({name for name in ids if ids.count(name) > 1}):
        yield f"[ERROR] `block_id` already exists: {repeated} [json-pointer:/blocks]"
    markdown = sum(len(str(block.get("text", ""))) for block in whole if block.get("type") == "markdown")
    if markdown > MAX_MARKDOWN_TOTAL:
        yield f"[ERROR] must be less than {MAX_MARKDOWN_TOTAL + 1} characters [json-pointer:/blocks]"
    if sum(block.get("type") in ("table", "data_table") for block in whole) > 1:
        yield "[ERROR] only_one_table_allowed [json-pointer:/blocks]"


def _longest(holder: Json, at: str, name: str, limit: int) -> Iterator[str]:
    value = holder.get(name)
    if isinstance(value, str) and len(value) > limit:
        yield f"[ERROR] must be less than {limit + 1} characters [json-pointer:{at}/{name}]"


def _needed(holder: Json, at: str, *names: str) -> Iterator[str]:
    for name in names:
        if holder.get(name) in (None, ""):
            yield f"[ERROR] missing required field: {name} [json-pointer:{at}]"


def _count(holder: Json, at: str, name: str, least: int, most: int) -> Iterator[str]:
    items = holder.get(name)
    if not isinstance(items, list) or len(items) < least:
        yield f"[ERROR] must provide at least {least} items [json-pointer:{at}/{name}]"
    elif len(items) > most:
        yield f"[ERROR] no more than {most} items allowed [json-pointer:{at}/{name}]"


def _text(value: Any, at: str, limit: int, *, plain: bool = False) -> Iterator[str]:
    kinds = ("plain_text",) if plain else ("plain_text", "mrkdwn")
    if not isinstance(value, dict) or value.get("type") not in kinds:
        yield f"[ERROR] failed to match all allowed schemas [json-pointer:{at}]"
        return
    if not value.get("text"):
        yield f"[ERROR] must be more than 0 characters [json-pointer:{at}/text]"
    yield from _longest(value, at, "text", limit)


def _section(block: Json, at: str) -> Iterator[str]:
    if not block.get("text") and not block.get("fields"):
        yield f"[ERROR] failed to match all allowed schemas [json-pointer:{at}]"
    if "text" in block:
        yield from _text(block["text"], f"{at}/text", 3000)
    if "fields" in block:
        yield from _count(block, at, "fields", 1, 10)
        for index, text in enumerate(block["fields"]):
            yield from _text(text, f"{at}/fields/{index}", 2000)
    if "accessory" in block:
        yield from _element(block["accessory"], f"{at}/accessory")


def _header(block: Json, at: str) -> Iterator[str]:
    yield from _text(block.get("text"), f"{at}/text", 150, plain=True)


def _elements(most: int, least: int = 1) -> Rule:
    def rule(block: Json, at: str) -> Iterator[str]:
        yield from _count(block, at, "elements", least, most)
        names = [element.get("action_id") for element in block.get("elements", [])]
        for index, element in enumerate(block.get("elements", [])):
            yield from _element(element, f"{at}/elements/{index}")
            if element.get("action_id") and names.count(element["action_id"]) > 1:
                repeated = f"{at}/elements/{index}/action_id"
                yield f"[ERROR] `action_id` already exists: {element['action_id']} [json-pointer:{repeated}]"

    return rule


def _context(block: Json, at: str) -> Iterator[str]:
    yield from _count(block, at, "elements", 1, 10)
    for index, element in enumerate(block.get("elements", [])):
        here = f"{at}/elements/{index}"
        yield from _image(element, here) if element.get("type") == "image" else _text(element, here, 3000)


def _element(element: Json, at: str) -> Iterator[str]:
    yield from _longest(element, at, "action_id", ACTION_ID_MAX)
    kind = element.get("type", "")
    if kind == "button":
        yield from _button(element, at)
    elif kind == "image":
        yield from _image(element, at)
    elif kind == "overflow":
        yield from _count(element, at, "options", 1, 5)
    elif kind in ("static_select", "multi_static_select") and "option_groups" not in element:
        yield from _options(element, at, 100)
    elif kind in ("radio_buttons", "checkboxes"):
        yield from _options(element, at, 10)
    elif kind == "feedback_buttons":
        yield from _feedback(element, at)
    elif kind not in OTHER_ELEMENTS:
        yield f"[ERROR] unsupported type: {kind} [json-pointer:{at}/type]"


def _button(element: Json, at: str) -> Iterator[str]:
    yield from _text(element.get("text"), f"{at}/text", 75, plain=True)
    yield from _longest(element, at, "value", 2000)
    yield from _longest(element, at, "url", 3000)
    if element.get("style") not in (None, "primary", "danger"):
        yield f"[ERROR] must be a valid enum value [json-pointer:{at}/style]"


def _options(element: Json, at: str, most: int) -> Iterator[str]:
    yield from _count(element, at, "options", 1, most)
    for index, option in enumerate(element.get("options", [])):
        here = f"{at}/options/{index}"
        yield from _text(option.get("text"), f"{here}/text", 75)
        yield from _needed(option, here, "value")
        yield from _longest(option, here, "value", 150)


def _feedback(element: Json, at: str) -> Iterator[str]:
    for side in ("positive_button", "negative_button"):
        button = element.get(side)
        if not isinstance(button, dict):
            yield f"[ERROR] missing required field: {side} [json-pointer:{at}]"
        else:
            yield from _text(button.get("text"), f"{at}/{side}/text", 75, plain=True)
            yield from _longest(button, f"{at}/{side}", "value", 2000)


def _image(block: Json, at: str) -> Iterator[str]:
    if not block.get("image_url") and not block.get("slack_file"):
        yield f"[ERROR] missing required field: image_url [json-pointer:{at}]"
    yield from _needed(block, at, "alt_text")
    yield from _longest(block, at, "alt_text", 2000)
    yield from _longest(block, at, "image_url", 3000)


def _input(block: Json, at: str) -> Iterator[str]:
    yield from _text(block.get("label"), f"{at}/label", 2000, plain=True)
    if not isinstance(block.get("element"), dict):
        yield f"[ERROR] missing required field: element [json-pointer:{at}]"
    else:
        yield from _element(block["element"], f"{at}/element")


def _markdown(block: Json, at: str) -> Iterator[str]:
    yield from _needed(block, at, "text")
    yield from _longest(block, at, "text", MAX_MARKDOWN_TOTAL)


def _table(block: Json, at: str) -> Iterator[str]:
    yield from _count(block, at, "rows", 1, 100)
    for index, row in enumerate(block.get("rows", [])):
        if len(row) > 20:
            yield f"[ERROR] no more than 20 items allowed [json-pointer:{at}/rows/{index}]"
        for place, cell in enumerate(row):
            if cell.get("type") not in ("raw_text", "rich_text", "raw_number"):
                yield f"[ERROR] unsupported type: {cell.get('type')} [json-pointer:{at}/rows/{index}/{place}/type]"
            if cell.get("type") == "raw_text":
                yield from _needed(cell, f"{at}/rows/{index}/{place}", "text")
    if len(block_text([block])) > 10_000:
        yield f"[ERROR] must be less than 10001 characters [json-pointer:{at}]"


def _task_card(block: Json, at: str) -> Iterator[str]:
    yield from _needed(block, at, "task_id", "title")
    if block.get("status") not in ("pending", "in_progress", "complete", "error"):
        yield f"[ERROR] must be a valid enum value [json-pointer:{at}/status]"


def _plan(block: Json, at: str) -> Iterator[str]:
    yield from _needed(block, at, "title")
    if len(block.get("tasks", [])) > 50:
        yield f"[ERROR] no more than 50 items allowed [json-pointer:{at}/tasks]"


def _with(*names: str) -> Rule:
    def rule(block: Json, at: str) -> Iterator[str]:
        yield from _needed(block, at, *names)

    return rule


OTHER_ELEMENTS = frozenset(
    [
        "plain_text_input",
        "email_text_input",
        "url_text_input",
        "number_input",
        "rich_text_input",
        "datepicker",
        "timepicker",
        "datetimepicker",
        "external_select",
        "multi_external_select",
        "users_select",
        "multi_users_select",
        "conversations_select",
        "multi_conversations_select",
        "channels_select",
        "multi_channels_select",
        "static_select",
        "multi_static_select",
        "file_input",
        "icon_button",
        "workflow_button",
        "url",
    ]
)
RULES: dict[str, Rule] = {
    "section": _section,
    "header": _header,
    "divider": _with(),
    "image": _image,
    "actions": _elements(25),
    "context": _context,
    "context_actions": _elements(5),
    "input": _input,
    "markdown": _markdown,
    "table": _table,
    "rich_text": _with("elements"),
    "file": _with("external_id", "source"),
    "video": _with("video_url", "thumbnail_url", "alt_text", "title"),
    "task_card": _task_card,
    "plan": _plan,
    "alert": _with(),
    "card": _with(),
    "container": _with(),
    "carousel": _with("elements"),
    "auth_provider": _with(),
    "call": _with("call_id"),
}
