"""One connection to the server for all models: the SDK's client, made at the first call."""

from __future__ import annotations

import logging
from typing import Any

import httpx2
import openai

from bot.errors import UnavailableError
from bot.providers.openai.errors import ours

CONNECT_S = 5.0
MAX_RETRIES = 2
NO_KEY = "none"
"""Compatible servers without keys still want the header."""
log = logging.getLogger(__name__)


class Connection:
    """The SDK's client and what was learnt about the server."""

    def __init__(self, options: Any) -> None:
        key = options.openai_api_key.get_secret_value() if options.openai_api_key else NO_KEY
        self.timeout_s: float = options.openai_timeout_s
        self.client = openai.AsyncOpenAI(
            api_key=key,
            organization=options.openai_org_id or None,
            project=options.openai_project_id or None,
            base_url=options.openai_base_url or "https://api.openai.com/v1",
            timeout=httpx2.Timeout(self.timeout_s, connect=CONNECT_S),
            max_retries=MAX_RETRIES,
        )
        self.refused: dict[str, set[str]] = {}
        """By model, the parameters that the server refused: they are not sent again."""
        self._first_model = ""

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
