"""Owns our own description of what Parley asks of OpenAI: closed objects, so that a parameter nobody knows is an error.

Written from the SDK's parameter types and the vendor's guides, for the parameters that Parley sends, and no more.
"""

from __future__ import annotations

from typing import Any

from tests.emulators.closed import ANY, FLAG, NUMBER, STRING, Schema, closed, each, nullable, problems, text

EFFORT: Schema = {"enum": ["none", "minimal", "low", "medium", "high", "xhigh", "max"]}
LEVEL: Schema = {"enum": ["low", "medium", "high"]}
SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 2}
PENALTY: Schema = {"type": "number", "minimum": -2, "maximum": 2}
PARAMETERS: Schema = {"type": "object", "required": ["type", "properties"]}
COMMON: dict[str, Schema] = {
    "model": STRING,
    "stream": FLAG,
    "temperature": SHARE,
    "top_p": SHARE,
    "prompt_cache_key": text(64),
    "safety_identifier": text(64),
    "parallel_tool_calls": FLAG,
    "service_tier": STRING,
    "tool_choice": ANY,
}

# Responses
CONTENT: Schema = {
    "anyOf": [
        closed("type text", type={"const": "input_text"}, text=text(10_485_760)),
        closed("type text", type={"const": "output_text"}, text=text(10_485_760), annotations=each(ANY, 100)),
        closed(
            "type image_url", type={"const": "input_image"}, image_url=STRING, detail={"enum": ["auto", "low", "high"]}
        ),
        closed("type file_data filename", type={"const": "input_file"}, filename=STRING, file_data=STRING),
    ]
}
ITEM: Schema = {
    "anyOf": [
        closed(
            "role content",
            type={"const": "message"},
            id=STRING,
            role={"enum": ["system", "developer", "user", "assistant"]},
            content={"anyOf": [text(10_485_760), each(CONTENT, 1_000)]},
            status={"enum": ["in_progress", "completed", "incomplete"]},
            phase=nullable({"enum": ["commentary", "final_answer"]}),
        ),
        closed(
            "type call_id name arguments",
            type={"const": "function_call"},
            id=STRING,
            call_id=text(64),
            name=text(64),
            arguments={"type": "string"},
            status=STRING,
        ),
        closed(
            "type call_id output", type={"const": "function_call_output"}, call_id=text(64), output={"type": "string"}
        ),
        closed(
            "type id summary",
            type={"const": "reasoning"},
            id=STRING,
            summary=each(closed("type text", type={"const": "summary_text"}, text=STRING), 100),
            encrypted_content=nullable(STRING),
            content=each(ANY, 100),
            status=nullable(STRING),
        ),
    ]
}
FUNCTION: dict[str, Schema] = {
    "name": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"},
    "description": STRING,
    "parameters": PARAMETERS,
    "strict": FLAG,
}
RESPONSES = closed(
    "model input",
    **COMMON,
    input={"anyOf": [STRING, each(ITEM, 10_000)]},
    instructions={"type": "string"},
    max_output_tokens={"type": "integer", "minimum": 16},
    include=each({"enum": ["reasoning.encrypted_content"]}, 1),
    store={"const": False},
    reasoning=closed(effort=EFFORT, summary=STRING),
    text=closed(verbosity=LEVEL, format=ANY),
    tools=each(closed("type name parameters strict", type={"const": "function"}, **FUNCTION), 128),
)

# Chat Completions
CHAT_PART: Schema = {
    "anyOf": [
        closed("type text", type={"const": "text"}, text=text(10_485_760)),
        closed("type image_url", type={"const": "image_url"}, image_url=closed("url", url=STRING, detail=STRING)),
        closed("type file", type={"const": "file"}, file=closed(filename=STRING, file_data=STRING)),
    ]
}
CHAT_CALL = closed(
    "id type function",
    id=STRING,
    type={"const": "function"},
    function=closed("name arguments", name=text(64), arguments={"type": "string"}),
)
MESSAGE = closed(
    "role",
    role={"enum": ["system", "developer", "user", "assistant", "tool"]},
    content={"anyOf": [{"type": ["string", "null"]}, each(CHAT_PART, 1_000)]},
    name=STRING,
    tool_call_id=STRING,
    tool_calls=each(CHAT_CALL, 128),
)
COMPLETIONS = closed(
    "model messages",
    **COMMON,
    messages=each(MESSAGE, 10_000),
    max_tokens=NUMBER,
    max_completion_tokens=NUMBER,
    frequency_penalty=PENALTY,
    presence_penalty=PENALTY,
    stop={"anyOf": [STRING, each(STRING, 4)]},
    stream_options=closed(include_usage=FLAG),
    reasoning_effort=EFFORT,
    verbosity=LEVEL,
    store=FLAG,
    n={"const": 1},
    tools=each(
        closed("type function", type={"const": "function"}, function=closed("name parameters", **FUNCTION)),
        128,
    ),
)

# Media
PAINTED: dict[str, Schema] = {
    "model": STRING,
    "prompt": text(32_000),
    "n": {"type": "integer", "minimum": 1, "maximum": 10},
    "size": {"type": "string", "pattern": "^(auto|[0-9]+x[0-9]+)$"},
    "quality": {"enum": ["auto", "low", "medium", "high", "standard", "hd"]},
    "background": {"enum": ["auto", "opaque", "transparent"]},
    "output_format": {"enum": ["png", "jpeg", "webp"]},
    "safety_identifier": text(64),
    "user": text(64),
}
TRANSCRIPT = closed(
    "file model",
    file=STRING,
    model=STRING,
    language=text(8),
    languages=each(text(8), 10),
    keywords=each(STRING, 1_000),
    prompt=STRING,
    response_format={"enum": ["json", "text", "srt", "verbose_json", "vtt", "diarized_json"]},
    temperature={"anyOf": [STRING, SHARE]},
    timestamp_granularities=each({"enum": ["word", "segment"]}, 2),
    chunking_strategy=ANY,
    include=each(STRING, 2),
)
SPEECH = closed(
    "model input voice",
    model=STRING,
    input=text(4_096),
    voice=STRING,
    instructions=text(4_096),
    response_format={"enum": ["mp3", "opus", "aac", "flac", "wav", "pcm"]},
    speed={"type": "number", "minimum": 0.25, "maximum": 4},
)
EMBEDDINGS = closed(
    "model input",
    model=STRING,
    input=each(STRING, 2_048),
    encoding_format={"enum": ["float", "base64"]},
    dimensions={"type": "integer", "minimum": 1},
)
REQUESTS: dict[str, Schema] = {
    "/responses": RESPONSES,
    "/chat/completions": COMPLETIONS,
    "/images/generations": closed("model prompt", **PAINTED),
    "/images/edits": closed("model prompt image", **PAINTED, image=each(STRING, 16), mask=STRING),
    "/audio/transcriptions": TRANSCRIPT,
    "/audio/speech": SPEECH,
    "/embeddings": EMBEDDINGS,
}


def problems_of_request(path: str, body: Any) -> list[str]:
    """What is wrong with a POST by our own description; a path that is not described is wrong too."""
    if path not in REQUESTS:
        return [f"POST {path} is not described in tests/emulators/openai/schema.py"]
    return [f"POST {path} {problem}" for problem in problems(REQUESTS[path], body)]
