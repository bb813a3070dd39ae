"""Functions that a model may call: schema and validation from the signature, a time limit, and what comes back."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from bot.engine.allowance import counted
from bot.engine.paint import Painting, newest_image, paint
from bot.engine.runtime import Runtime
from bot.errors import BotError, UnavailableError, UsageError
from bot.ports import ImageData, Tool
from bot.types import Message, Part, ToolCall, ToolResult, Turn

FAULT = "The tool failed because of a fault of its own, which has been logged. Calling it again will not help."
log = logging.getLogger(__name__)


@dataclass
class ToolContext:
    """What a tool may use."""

    turn: Turn
    runtime: Runtime
    messages: Sequence[Message]
    """What the model read, for tools that work on pictures in it."""
    made: Sequence[Part] = ()
    """What this answer's tools made so far."""
    wants_speech: bool = False
    """Set by `speak`: the answer is to be heard too."""
    notices: tuple[str, ...] = ()
    paintings: int = 0
    """Pictures that were asked of the image model, whether or not it made them: each is paid for."""


@dataclass(frozen=True)
class ToolOutcome:
    """What a tool gives: words for the model, parts for the person."""

    text: str
    parts: tuple[Part, ...] = ()


ToolFunction = Callable[..., Awaitable[ToolOutcome]]


@dataclass(frozen=True)
class _Registered:
    tool: Tool
    arguments: type[BaseModel]
    status: str
    run: ToolFunction
    is_on: Callable[[Runtime], bool]


_tools: dict[str, _Registered] = {}


def tool(status: str, is_on: Callable[[Runtime], bool]) -> Callable[[ToolFunction], ToolFunction]:
    """Make a function callable by models. Its docstring is the summary; `Annotated[type, "meaning"]` describes an argument.

    status: what the person reads while it runs. is_on: whether this installation has what the tool needs.
    """

    def register(function: ToolFunction) -> ToolFunction:
        summary = " ".join((inspect.getdoc(function) or "").split())
        arguments = _arguments_of(function)
        made = Tool(function.__name__, summary, _schema(arguments))
        _tools[made.name] = _Registered(made, arguments, status, function, is_on)
        return function

    return register


def _arguments_of(function: ToolFunction) -> type[BaseModel]:
    """A model of the function's arguments, all required, none beside them, each exactly of its type."""
    hints = get_type_hints(function, include_extras=True)
    names = [name for name in inspect.signature(function).parameters if name != "context"]
    fields: dict[str, Any] = {name: _field(hints[name]) for name in names}
    return create_model(function.__name__, __config__=ConfigDict(extra="forbid", strict=True), **fields)


def _field(hint: Any) -> tuple[Any, Any]:
    kind, meaning = (get_args(hint) if get_origin(hint) is Annotated else (hint, ""))[:2]
    return kind, Field(description=meaning)


def _schema(arguments: type[BaseModel]) -> dict[str, Any]:
    """Closed and all required, as strict function calling wants it. pydantic's titles say nothing that the names do not."""
    properties = arguments.model_json_schema().get("properties", {})
    plain = {name: {key: item for key, item in one.items() if key != "title"} for name, one in properties.items()}
    return {"type": "object", "properties": plain, "required": list(plain), "additionalProperties": False}


def offered(runtime: Runtime) -> list[Tool]:
    """The tools that this installation can run."""
    return [registered.tool for registered in _tools.values() if registered.is_on(runtime)]


def status_of(call: ToolCall) -> str:
    """What the person reads while the tool runs."""
    return _tools[call.name].status if call.name in _tools else f"Running {call.name}…"


async def run_tool(call: ToolCall, context: ToolContext) -> tuple[ToolResult, tuple[Part, ...]]:
    """The result for the model, an error included, and parts for the person."""
    try:
        async with asyncio.timeout(context.runtime.limits.tool_seconds):
            outcome = await _run(call, context)
    except TimeoutError:
        return ToolResult(call.id, context.runtime.limits.said("tool_seconds"), is_error=True), ()
    except BotError as error:
        log.warning("tool %s: %s (%s)", call.name, error.code, error.detail or error.text)
        return ToolResult(call.id, error.text, is_error=True), ()
    # The edge of the tools: a fault of ours is logged as ours, and the answer goes on without the tool.
    except Exception:
        log.exception("tool %s failed", call.name)
        return ToolResult(call.id, FAULT, is_error=True), ()
    return ToolResult(call.id, outcome.text), outcome.parts


async def _run(call: ToolCall, context: ToolContext) -> ToolOutcome:
    if call.name not in _tools:
        raise UsageError(f"There is no tool {call.name}.")
    registered = _tools[call.name]
    return await registered.run(context, **_validated(call, registered.arguments))


def _validated(call: ToolCall, arguments: type[BaseModel]) -> Mapping[str, Any]:
    """The call's arguments; raises UsageError, which the model reads, for wrong, missing or unknown ones."""
    try:
        made = arguments.model_validate(dict(call.arguments))
    except ValidationError as error:
        wrong = "; ".join(_in_words(one) for one in error.errors(include_url=False, include_input=False))
        raise UsageError(f"The arguments of {call.name} do not fit: {wrong}.") from error
    return {name: getattr(made, name) for name in arguments.model_fields}


def _in_words(error: Mapping[str, Any]) -> str:
    """One mistake, as a model reads it."""
    name = ".".join(str(part) for part in error["loc"])
    match error["type"]:
        case "missing":
            return f"{name} is missing"
        case "extra_forbidden":
            return f"there is no argument {name}"
        case "literal_error":
            return f"{name} must be {error['ctx']['expected']}"
    return f"{name}: {error['msg'][:1].lower()}{error['msg'][1:]}"


# --- The built-in tools ----------------------------------------------------------------------------------------------

SIZES = Literal["square", "landscape", "portrait"]
PAINTED = "The picture is made and the person sees it already. Do not repeat it; say at most a sentence."


def _paints(runtime: Runtime) -> bool:
    return _is_set_up(runtime.models.image_generator)


def _speaks(runtime: Runtime) -> bool:
    return _is_set_up(runtime.models.text_to_speech)


def _is_set_up(maker: Callable[[], object]) -> bool:
    try:
        maker()
    except UnavailableError:
        return False
    return True


@tool("Drawing…", _paints)
async def generate_image(
    context: ToolContext,
    prompt: Annotated[str, "What the picture shows, in detail: subject, style, light, colours, text in it."],
    shape: Annotated[SIZES, "The shape of the picture."],
) -> ToolOutcome:
    """Make a new picture and show it to the person. Call it whenever a picture, drawing, logo or photo is asked for."""
    return await _paint(context, prompt, shape)


@tool("Changing the picture…", _paints)
async def edit_image(
    context: ToolContext,
    prompt: Annotated[str, "What to change, and what must stay as it is."],
    shape: Annotated[SIZES, "The shape of the picture."],
) -> ToolOutcome:
    """Change the newest picture of the conversation, or make a variation of it, and show it to the person."""
    if (newest := newest_image(context.messages, context.made)) is None:
        return ToolOutcome("There is no picture in this conversation to change. Use generate_image.")
    data = await context.runtime.blobs(context.turn).read(newest.blob)
    return await _paint(context, prompt, shape, (ImageData(data, newest.blob.mime_type),))


async def _paint(context: ToolContext, prompt: str, shape: str, images: Sequence[ImageData] = ()) -> ToolOutcome:
    """Raises LimitError, which the model reads, when this answer has as many pictures as one may have."""
    if context.paintings >= context.runtime.limits.pictures_per_turn:
        raise counted(context.runtime.limits.error("pictures_per_turn"))
    context.paintings += 1
    painting: Painting = await paint(context.turn, context.runtime, prompt, shape, images)
    context.notices += painting.notices
    return ToolOutcome(PAINTED, painting.images)


@tool("Getting ready to speak…", _speaks)
async def speak(context: ToolContext) -> ToolOutcome:
    """Have the answer spoken as a voice message too. Call it when the person asks to hear the answer."""
    context.wants_speech = True
    return ToolOutcome("Your answer will be spoken. Now write what is to be said.")
