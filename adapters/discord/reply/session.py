"""What tells at Discord that an answer is being worked on, until words show it: typing. An interaction shows it by itself."""

from __future__ import annotations

import asyncio

from adapters.discord.client import DiscordClient
from adapters.discord.pace import Pace
from adapters.discord.post import Posts
from adapters.discord.reply.plan import Plan
from adapters.discord.target import Target


class Session:
    """The typing of one answer."""

    def __init__(self, client: DiscordClient, posts: Posts, target: Target, plan: Plan, pace: Pace) -> None:
        self._client, self._posts, self._target, self._plan, self._pace = client, posts, target, plan, pace
        self.typing: asyncio.Task[None] | None = None
        """Ends by itself when words show."""

    def begin(self) -> None:
        """Type from now on."""
        self.typing = asyncio.create_task(self._keep_typing())

    async def _keep_typing(self) -> None:
        """Less of it when there is much to do."""
        for _ in range(self._pace.max_typing):
            if self._plan.shows_words:
                return
            if self._client.limiter.try_acquire():
                await self._posts.type(self._target.channel_id)
            await self._client.host.clock.sleep(self._pace.typing_s)
