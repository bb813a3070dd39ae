"""What the real server refuses: unknown parameters, settings that a model does not take, exchanges that do not fit together.

Sources: the vendor's OpenAPI file, the SDK's parameter types and the model pages, as of November 2026.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

from tests.emulators.openai.script import Refused

Json = dict[str, Any]
RESPONSES = frozenset(
    (
        "background",
        "context_management",
        "conversation",
        "include",
        "input",
        "instructions",
        "max_output_tokens",
        "max_tool_calls",
        "metadata",
        "model",
        "moderation",
        "parallel_tool_calls",
        "previous_response_id",
        "prompt",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "reasoning",
        "safety_identifier",
        "service_tier",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "text",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "truncation",
        "user",
    )
)
COMPLETIONS = frozenset(
    (
        "audio",
        "frequency_penalty",
        "function_call",
        "functions",
        "logit_bias",
        "logprobs",
        "max_completion_tokens",
        "max_tokens",
        "messages",
        "metadata",
        "modalities",
        "model",
        "moderation",
        "n",
        "parallel_tool_calls",
        "prediction",
        "presence_penalty",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "reasoning_effort",
        "response_format",
        "safety_identifier",
        "seed",
        "service_tier",
        "stop",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "user",
        "verbosity",
        "web_search_options",
    )
)
PLAIN = frozenset(
    (
        "frequency_penalty",
        "max_tokens",
        "messages",
        "model",
        "n",
        "presence_penalty",
        "seed",
        "stop",
        "stream",
        "temperature",
        "tools",
        "tool_choice",
        "top_p",
    )
)
"""What a small compatible server takes."""
SAMPLING = ("temperature", "top_p", "top_logprobs")
PENALTIES = ("frequency_penalty", "presence_penalty", "stop")
ALWAYS_THINK = ("gpt-6-astra", "gpt-6.2-astra", "gpt-6.1-sol", "gpt-6.2-sol")
RESPONSES_TOOLS_ONLY = (*ALWAYS_THINK, "gpt-6.1-terra")
LEAST_TOKENS = 16
DEFAULT_EFFORT = {"gpt-6": "medium", "gpt-5.6": "medium", "gpt-5.5": "medium", "gpt-5.": "none", "gpt-5": "medium"}
"""By the beginning of the name, the longest that fits; a model without one does not reason."""


def default_effort(model: str) -> str | None:
    """The effort when none is asked for; None for a model that does not reason."""
    fitting = [prefix for prefix in DEFAULT_EFFORT if model.startswith(prefix)]
    if not fitting:
        return "medium" if model[:1] == "o" and model[1:2].isdigit() else None
    return DEFAULT_EFFORT[max(fitting, key=len)]


def known_only(body: Mapping[str, Any], known: frozenset[str]) -> None:
    """Refuse a parameter that the endpoint does not have."""
    for name in body:
        if name not in known:
            raise Refused(f"Unknown parameter: '{name}'.", name, code="unknown_parameter")


def effort_of(model: str, asked: str | None, param: str) -> str | None:
    """The effort that the model will make."""
    usual = default_effort(model)
    if usual is None and asked is not None:
        raise Refused(f"Unsupported parameter: '{param}' is not supported with this model.", param)
    if asked in ("none", "minimal") and model.startswith(ALWAYS_THINK):
        raise Refused(
            f"Unsupported value: '{param}' does not support '{asked}' with this model.", param, code="unsupported_value"
        )
    return asked or usual


def settings_fit(body: Mapping[str, Any], effort: str | None) -> None:
    """Sampling and penalties need reasoning to be off."""
    for name in (*SAMPLING, *PENALTIES):
        if body.get(name) is not None and effort not in (None, "none"):
            raise Refused(
                f"Unsupported parameter: '{name}' is not supported with this model.", name, code="unsupported_parameter"
            )
    for name, top in (("temperature", 2), ("top_p", 1)):
        if (value := body.get(name)) is not None and not 0 <= value <= top:
            raise Refused(
                f"Invalid '{name}': {value} is not between 0 and {top}.", name, code="decimal_above_max_value"
            )


def responses_fit(body: Json) -> str | None:
    """Refuse what Responses would; gives the effort."""
    known_only(body, RESPONSES)
    effort = effort_of(body["model"], (body.get("reasoning") or {}).get("effort"), "reasoning.effort")
    settings_fit(body, effort)
    least = body.get("max_output_tokens")
    if least is not None and least < LEAST_TOKENS:
        message = f"Invalid 'max_output_tokens': integer below minimum value. Expected a value >= {LEAST_TOKENS}."
        raise Refused(message, "max_output_tokens", code="integer_below_min_value")
    for number, tool in enumerate(body.get("tools") or ()):
        if tool.get("type") == "function" and not tool.get("name"):
            raise Refused(f"Missing required parameter: 'tools[{number}].name'.", f"tools[{number}].name")
    items = body.get("input", [])
    if not isinstance(items, str):
        _input_fits(items)
    return effort


def _input_fits(items: Sequence[Json]) -> None:
    calls = {item["call_id"] for item in items if item.get("type") == "function_call"}
    results = {item["call_id"] for item in items if item.get("type") == "function_call_output"}
    for call_id in results - calls:
        raise Refused(f"No tool call found for function call output with call_id {call_id}.", "input")
    for call_id in calls - results:
        raise Refused(f"No tool output found for function call {call_id}.", "input")
    for number, item in enumerate(items):
        kind = item.get("type", "message")
        if kind == "reasoning":
            _reasoning_fits(items, number)
        if kind == "message" and not isinstance(item["content"], str):
            for place, part in enumerate(item["content"]):
                _part_fits(part, item["role"], f"input[{number}].content[{place}]")


def _reasoning_fits(items: Sequence[Json], number: int) -> None:
    item = items[number]
    if not str(item.get("encrypted_content", "")).startswith("sealed-"):
        raise Refused("The encrypted content could not be verified.", f"input[{number}].encrypted_content")
    after = items[number + 1].get("type") if number + 1 < len(items) else None
    if after not in ("function_call", "message", "reasoning"):
        raise Refused(
            f"Item '{item['id']}' of type 'reasoning' was provided without its required following item.", "input"
        )


def _part_fits(part: Json, role: str, where: str) -> None:
    allowed = ("output_text", "refusal") if role == "assistant" else ("input_text", "input_image", "input_file")
    if part.get("type") not in allowed:
        raise Refused(
            f"Invalid value: '{part.get('type')}'. Supported values are: {', '.join(map(repr, allowed))}.",
            f"{where}.type",
            code="invalid_value",
        )
    if part["type"] == "input_image" and "image_url" in part:
        data_url(part["image_url"], "image/", f"{where}.image_url")
    if part["type"] == "input_file" and "file_data" in part:
        if not part.get("filename"):
            raise Refused("Missing required parameter: 'filename'.", f"{where}.filename")
        data_url(part["file_data"], "", f"{where}.file_data")


def data_url(url: str, kind: str, where: str) -> bytes:
    """The bytes in a data URL of that kind."""
    head, comma, tail = url.partition(";base64,")
    if not comma or not head.startswith(f"data:{kind}"):
        raise Refused("Invalid data URL.", where, code="invalid_value")
    try:
        return base64.b64decode(tail, validate=True)
    except binascii.Error as error:
        raise Refused("Invalid base64.", where, code="invalid_base64") from error


def completions_fit(body: Json, *, plain: bool) -> str | None:
    """Refuse what Chat Completions would; gives the effort."""
    known_only(body, PLAIN if plain else COMPLETIONS)
    model = body["model"]
    effort = None if plain else effort_of(model, body.get("reasoning_effort"), "reasoning_effort")
    settings_fit(body, effort)
    if effort is not None and body.get("max_tokens") is not None:
        message = (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        )
        raise Refused(message, "max_tokens", code="unsupported_parameter")
    if body.get("tools") and model.startswith(RESPONSES_TOOLS_ONLY):
        raise Refused("Function tools with this model are only supported in /v1/responses.", "tools")
    if body.get("tools") and model.startswith(("gpt-6", "gpt-5.6")) and effort != "none":
        raise Refused("Function tools with reasoning_effort are only supported in /v1/responses.", "reasoning_effort")
    _messages_fit(body.get("messages") or [])
    return effort


def _messages_fit(messages: Sequence[Json]) -> None:
    if not messages:
        raise Refused("Invalid 'messages': empty array.", "messages", code="empty_array")
    waiting: set[str] = set()
    for number, message in enumerate(messages):
        if message["role"] == "tool":
            if message["tool_call_id"] not in waiting:
                raise Refused("'tool' messages must follow a message with 'tool_calls'.", f"messages[{number}].role")
            waiting.discard(message["tool_call_id"])
            continue
        if waiting:
            raise Refused(f"tool_call_ids did not have response messages: {', '.join(sorted(waiting))}", "messages")
        waiting = {call["id"] for call in message.get("tool_calls") or ()}
        if isinstance(message.get("content"), list):
            for place, part in enumerate(message["content"]):
                _chat_part_fits(part, f"messages[{number}].content[{place}]")
    if waiting:
        raise Refused(f"tool_call_ids did not have response messages: {', '.join(sorted(waiting))}", "messages")


def _chat_part_fits(part: Json, where: str) -> None:
    if part.get("type") not in ("text", "image_url", "file", "refusal"):
        raise Refused(f"Invalid value: '{part.get('type')}'.", f"{where}.type", code="invalid_value")
    if part["type"] == "image_url" and part["image_url"]["url"].startswith("data:"):
        data_url(part["image_url"]["url"], "image/", f"{where}.image_url.url")
