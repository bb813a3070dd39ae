"""What the emulated chat model says: what was scripted, or something that follows from the question."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tests.emulators.openai.script import Answer, Call

Json = dict[str, Any]
WANTS_PICTURE = re.compile(r"\b(picture|image|draw|paint|imagine)\b", re.IGNORECASE)
PAINTS = re.compile(r"image|picture|draw|paint|imagine", re.IGNORECASE)


def said_in_responses(body: Json) -> tuple[str, list[Json]]:
    """The last words of the user, and what came after them."""
    items = body.get("input", "")
    if isinstance(items, str):
        return items, []
    at = max((n for n, item in enumerate(items) if item.get("role") == "user"), default=-1)
    return (_words(items[at]["content"]), items[at + 1 :]) if at >= 0 else ("", list(items))


def said_in_completions(body: Json) -> tuple[str, list[Json]]:
    """The last words of the user, and what came after them."""
    messages = body["messages"]
    at = max((n for n, message in enumerate(messages) if message["role"] == "user"), default=-1)
    return (_words(messages[at]["content"]), messages[at + 1 :]) if at >= 0 else ("", list(messages))


def _words(content: str | Sequence[Json]) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(_word(part) for part in content)


def _word(part: Json) -> str:
    match part["type"]:
        case "input_image" | "image_url":
            return "[an image]"
        case "input_file" | "file":
            return f"[the file {part.get('filename', '')}]"
    return str(part.get("text", ""))


def answer(question: str, after: Sequence[Json], tools: Sequence[Json]) -> Answer:
    """An echo; a call of the tool that paints when a picture is wanted, and a word about it when it was made."""
    results = [item for item in after if item.get("type") == "function_call_output" or item.get("role") == "tool"]
    if results:
        result = results[-1].get("output") or results[-1].get("content")
        return Answer(text=f"The tool said: {result}")
    if WANTS_PICTURE.search(question):
        for name, parameters in _functions(tools):
            if PAINTS.search(name):
                return Answer(calls=(Call(name, _arguments(parameters, question)),))
    return Answer(text=f"You said: {question}")


def _functions(tools: Sequence[Json]) -> list[tuple[str, Json]]:
    flat = [tool.get("function", tool) for tool in tools if tool.get("type") == "function"]
    return [(tool["name"], tool.get("parameters") or {}) for tool in flat]


def _arguments(parameters: Mapping[str, Any], question: str) -> Json:
    made: Json = {}
    for name, schema in (parameters.get("properties") or {}).items():
        kind = schema.get("type")
        if "enum" in schema:
            made[name] = schema["enum"][0]
        else:
            made[name] = {"string": question, "integer": 1, "number": 1.0, "boolean": False}.get(str(kind))
    return made


def tokens(text: str) -> list[str]:
    """The text in pieces as it streams: words with the blanks before them."""
    return re.findall(r"\s*\S+|\s+$", text)


def of_length(text: str, count: int) -> str:
    """The text, or its words again and again, at a length in tokens; 0 leaves it."""
    return "".join(itertools.islice(itertools.cycle(tokens(f" {text}")), count)).strip() if count else text
