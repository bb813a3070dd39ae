"""One connection to the server for all models: the SDK's client, made at the first call."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import httpx2
import openai

from bot.errors import BotError, CutOffError, UnavailableError
from bot.providers.openai.errors import BROKEN, ours, translate

if TYPE_CHECKING:
    from bot.providers.openai import Options

CONNECT_S = 5.0
MAX_RETRIES = 2
NO_KEY = "none"
"""Compatible servers without keys still want the header."""
HARD = ("high", "xhigh", "max")
HARD_PATIENCE = 5
"""How many times longer a model may be silent that was told to think hard."""
BROKE_OFF = "The answer broke off in the middle. Please try again."
log = logging.getLogger(__name__)


class Connection:
    """The SDK's client and what was learnt about the server."""

    def __init__(self, options: Options) -> None:
        key = options.openai_api_key.get_secret_value() if options.openai_api_key else NO_KEY
        self.timeout_s: float = options.openai_timeout_s
        self.client = openai.AsyncOpenAI(
            api_key=key,
            organization=options.openai_org_id or None,
            project=options.openai_project_id or None,
            base_url=options.openai_base_url or "https://api.openai.com/v1",
            timeout=self.timeout(),
            max_retries=MAX_RETRIES,
        )
        self.refused: dict[str, set[str]] = {}
        """By model, the parameters that the server refused: they are not sent again."""
        self.has_realtime = True
        """False once the server said that there is none for this account."""
        self._first_model = ""

    def patience_s(self, effort: str | None = None) -> float:
        """Seconds of silence after which a call is given up."""
        return self.timeout_s * (HARD_PATIENCE if effort in HARD else 1)

    def timeout(self, effort: str | None = None) -> httpx2.Timeout:
        """The same for the connection beneath."""
        return httpx2.Timeout(self.patience_s(effort), connect=CONNECT_S)

    async def model(self, name: str) -> str:
        """The name to send: `auto` is the first model that the server lists."""
        if name != "auto":
            return name
        if not self._first_model:
            with ours():
                page = await self.client.models.list()
            if not page.data:
                raise UnavailableError("The server of OPENAI_BASE_URL lists no model; name one in CHAT_MODEL.")
            self._first_model = page.data[0].id
            log.info("the server answers with %s", self._first_model)
        return self._first_model

    async def close(self) -> None:
        """Let go of the connections."""
        await self.client.close()


async def events_of(stream: Any, patience_s: float) -> AsyncIterator[Any]:
    """The events of the SDK's stream. Raises a ProviderError when it breaks, or is silent for too long; closes it in the end."""
    try:
        while True:
            try:
                async with asyncio.timeout(patience_s):
                    event = await anext(stream)
            except StopAsyncIteration:
                return
            except BROKEN as error:
                raise translate(error) from error
            yield event
    finally:
        await stream.close()


def cut(error: BotError, text: str) -> BotError:
    """The error of a stream; when text had come, the person keeps it."""
    if not text:
        return error
    return CutOffError(BROKE_OFF, partial=text, retry_after_s=error.retry_after_s, detail=error.detail or error.text)
