"""Owns getting a payload to the app, by HTTP or by socket, and the retries when it is not taken."""

import asyncio
import hashlib
import hmac
import json
import time
from dataclasses import dataclass, field
from typing import Literal, Protocol
from urllib.parse import urlencode

import aiohttp

from .workspace import Json
from .world import World

EnvelopeType = Literal["events_api", "interactive", "slash_commands"]
ACK_S = 3.0
"""How long Slack waits for an answer. Source: Slack, Events API."""
RETRY_AFTER_S = (0.0, 60.0, 300.0)
"""Three retries: nearly at once, after a minute, after five. Source: Slack, Events API, "Retries"."""


@dataclass
class Attempt:
    """One try to deliver."""

    at: float
    retry_num: int
    retry_reason: str = ""
    failure: str | None = None
    """None when it was taken."""
    body: Json = field(default_factory=dict)
    no_retry: bool = False


@dataclass
class Delivery:
    """One payload on its way to the app, with every attempt."""

    type: EnvelopeType
    payload: Json
    attempts: list[Attempt] = field(default_factory=list)
    done: bool = False

    @property
    def acknowledged(self) -> bool:
        """Whether the app has taken it."""
        return bool(self.attempts) and self.attempts[-1].failure is None

    @property
    def answer(self) -> Json:
        """What the app answered with, {} when nothing."""
        return self.attempts[-1].body if self.attempts else {}

    @property
    def event_type(self) -> str:
        """The event's or the interaction's type, for looking through the log."""
        return str(self.payload.get("event", self.payload).get("type", self.type))


class Carrier(Protocol):
    """A way to the app."""

    async def carry(self, delivery: Delivery, attempt: Attempt) -> Json:
        """Deliver once; the app's answer. Raises Undelivered."""
        ...


class Undelivered(Exception):
    """The app did not take a delivery; `reason` is what Slack puts into X-Slack-Retry-Reason."""

    def __init__(self, reason: str, *, no_retry: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.no_retry = reason, no_retry


class Post:
    """The post office: keeps the log and retries events; everything else is tried once."""

    def __init__(self, world: World, carrier: Carrier) -> None:
        self._world, self.carrier = world, carrier
        self.log: list[Delivery] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, kind: EnvelopeType, payload: Json) -> Delivery:
        """Start delivering in the background."""
        delivery = Delivery(kind, payload)
        self.log.append(delivery)
        task = asyncio.ensure_future(self._deliver(delivery))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return delivery

    async def send_and_wait(self, kind: EnvelopeType, payload: Json) -> Delivery:
        """Deliver and return once the app has answered or has failed to."""
        delivery = Delivery(kind, payload)
        self.log.append(delivery)
        await self._deliver(delivery)
        return delivery

    async def close(self) -> None:
        """Stop what is still under way."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _deliver(self, delivery: Delivery) -> None:
        pauses = RETRY_AFTER_S if delivery.type == "events_api" else ()
        attempt = await self._attempt(delivery, 0, "")
        for number, pause in enumerate(pauses, start=1):
            if attempt.failure is None or attempt.no_retry:
                break
            await self._world.clock.sleep(pause)
            attempt = await self._attempt(delivery, number, attempt.failure)
        delivery.done = True
        self._world.changed("delivery", type=delivery.type)

    async def _attempt(self, delivery: Delivery, number: int, reason: str) -> Attempt:
        attempt = Attempt(self._world.clock.now(), number, reason)
        try:
            attempt.body = await self._world.clock.within(ACK_S, self.carrier.carry(delivery, attempt))
        except TimeoutError:
            attempt.failure = "http_timeout"
        except Undelivered as failure:
            attempt.failure, attempt.no_retry = failure.reason, failure.no_retry
        delivery.attempts.append(attempt)
        self._world.changed("delivery", type=delivery.type)
        return attempt


class HttpCarrier:
    """Signed POSTs to the app's request URL."""

    def __init__(self, world: World, session: aiohttp.ClientSession) -> None:
        self._world, self._session = world, session

    async def verify(self, url: str) -> bool:
        """Ask the address for our challenge, as saving a request URL in the app's settings does."""
        challenge = self._world.ids.secret("challenge", 40)
        body: Json = {"token": self._world.app.verification_token, "challenge": challenge, "type": "url_verification"}
        status, _, text = await self._post(url, json.dumps(body).encode(), "application/json", {})
        return status == 200 and (text.strip() == challenge or _parsed(text).get("challenge") == challenge)

    async def carry(self, delivery: Delivery, attempt: Attempt) -> Json:
        """POST with a signature; 2xx within three seconds is taken."""
        url = self._world.app.url_for(delivery.type)
        if not url:
            raise Undelivered("connection_failed")
        body, content_type = encode(delivery.type, delivery.payload)
        retry = {"X-Slack-Retry-Num": str(attempt.retry_num), "X-Slack-Retry-Reason": attempt.retry_reason}
        status, headers, text = await self._post(url, body, content_type, retry if attempt.retry_num else {})
        if not 200 <= status < 300:
            raise Undelivered("http_error", no_retry=headers.get("X-Slack-No-Retry") == "1")
        return _parsed(text) or ({"text": text} if text.strip() else {})

    async def _post(self, url: str, body: bytes, kind: str, more: dict[str, str]) -> tuple[int, dict[str, str], str]:
        headers = {"Content-Type": kind, "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)"}
        headers |= signature(self._world.app.signing_secret, body) | more
        try:
            async with self._session.post(url, data=body, headers=headers) as answer:
                return answer.status, dict(answer.headers), await answer.text()
        except aiohttp.ClientError as error:
            raise Undelivered("connection_failed") from error


def signature(secret: str, body: bytes) -> dict[str, str]:
    """The two headers that prove a request is Slack's; by the real clock, as apps check it."""
    sent_at = str(int(time.time()))
    digest = hmac.new(secret.encode(), b"v0:" + sent_at.encode() + b":" + body, hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": sent_at, "X-Slack-Signature": f"v0={digest}"}


def encode(kind: EnvelopeType, payload: Json) -> tuple[bytes, str]:
    """The body and content type: events are JSON, interactions a form with `payload`, commands a flat form."""
    if kind == "events_api":
        return json.dumps(payload).encode(), "application/json"
    form = payload if kind == "slash_commands" else {"payload": json.dumps(payload)}
    return urlencode(form).encode(), "application/x-www-form-urlencoded"


def _parsed(text: str) -> Json:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
