"""What Slack shows beside a reply: its status line, its agent session with Stop, its thread's name; and what Slack refuses."""

from __future__ import annotations

import logging
from typing import Literal, TypeAlias

from cachetools import LRUCache, TTLCache

from adapters.slack.client import SlackClient
from adapters.slack.errors import CLOSED, GONE_POST, OUTSIDE, SlackError
from adapters.slack.limiter import Reservation
from adapters.slack.mentions import escape_mentions
from adapters.slack.target import Target

Refusable: TypeAlias = Literal["status", "stream", "session"]
MAX_REFUSALS = 10_000
MAX_NAMED = 2_000
TITLE = 100
"""Characters of a thread's name."""
STATUS = 240
"""Characters of a status line."""
log = logging.getLogger(__name__)


class Refusals:
    """What Slack refused lately, and where: it is not tried there again for a while."""

    def __init__(self, client: SlackClient, refused_s: float) -> None:
        self._until: TTLCache[tuple[str, str, str], bool] = TTLCache(
            MAX_REFUSALS, refused_s, client.host.clock.monotonic
        )

    def add(self, target: Target, what: Refusable, error: SlackError) -> None:
        """Do without it in the channel. An app that may have no sessions has them nowhere in the workspace."""
        log.info("Slack does without %s in %s: %s", what, target.channel, error.slack_code)
        is_everywhere = what == "session" and error.slack_code not in (*OUTSIDE, *CLOSED, *GONE_POST)
        self._until[target.scope.team, what, "" if is_everywhere else target.channel] = True

    def holds(self, target: Target, what: Refusable) -> bool:
        """Whether it was refused there."""
        return any((target.scope.team, what, channel) in self._until for channel in ("", target.channel))


class Surroundings:
    """What all sessions of this process share."""

    def __init__(self, client: SlackClient, refused_s: float) -> None:
        self.client = client
        self.refusals = Refusals(client, refused_s)
        self.named_threads: LRUCache[tuple[str, str], bool] = LRUCache(MAX_NAMED)


class Session:
    """The status line and the agent session of one reply's thread."""

    def __init__(self, shared: Surroundings, target: Target, *, is_running: bool = False) -> None:
        """is_running: an agent session was begun, by an earlier attempt."""
        self._client, self._target = shared.client, target
        self._refusals, self._named = shared.refusals, shared.named_threads
        self._end: Reservation | None = None
        self.is_running = is_running

    # --- the status line ---

    @property
    def has_status(self) -> bool:
        """Whether Slack shows a status line there."""
        return bool(self._target.thread) and not self._refusals.holds(self._target, "status")

    async def set_status(self, text: str) -> bool:
        """Show it; False when that has to wait. Raises SlackError."""
        answer = await self._client.try_call(
            self._target.scope,
            "assistant.threads.setStatus",
            channel_id=self._target.channel,
            thread_ts=self._target.thread,
            status=escape_mentions(
                f"is {text[:1].lower()}{text[1:]}"[:STATUS], ()
            ),  # Slack puts the app's name before it
        )
        return answer is not None

    async def clear_status(self) -> None:
        """Take the status line away. Raises SlackError."""
        await self._client.call(
            self._target.scope,
            "assistant.threads.setStatus",
            channel_id=self._target.channel,
            thread_ts=self._target.thread,
            status="",
        )

    # --- the agent session ---

    async def begin(self, title: str = "") -> None:
        """Let Slack show a Stop button: it does while a thread's session is "processing", in channels as in the agent panel.

        None is begun that could not be ended in this minute. title: names the thread. Source: Slack, Agent sessions.
        """
        target, title = self._target, title[:TITLE]
        if not target.thread or target.ref.is_ephemeral or self.is_running:
            return
        if self._refusals.holds(target, "session"):
            await self._name_thread(title)
            return
        self._end = self._end or self._client.limiter.reserve(target.scope.team, "agents.sessions.setStatus")
        if self._end is None:
            return
        try:
            self.is_running = await self._try_begin(title)
        except SlackError as error:
            self.release()
            self._refusals.add(target, "session", error)
            await self._name_thread(title)

    async def _try_begin(self, title: str) -> bool:
        target = self._target
        answer = await self._client.try_call(
            target.scope,
            "agents.sessions.setStatus",
            channel_id=target.channel,
            thread_ts=target.thread,
            status="processing",
            title=title or None,
            initiator_user_id=target.ref.user_id or None,
        )
        return answer is not None

    async def _name_thread(self, title: str) -> None:
        """Name the thread after its first question, as the older assistant view does."""
        target = self._target
        key = (target.channel, target.thread)
        if not title or not target.is_direct or key in self._named:
            return
        self._named[key] = True
        try:
            await self._client.try_call(
                target.scope,
                "assistant.threads.setTitle",
                channel_id=target.channel,
                thread_ts=target.thread,
                title=title,
            )
        except SlackError as error:
            log.debug("naming a thread at Slack: %s", error.detail or error.text)

    async def end(self) -> None:
        """End the session if one is running. Raises SlackError."""
        if not self.is_running:
            return
        await self._client.call(
            self._target.scope,
            "agents.sessions.setStatus",
            channel_id=self._target.channel,
            thread_ts=self._target.thread,
            status="active",
        )

    def release(self) -> None:
        """Give back what was reserved for the session's end."""
        if self._end:
            self._end.release()
            self._end = None
