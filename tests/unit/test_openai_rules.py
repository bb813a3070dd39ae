"""OpenAI's provider, its pure parts: what is sent for which setting, what an error means, what a model is."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from openai._models import construct_type
from openai.types.chat import ChatCompletionChunk
from openai.types.shared import chat_model
from pydantic import ValidationError

from bot.engine.compose import compose
from bot.errors import OverloadedError, ProviderError, QuotaError, RefusedError, RejectedError
from bot.ports import Tool
from bot.providers.openai import Options, create, wire
from bot.providers.openai.chat import _Answer
from bot.providers.openai.errors import failed, is_lasting, parameter, translate
from bot.providers.openai.prices import price_micro_usd
from bot.providers.openai.profiles import ENDS, FAMILIES, OFFERED, chat_profile, ends, family
from bot.providers.openai.settings import fitting, learn, wants_completions
from bot.types import EPOCH, Audio, Blob, File, Image, Message, Settings, Text, ToolCall, ToolResult, Usage
from tests.contracts.providers import MemoryBlobs

BLOB = Blob("0" * 64, "image/png", 3)
REASONING = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "sealed"}


def refused(status: int, **error: Any) -> openai.APIStatusError:
    """The SDK's error for an answer of that status."""
    body = {"message": "no", "type": "invalid_request_error", "param": None, "code": None, **error}
    request = httpx2.Request("POST", "http://127.0.0.1/v1/responses")
    response = httpx2.Response(status, request=request, text=json.dumps({"error": body}))
    client = openai.OpenAI(api_key="k", base_url="http://127.0.0.1/v1")
    try:
        made = client._make_status_error_from_response(response)
    finally:
        client.close()
    return made


# --- Errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (400, {"code": "context_length_exceeded"}, RejectedError),
        (400, {"message": "This model's maximum context length is 8192 tokens."}, RejectedError),
        (413, {}, RejectedError),
        (400, {"code": "content_policy_violation"}, RefusedError),
        (400, {"code": "billing_hard_limit_reached"}, QuotaError),
        (429, {"code": "credit_balance_exhausted"}, QuotaError),
        (429, {"code": "rate_limit_exceeded"}, OverloadedError),
        (409, {}, OverloadedError),
        (529, {}, OverloadedError),
    ],
)
def test_what_an_answer_means(status: int, error: dict[str, Any], kind: type[ProviderError]) -> None:
    """Money, load, content and length are told apart, since each needs another deed."""
    assert type(translate(refused(status, **error))) is kind


def test_a_key_that_the_server_quotes_stays_hidden() -> None:
    """Neither the text nor the log line holds the key."""
    for status in (400, 401):
        made = translate(refused(status, message="Incorrect API key provided: sk-proj-abc123def."))
        assert "abc123def" not in made.text + made.detail


@pytest.mark.parametrize(
    ("code", "kind"),
    [("server_error", OverloadedError), ("insufficient_quota", QuotaError), ("content_filter", RefusedError),
     ("context_length_exceeded", RejectedError), ("model_not_found", RejectedError),
     ("odd", ProviderError), ("500", OverloadedError), ("400", ProviderError)],
)  # fmt: skip
def test_what_a_failing_stream_means(code: str, kind: type[ProviderError]) -> None:
    """A failure after 200 has the same names as one before."""
    assert type(failed(code, "no")) is kind


def test_a_wrong_value_is_no_lasting_refusal() -> None:
    """One person's temperature of 9 does not take the setting from everybody."""
    value = translate(refused(400, param="temperature", code="decimal_above_max_value", message="Expected <= 2."))
    lasting = translate(refused(400, param="temperature", message="Unsupported parameter: 'temperature'."))
    assert isinstance(value, RejectedError)
    assert isinstance(lasting, RejectedError)
    assert (is_lasting(value), is_lasting(lasting)) == (False, True)
    for error, kept in ((value, set()), (lasting, {"temperature"})):
        dropped: set[str] = set()
        always: set[str] = set()
        assert learn(error, Settings(temperature=9), dropped, always)
        assert (dropped, always) == ({"temperature"}, kept)
        assert not learn(error, Settings(temperature=9), dropped, always)


def test_a_parameter_is_named_without_its_path() -> None:
    """`reasoning.effort` and `input[0].content` are about `reasoning` and `input`."""
    assert [parameter(RejectedError("", param=name)) for name in ("reasoning.effort", "input[0].content", "")] == [
        "reasoning",
        "input",
        "",
    ]


# --- Settings --------------------------------------------------------------------------------------------------------


def test_a_temperature_turns_reasoning_off() -> None:
    """Where a model can rest, a temperature is taken by letting it rest."""
    kept, notices = fitting("gpt-6.1-terra", Settings(temperature=0.2), (), completions=False)
    assert (kept, notices) == ({"temperature": 0.2, "effort": "none"}, ())


def test_an_effort_that_was_asked_for_wins_over_a_temperature() -> None:
    """Both cannot be had; what is left out is said."""
    kept, notices = fitting("gpt-6.1-terra", Settings(temperature=0.2, effort="high"), (), completions=False)
    assert kept == {"effort": "high"}
    assert len(notices) == 1
    assert "temperature" in notices[0]


@pytest.mark.parametrize(
    ("model", "settings", "tools", "expected"),
    [
        ("gpt-5.2", Settings(stop=("x",)), True, True),
        ("gpt-5.2", Settings(stop=("x",), effort="high"), False, False),
        ("gpt-5.2", Settings(temperature=1), False, False),
        ("gpt-6.1-terra", Settings(stop=("x",)), False, True),
        ("gpt-6.1-terra", Settings(stop=("x",)), True, False),
        ("gpt-6-luna", Settings(presence_penalty=1.0), True, True),
        ("gpt-6-astra", Settings(stop=("x",)), False, False),
        ("some-new-model", Settings(stop=("x",)), True, True),
    ],
)
def test_when_chat_completions_is_asked(model: str, settings: Settings, tools: bool, expected: bool) -> None:
    """Only for what Responses lacks, and only where the model can be called so."""
    assert wants_completions(model, settings, tools=tools) is expected


# --- Models ----------------------------------------------------------------------------------------------------------


def test_models_on_offer_live_and_are_known() -> None:
    """No model of the menus is unknown or has an end ahead, and no successor does."""
    assert all(family(model) and ends(model)[0] is None for model in OFFERED)
    assert not [name for _, name in ENDS.values() if ends(name)[0] is not None]


def test_ends_match_the_vendors_own_list() -> None:
    """Every shutdown date in the SDK's list of chat models is known here, to the day."""
    source = Path(chat_model.__file__).read_text(encoding="utf-8")
    listed = re.findall(r'((?:"[\w.-]+",?\s*)+):\s*Announced\s+shutdown\s+date:\s+(\d{4}-\d\d-\d\d)', source)
    dates = {name: date.fromisoformat(day) for names, day in listed for name in re.findall(r'"([\w.-]+)"', names)}
    assert len(dates) > 40
    wrong = {name: day for name, day in dates.items() if day > date(2026, 7, 1) and ends(name)[0] != day}
    assert not wrong


def test_profiles_tell_what_a_model_takes() -> None:
    """A model that always reasons takes no temperature; one that needs Responses for tools has none without."""
    assert "temperature" not in chat_profile("gpt-6-astra", responses=True).settings
    assert "temperature" in chat_profile("gpt-5.2", responses=True).settings
    assert chat_profile("gpt-6.1-terra", responses=True).calls_tools
    assert not chat_profile("gpt-6.1-terra", responses=False).calls_tools
    assert chat_profile("llama", responses=False).context_tokens == 32_000
    assert len({one.prefix for one in FAMILIES}) == len(FAMILIES)


def test_prices_of_snapshots_and_of_what_the_package_lacks() -> None:
    """A dated name costs what its model costs; pictures are priced by their tokens."""
    assert price_micro_usd("gpt-image-2-2026-04-21", Usage(10, output_tokens=1_000, images=1)) == 30_050
    assert price_micro_usd("gpt-image-1.5", Usage(0, output_tokens=1_000, images=1)) == 32_000
    assert price_micro_usd("gpt-4o-2024-05-13", Usage(1_000_000)) == 5_000_000
    assert price_micro_usd("gpt-6.1-terra", Usage(1_000_000)) == 2_000_000, "above 272,000 tokens all costs twice"


@pytest.mark.parametrize("value", ["{", "[]", '{"m": 3}', '{"m": [1]}', '{"m": [-1, 2]}'])
def test_prices_of_the_operator_are_checked_at_start(value: str) -> None:
    """Nonsense in OPENAI_PRICES is an error of the configuration, not of the first answer."""
    with pytest.raises(ValidationError):
        Options.model_validate({"openai_prices": value})


@pytest.mark.parametrize(
    ("url", "image"),
    [
        ("", "gpt-image-2.5-flare"),
        ("https://eu.api.openai.com/v1", "gpt-image-2.5-flare"),
        ("http://127.0.0.1:11434/v1", ""),
        ("https://proxy.example/api.openai.com/v1", ""),
    ],
)
def test_only_openai_itself_has_openais_defaults(url: str, image: str) -> None:
    """Another server has the models that it has."""
    provider = create(Options.model_validate({"openai_base_url": url}))
    assert provider.default("image") == image


# --- The wire --------------------------------------------------------------------------------------------------------


def test_messages_become_items() -> None:
    """Instructions, pictures, files, words of sound, calls with what came before them, results: each has its item."""
    call = ToolCall("call_1", "look", {"at": "x"}, {"before": [REASONING]})
    messages = [
        Message("system", (Text("Be kind."),)),
        Message("user", (Text("see"), Image(BLOB), File(BLOB, "a.txt", "words"), Audio(BLOB, transcript="heard"))),
        Message("assistant", (Text("wait"), call)),
        Message("tool", (ToolResult("call_1", "ok"),)),
        Message("system", (Text("Go on."),)),
    ]
    instructions, items = wire.responses_input(messages, {})
    assert instructions == "Be kind."
    assert [item["type"] for item in items] == [
        "message",
        "message",
        "reasoning",
        "function_call",
        "function_call_output",
        "message",
    ]
    assert all(part["type"] == "input_text" for part in items[0]["content"])
    assert "heard" in items[0]["content"][-1]["text"]
    assert items[-1]["role"] == "developer"


def test_pictures_go_whole_where_they_were_loaded() -> None:
    """A loaded picture is a data URL in both forms."""
    messages = [Message("user", (Image(BLOB),))]
    loaded = {BLOB.sha256: wire.data_url(b"png", BLOB)}
    [item] = wire.responses_input(messages, loaded)[1]
    [message] = wire.chat_messages(messages, loaded)
    assert item["content"][0]["image_url"] == message["content"][0]["image_url"]["url"] == "data:image/png;base64,cG5n"


def test_calls_and_results_become_chat_messages() -> None:
    """A call without words has no content; its result names it."""
    call = ToolCall("call_1", "look", {"at": "x"})
    made = wire.chat_messages([Message("assistant", (call,)), Message("tool", (ToolResult("call_1", "ok"),))], {})
    assert made[0]["content"] is None
    assert json.loads(made[0]["tool_calls"][0]["function"]["arguments"]) == {"at": "x"}
    assert made[1] == {"role": "tool", "tool_call_id": "call_1", "content": "ok"}


def test_a_message_of_nothing_is_still_a_message() -> None:
    """No item has an empty list for content, which servers refuse."""
    [item] = wire.responses_input([Message("user", ())], {})[1]
    assert item["content"]


def test_only_servers_that_know_it_are_told_strict() -> None:
    """Small servers refuse words that they do not know."""
    tool = Tool("look", "Look.", {"type": "object", "properties": {}, "required": [], "additionalProperties": False})
    assert "strict" in wire.chat_tools([tool], strict=True)[0]["function"]
    assert "strict" not in wire.chat_tools([tool], strict=False)[0]["function"]


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", '"x"'])
def test_broken_arguments_are_none(text: str) -> None:
    """The tool then says what it lacks."""
    assert wire.arguments(text) == {}


# --- Files -----------------------------------------------------------------------------------------------------------


async def test_a_request_holds_no_more_files_than_the_server_takes() -> None:
    """Of many large documents only the newest go as files, within the server's limit; the older ones go as their text."""
    blobs = MemoryBlobs()
    messages = []
    for number in range(4):
        blob = await blobs.write(bytes([number]) * 12 * 2**20, "application/pdf")
        messages.append(Message("user", (File(blob, f"{number}.pdf", f"text {number}"),)))
    loaded = await wire.load(messages, chat_profile("gpt-5.2", responses=True), blobs)
    _, items = wire.responses_input(messages, loaded)
    assert [item["content"][0]["type"] for item in items] == ["input_text", "input_text", "input_file", "input_file"]
    assert items[0]["content"][0]["text"] == "[start of file 0.pdf]\ntext 0\n[end of file]"
    assert len(json.dumps(items)) < 50_000_000


async def test_the_same_document_twice_keeps_the_request_within_the_limit() -> None:
    """A 20 MB document sent in two messages goes as a file once, so that the request stays within the server's limit."""
    blobs, profile = MemoryBlobs(), chat_profile("gpt-5.2", responses=True)
    blob = await blobs.write(b"%PDF" * 5 * 2**20, "application/pdf")
    first, second = (Message("user", (Text(words), File(blob, "plan.pdf", "the plan"))) for words in ("look", "again"))
    prompt = compose([first], second, Settings(), profile, "S", EPOCH)
    loaded = await wire.load(prompt.messages, profile, blobs)
    _, items = wire.responses_input(prompt.messages, loaded)
    assert [[part["type"] for part in item["content"]] for item in items] == [
        ["input_text"],
        ["input_text", "input_file"],
    ]
    assert len(json.dumps(items)) < 50_000_000


# --- Tool calls in pieces --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pieces",
    [
        [(0, "c1", "draw", '{"a"'), (0, None, None, ": 1}"), (1, "c2", "speak", "{}")],
        [(None, "c1", "draw", '{"a": 1}'), (None, "c2", "speak", "{}")],
        [(None, "c1", "draw", '{"a"'), (None, None, None, ": 1}"), (None, "c2", "speak", "{}")],
        [(0, "c1", "draw", '{"a"'), (0, "c1", "draw", ": 1}"), (1, "c2", "speak", "{}")],
        [(0, "c1", "draw", '{"a": 1}'), (0, "c2", "speak", "{}")],
    ],
    ids=["as at OpenAI", "without index", "in pieces without index", "the name again", "one index for all"],
)
def test_calls_are_put_together_as_servers_send_them(pieces: list[tuple[Any, ...]]) -> None:
    """Two calls stay two, with their names and arguments, however a compatible server numbers their pieces."""
    answer = _Answer()
    for index, id, name, arguments in pieces:
        call = {"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
        chunk = {"id": "x", "model": "m", "object": "chat.completion.chunk", "created": 1}
        answer.take(
            construct_type(
                type_=ChatCompletionChunk, value={**chunk, "choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}
            )
        )
    assert answer.calls() == [ToolCall("c1", "draw", {"a": 1}), ToolCall("c2", "speak", {})]
