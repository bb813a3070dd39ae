"""The emulator of OpenAI: what it sends is what the vendor's file describes, and it refuses what the real server would."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from tests.emulators import vendor
from tests.emulators.openai import KEY, Answer, Call, Fault, OpenAIEmulator, spec

LOOK = {"type": "function", "name": "draw_image", "strict": True,
        "parameters": {"type": "object", "properties": {"prompt": {"type": "string"}}, "required": ["prompt"],
                       "additionalProperties": False}}  # fmt: skip


@pytest.fixture
async def server() -> AsyncIterator[OpenAIEmulator]:
    """The emulator."""
    async with OpenAIEmulator() as made:
        yield made


async def post(server: OpenAIEmulator, path: str, body: dict[str, Any]) -> tuple[int, Any]:
    """Status and body of an answer; of a stream, its events."""
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {KEY}"}) as session,
        session.post(server.base_url + path, json=body) as answer,
    ):
        if answer.content_type != "text/event-stream":
            return answer.status, await answer.json()
        lines = [line async for line in answer.content]
        return answer.status, [json.loads(line[6:]) for line in lines if line.startswith(b"data: {")]


async def test_events_are_the_vendors(server: OpenAIEmulator) -> None:
    """Every event of a stream with all kinds of items has the described shape; numbers count up."""
    checker = vendor.specification(spec.SPEC) if vendor.is_at_hand(spec.SPEC) else None
    server.enqueue(Answer("on the way", "the answer", "", (Call("draw_image", {"prompt": "x"}),)))
    body = {"model": "gpt-6.1-terra", "input": "hi", "stream": True, "include": ["reasoning.encrypted_content"]}
    _, events = await post(server, "/responses", body)
    wrong = [
        (event["type"], problem)
        for event in events
        if "response" not in event  # the file's own rules for the whole response contradict one another when closed
        for problem in (checker.check_schema("ResponseStreamEvent", event) if checker else ())
    ]
    assert wrong == []
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert [item["type"] for item in events[-1]["response"]["output"]] == [
        "reasoning",
        "message",
        "message",
        "function_call",
    ]


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/responses", {"input": "x", "stop": ["END"]}, "stop"),
        ("/responses", {"input": "x", "temperature": 0.5, "reasoning": {"effort": "high"}}, "temperature"),
        ("/responses", {"input": "x", "model": "gpt-6-astra", "temperature": 0.5}, "temperature"),
        ("/responses", {"input": "x", "model": "gpt-6-astra", "reasoning": {"effort": "none"}}, "reasoning.effort"),
        ("/responses", {"input": "x", "max_output_tokens": 5}, "max_output_tokens"),
        ("/responses", {"input": [{"type": "function_call_output", "call_id": "c", "output": "x"}]}, "input"),
        (
            "/responses",
            {"input": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}]},
            "input[0].content[0].type",
        ),
        ("/responses", {"input": "x", "model": "gpt-9"}, "model"),
        ("/chat/completions", {"messages": [{"role": "user", "content": "x"}], "text": {}}, "text"),
        ("/chat/completions", {"messages": []}, "messages"),
        (
            "/chat/completions",
            {"messages": [{"role": "tool", "tool_call_id": "c", "content": "x"}]},
            "messages[0].role",
        ),
        ("/images/generations", {"model": "gpt-image-2", "prompt": "x", "size": "1000x1000"}, "size"),
        ("/images/generations", {"model": "gpt-image-1.5", "prompt": "x", "quality": "max"}, "quality"),
        ("/audio/speech", {"model": "tts-1", "input": "x" * 5_000, "voice": "alloy"}, "input"),
        ("/embeddings", {"model": "text-embedding-3-small", "input": ["x"] * 2_049}, "input"),
        ("/embeddings", {"model": "text-embedding-3-small", "input": [""]}, "input"),
    ],
)
async def test_what_is_refused(server: OpenAIEmulator, path: str, body: dict[str, Any], param: str) -> None:
    """A request that the real server would refuse is refused, naming the parameter."""
    status, answer = await post(server, path, {"model": "gpt-5.2", **body})
    assert status in (400, 404)
    assert answer["error"]["param"] == param


async def test_a_picture_is_asked_of_a_tool(server: OpenAIEmulator) -> None:
    """Asked for a picture, and offered a tool that makes one, it calls it with the words."""
    _, answer = await post(server, "/responses", {"model": "gpt-5.2", "input": "draw a cat", "tools": [LOOK]})
    assert json.loads(answer["output"][0]["arguments"]) == {"prompt": "draw a cat"}


async def test_a_fault_strikes_once_and_only_where_it_is_meant(server: OpenAIEmulator) -> None:
    """The next request to that path fails, the one after does not."""
    server.fail(Fault("quota", path="/responses"))
    asked = {"model": "gpt-5.2", "input": "x"}
    statuses = [
        (await post(server, path, body))[0]
        for path, body in (("/moderations", {"input": "x"}), ("/responses", asked), ("/responses", asked))
    ]
    assert statuses == [200, 429, 200]


async def test_without_the_key_nothing_is_given(server: OpenAIEmulator) -> None:
    """A wrong key is 401, and the log of requests holds no key."""
    async with (
        aiohttp.ClientSession(headers={"Authorization": "Bearer wrong"}) as session,
        session.get(f"{server.base_url}/models") as answer,
    ):
        assert answer.status == 401
    assert "wrong" not in str(server.requests)


async def test_it_runs_by_itself() -> None:
    """`python -m` prints where it listens, answers at the length asked for, and ends on a signal."""
    arguments = (sys.executable, "-m", "tests.emulators.openai", "--tokens", "7")
    process = await asyncio.create_subprocess_exec(*arguments, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        url = (await asyncio.wait_for(process.stdout.readline(), 30)).decode().strip()
        elsewhere = OpenAIEmulator(port=int(url.rpartition(":")[2].partition("/")[0]))
        _, answer = await post(elsewhere, "/responses", {"model": "gpt-5.2", "input": "one two"})
        assert len(answer["output"][0]["content"][0]["text"].split()) == 7
    finally:
        process.terminate()
        assert await process.wait() == 0
