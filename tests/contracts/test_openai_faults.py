"""OpenAI's provider under a second, independent server of faults, which grades how a client behaves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import SecretStr

from bot.errors import BotError, CutOffError, OverloadedError
from bot.ports import ChatRequest, ModelDone
from bot.providers import openai as openai_folder
from bot.types import Message, Settings, Text, TextDelta
from tests.contracts.providers import MemoryBlobs

pytest.importorskip("llmock", reason="install the development dependencies: make test does")


@pytest.fixture(params=["responses", "chat"])
async def provider(request: pytest.FixtureRequest, llmock: Any) -> AsyncIterator[Any]:
    """The provider against that server, by each API."""
    options = openai_folder.Options(
        openai_api_key=SecretStr("llmock-test-key"),
        openai_base_url=llmock.base_url("openai"),
        openai_api=request.param,
        openai_timeout_s=1,
    )
    made = openai_folder.create(options)
    yield made
    await made.close()


async def ask(provider: Any) -> str:
    """The text of an answer."""
    request = ChatRequest([Message("user", (Text("Tell me a story."),))], Settings(), MemoryBlobs())
    text, done = "", False
    async for event in provider.chat("gpt-4o").stream(request):
        text += event.text if isinstance(event, TextDelta) else ""
        done = isinstance(event, ModelDone)
    assert done
    return text


async def test_a_short_trouble_is_ridden_out(llmock: Any, provider: Any) -> None:
    """A rate limit is waited out for as long as was asked, an outage of a moment too, and no call is repeated without need."""
    llmock.rate_limit(times=1, retry_after=0.2)
    llmock.fail(503, times=1)
    llmock.reply("Once upon a time there was a fox.")
    assert await ask(provider) == "Once upon a time there was a fox."
    llmock.assert_resilient()


@pytest.mark.parametrize("fault", ["disconnect", "truncate", "corrupt", "stall"])
async def test_a_broken_stream_is_never_taken_for_whole(llmock: Any, provider: Any, fault: str) -> None:
    """An answer that breaks off raises an error worth repeating, which is what a step does; the second comes whole."""
    llmock.reply("Once upon a time there was a fox who lived in a wood.", times=None)
    getattr(llmock, fault)(after_chunks=6)
    with pytest.raises(BotError) as caught:
        await ask(provider)
    assert isinstance(caught.value, CutOffError | OverloadedError)
    assert caught.value.retryable
    assert await ask(provider) == "Once upon a time there was a fox who lived in a wood."
    llmock.assert_resilient()


async def test_what_no_repeat_can_mend_is_not_repeated(llmock: Any, provider: Any) -> None:
    """A context that is too long is asked once."""
    llmock.context_overflow()
    with pytest.raises(BotError, match="more than the model can read"):
        await ask(provider)
    assert len(llmock.requests) == 1
    llmock.assert_resilient()
