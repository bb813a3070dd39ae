"""Functions that a model may call: the schema from the signature, a time limit, and what comes back."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from bot.engine.budget import paid
from bot.engine.runtime import Runtime
from bot.errors import BotError, UnavailableError
from bot.ports import ImageData, Tool
from bot.types import Image, Message, Part, ToolCall, ToolResult, Turn

TIMEOUT_S = 300.0
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


@dataclass(frozen=True)
class ToolOutcome:
    """What a tool gives: words for the model, parts for the person."""

    text: str
    parts: tuple[Part, ...] = ()


ToolFunction = Callable[..., Awaitable[ToolOutcome]]


@dataclass(frozen=True)
class _Registered:
    tool: Tool
    status: str
    run: ToolFunction
    is_on: Callable[[Runtime], bool]


_tools: dict[str, _Registered] = {}
_JSON_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}


def tool(status: str, is_on: Callable[[Runtime], bool]) -> Callable[[ToolFunction], ToolFunction]:
    """Make a function callable by models. Its docstring is the summary; `Annotated[type, "meaning"]` describes an argument.

    status: what the person reads while it runs. is_on: whether this installation has what the tool needs.
    """

    def register(function: ToolFunction) -> ToolFunction:
        summary = inspect.getdoc(function) or ""
        made = Tool(function.__name__, " ".join(summary.split()), _schema(function))
        _tools[made.name] = _Registered(made, status, function, is_on)
        return function

    return register


def _schema(function: ToolFunction) -> dict[str, Any]:
    hints = get_type_hints(function, include_extras=True)
    names = [name for name in inspect.signature(function).parameters if name != "context"]
    properties = {name: _property(hints[name]) for name in names}
    return {"type": "object", "properties": properties, "required": names, "additionalProperties": False}


def _property(hint: Any) -> dict[str, Any]:
    kind, meaning = (get_args(hint) if get_origin(hint) is Annotated else (hint, ""))[:2]
    if get_origin(kind) is Literal:
        return {"type": "string", "enum": list(get_args(kind)), "description": meaning}
    return {"type": _JSON_TYPES[kind], "description": meaning}


def offered(runtime: Runtime) -> list[Tool]:
    """The tools that this installation can run."""
    return [registered.tool for registered in _tools.values() if registered.is_on(runtime)]


def status_of(call: ToolCall) -> str:
    """What the person reads while the tool runs."""
    return _tools[call.name].status if call.name in _tools else f"Running {call.name}…"


async def run_tool(call: ToolCall, context: ToolContext) -> tuple[ToolResult, tuple[Part, ...]]:
    """The result for the model, an error included, and parts for the person."""
    if call.name not in _tools:
        return ToolResult(call.id, f"There is no tool {call.name}.", is_error=True), ()
    try:
        async with asyncio.timeout(TIMEOUT_S):
            outcome = await _tools[call.name].run(context, **_arguments(call))
    except TimeoutError:
        return ToolResult(call.id, "The tool took too long and was stopped.", is_error=True), ()
    except BotError as error:
        log.warning("tool %s: %s (%s)", call.name, error.code, error.detail or error.text)
        return ToolResult(call.id, error.text, is_error=True), ()
    except TypeError as error:
        return ToolResult(call.id, f"The arguments do not fit: {error}", is_error=True), ()
    return ToolResult(call.id, outcome.text), outcome.parts


def _arguments(call: ToolCall) -> Mapping[str, Any]:
    wanted = _tools[call.name].tool.parameters["properties"]
    return {name: value for name, value in call.arguments.items() if name in wanted}


# --- The built-in tools ----------------------------------------------------------------------------------------------

SIZES = Literal["square", "landscape", "portrait"]


def _paints(runtime: Runtime) -> bool:
    try:
        runtime.models.image_generator()
    except UnavailableError:
        return False
    return True


def _speaks(runtime: Runtime) -> bool:
    try:
        runtime.models.text_to_speech()
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
    return await paint(context, prompt, shape, ())


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
    return await paint(context, prompt, shape, (ImageData(data, newest.blob.mime_type),))


@tool("Getting ready to speak…", _speaks)
async def speak(context: ToolContext) -> ToolOutcome:
    """Have the answer spoken as a voice message too. Call it when the person asks to hear the answer."""
    context.wants_speech = True
    return ToolOutcome("Your answer will be spoken. Now write what is to be said.")


async def paint(
    context: ToolContext, prompt: str, size: str, images: Sequence[ImageData], count: int = 1
) -> ToolOutcome:
    """Make pictures by the configured model and keep them; raises UnavailableError, RefusedError, ProviderError."""
    runtime, settings = context.runtime, context.turn.settings
    async with paid(runtime, context.turn, "image") as bill:
        painted = await runtime.models.image_generator().generate(
            prompt,
            size=settings.image_size or size,
            quality=settings.image_quality or "",
            count=count,
            images=images,
        )
        bill.usage = painted.usage
    context.notices += painted.notices
    blobs = [await runtime.blobs(context.turn).write(picture.data, picture.mime_type) for picture in painted.pictures]
    parts = tuple(Image(blob, f"picture-{index}", description=prompt) for index, blob in enumerate(blobs, start=1))
    return ToolOutcome(
        "The picture is made and the person sees it already. Do not repeat it; say at most a sentence.", parts
    )


def newest_image(messages: Sequence[Message], made: Sequence[Part] = ()) -> Image | None:
    """The last picture of what was made just now, else the last one in these messages."""
    read = (part for message in reversed(messages) for part in reversed(message.parts))
    return next((part for part in (*reversed(made), *read) if isinstance(part, Image)), None)
