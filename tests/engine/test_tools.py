"""Tools that a model calls: validated before they run, told in plain words, and within limits."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from bot.app import App
from bot.engine.tools import FAULT, offered
from bot.policy.limits import LIMITS
from bot.ports import ModelDone
from bot.store import schema
from bot.types import Text, ToolCall, ToolResult, Usage
from tests.fakes import FakeAdapter, answer
from tests.support import echo, last_request, rows

DONE = ModelDone(Usage(), "tools")


def draw(id: str, **arguments: Any) -> ToolCall:
    """A call for a picture."""
    return ToolCall(id, "generate_image", {"prompt": "a red cat", "shape": "square", **arguments})


def results(app: App) -> list[ToolResult]:
    """What the model read of its tools last."""
    return [part for message in last_request(app).messages for part in message.parts if isinstance(part, ToolResult)]


async def paintings(app: App) -> list[Any]:
    """The paid calls of the image model."""
    return [row for row in await rows(app, schema.calls) if row.modality == "image"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"prompt": 12}, "The arguments of generate_image do not fit: prompt: input should be a valid string."),
        ({"shape": "hexagon"}, "shape must be 'square', 'landscape' or 'portrait'"),
        ({"colour": "red"}, "there is no argument colour"),
    ],
)
async def test_wrong_arguments_are_told_to_the_model(
    app: App, platform: FakeAdapter, arguments: dict[str, Any], said: str
) -> None:
    """A call whose arguments do not fit runs nothing and costs nothing; the model reads what is wrong."""
    echo(app).enqueue(draw("c1", **arguments), DONE)
    await answer(app, platform, platform.says("draw"))
    [result] = results(app)
    assert result.is_error and said in result.text
    assert await paintings(app) == []


async def test_missing_arguments_are_told_to_the_model(app: App, platform: FakeAdapter) -> None:
    """Every argument that lacks is named."""
    echo(app).enqueue(ToolCall("c1", "generate_image", {}), DONE)
    await answer(app, platform, platform.says("draw"))
    assert results(app)[0].text.endswith("do not fit: prompt is missing; shape is missing.")


async def test_the_schema_is_closed_and_plain(app: App) -> None:
    """Models read a closed schema, all of it required, with a meaning for each argument and no titles."""
    by_name = {tool.name: tool.parameters for tool in offered(app.runtime)}
    assert by_name["speak"] == {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
    image = by_name["generate_image"]
    assert (image["required"], image["additionalProperties"]) == (["prompt", "shape"], False)
    assert image["properties"]["shape"] == {
        "type": "string",
        "enum": ["square", "landscape", "portrait"],
        "description": "The shape of the picture.",
    }


async def test_a_fault_of_ours_in_a_tool_is_logged_as_ours(
    app: App, platform: FakeAdapter, caplog: pytest.LogCaptureFixture
) -> None:
    """An exception that is no BotError is no fault of the model's: it is in the log with its traceback, and the answer goes on."""
    echo(app).enqueue(draw("c1"), DONE)
    echo(app).enqueue(TypeError("our own mistake"), modality="image")
    shown = await answer(app, platform, platform.says("draw"))
    assert [result.text for result in results(app)] == [FAULT]
    [record] = [one for one in caplog.records if one.name == "bot.engine.tools" and one.levelno == logging.ERROR]
    assert record.exc_info and "our own mistake" in str(record.exc_info[1])
    assert shown.reply and not shown.reply.error


async def test_one_message_buys_few_pictures(app: App, platform: FakeAdapter) -> None:
    """A model that asks for forty pictures a round, round after round, gets as many as one answer may have."""
    for round_number in range(LIMITS.rounds):
        echo(app).enqueue(*(draw(f"c{round_number}-{number}") for number in range(40)), DONE)
    shown = await answer(app, platform, platform.says("read this"))
    assert len(await paintings(app)) == LIMITS.pictures_per_turn
    assert (
        shown.reply
        and len([part for part in shown.reply.parts if not isinstance(part, Text)]) == LIMITS.pictures_per_turn
    )
    assert any("one answer may have 4" in result.text for result in results(app))


async def test_one_message_runs_few_tools(app: App, platform: FakeAdapter) -> None:
    """Of more calls than one round or one answer may have only those run, and what is left out is named once a round."""
    for round_number in range(LIMITS.rounds):
        echo(app).enqueue(*(ToolCall(f"c{round_number}-{number}", "fly", {}) for number in range(40)), DONE)
    await answer(app, platform, platform.says("fly"))
    ran = [result for result in results(app) if "There is no tool fly" in result.text]
    left_out = [result for result in results(app) if result.text.startswith("Not run")]
    assert len(ran) == LIMITS.tool_calls_per_turn
    assert 0 < len(left_out) <= LIMITS.rounds
    assert not chat_requests(app)[-1].tools, "no tools are offered when none may be called"
    assert len(chat_requests(app)) == 4, "8, 8 and 4 calls, then an answer without tools"


def chat_requests(app: App) -> list[Any]:
    """What the chat model read, each time."""
    return [call.request for call in echo(app).calls if call.modality == "chat"]
