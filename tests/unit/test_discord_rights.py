"""What the gateway's events drop of the rights that are kept at Discord, by a table, and what is kept of refusals."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.discord.client import DiscordError
from adapters.discord.listen import HEARD, heard_event
from adapters.discord.refusals import PERIOD_S, RefusalLimits, Refusals, key_of
from adapters.discord.rights import CHANGES, Rights
from tests.fakes import FakeClock

SERVER, MEMBER, THREAD = ("1", "server"), ("1", "person", "50"), ("1", "thread", "30")
OTHER_SERVER, OTHER_MEMBER, WITHIN = ("2", "server"), ("1", "person", "51"), ("1", "within", "30", "50")
KEPT = (SERVER, MEMBER, THREAD, OTHER_SERVER, OTHER_MEMBER, WITHIN)
DROPS: dict[str, tuple[dict[str, Any], set[tuple[str, ...]]]] = {
    **{
        name: ({"guild_id": "1", "user": {"id": "50"}}, {MEMBER})
        for name in ("GUILD_MEMBER_UPDATE", "GUILD_MEMBER_REMOVE")
    },
    **{name: ({"guild_id": "1", "role": {"id": "7"}}, {SERVER}) for name in ("GUILD_ROLE_CREATE", "GUILD_ROLE_UPDATE")},
    "GUILD_ROLE_DELETE": ({"guild_id": "1", "role_id": "7"}, {SERVER}),
    **{
        name: ({"guild_id": "1", "id": "20"}, {SERVER})
        for name in ("CHANNEL_CREATE", "CHANNEL_UPDATE", "CHANNEL_DELETE")
    },
    "GUILD_UPDATE": ({"id": "1"}, {SERVER}),
    "GUILD_DELETE": ({"id": "1"}, {SERVER, MEMBER, THREAD, OTHER_MEMBER, WITHIN}),
    **{
        name: ({"guild_id": "1", "id": "30"}, {THREAD, WITHIN})
        for name in ("THREAD_UPDATE", "THREAD_DELETE", "THREAD_MEMBER_UPDATE", "THREAD_MEMBERS_UPDATE")
    },
}


class Fake:
    """A cache of rights, the servers that it belongs to, and the client, as far as a change touches them."""

    def __init__(self) -> None:
        self.kept = set(KEPT)
        self.cache = self.bus = self.host = self
        self.refusals: Refusals[DiscordError] = Refusals(FakeClock())
        self.published: list[Any] = []
        self.made_forgotten: list[str] = []

    async def drop(self, *prefix: str) -> None:
        """Forget what begins so."""
        self.kept = {key for key in self.kept if key[: len(prefix)] != prefix}

    async def publish(self, topic: str, message: Any) -> None:
        """Tell the other processes."""
        self.published.append(message)

    def forget_made(self, guild: str = "") -> None:
        """What was made of the gateway's cache goes with the rest of a server."""
        self.made_forgotten.append(guild)

    def own_id(self, guild: str) -> str:
        """The bot's."""
        return "900"

    def places_of(self, guild: str) -> list[str]:
        """Of a server."""
        return ["20", "30"]


@pytest.mark.parametrize("name", CHANGES)
async def test_a_change_drops_what_it_may_have_changed(name: str) -> None:
    """Each event of the list, that and nothing else; and it is one that the listener takes off the gateway."""
    data, dropped = DROPS[name]
    fake = Fake()
    await Rights(fake, fake).hear(name, data)  # type: ignore[arg-type]
    assert set(KEPT) - fake.kept == dropped
    assert fake.made_forgotten == (["1"] if SERVER in dropped else [])
    assert name in HEARD and heard_event(f'{{"op": 0, "t": "{name}", "s": 1, "d": {{"id": "1"}}}}') == (
        name,
        {"id": "1"},
    )


async def test_a_new_session_drops_everything() -> None:
    """It does not say what happened before it."""
    fake = Fake()
    await Rights(fake, fake).forget_all()  # type: ignore[arg-type]
    assert not fake.kept


@pytest.mark.parametrize(
    ("name", "data", "is_forgotten"),
    [
        ("CHANNEL_UPDATE", {"guild_id": "1", "id": "20"}, True),
        ("CHANNEL_UPDATE", {"guild_id": "1", "id": "21"}, False),
        ("GUILD_ROLE_UPDATE", {"guild_id": "1", "role": {}}, True),
        ("GUILD_MEMBER_UPDATE", {"guild_id": "1", "user": {"id": "900"}}, True),
        ("GUILD_MEMBER_UPDATE", {"guild_id": "1", "user": {"id": "50"}}, False),
    ],
)
async def test_a_refusal_is_forgotten_when_it_may_be_over(name: str, data: dict[str, Any], is_forgotten: bool) -> None:
    """By a change of the channel, of roles, or of the bot's own; not by what has nothing to do with it."""
    fake = Fake()
    key = key_of("POST", "/channels/{channel_id}/messages", {"channel_id": "20"}, {"content": "hi"})
    fake.refusals.remember(key, DiscordError("no", status=403))
    await Rights(fake, fake).hear(name, data)  # type: ignore[arg-type]
    assert (fake.refusals.remembered(key) is None) is is_forgotten


def test_what_is_refused_is_told_apart() -> None:
    """Words, files and sound in one channel, and typing with words; nothing that is tried once, or by a token, is remembered."""
    messages, place = "/channels/{channel_id}/messages", {"channel_id": "20"}
    words = key_of("POST", messages, place, {"content": "hi", "flags": 4})
    keys = {
        words,
        key_of("POST", messages, place, {}, has_files=True),
        key_of("POST", messages, place, {"flags": 1 << 13}),
    }
    assert len(keys) == 3 and "" not in keys
    assert key_of("POST", "/channels/{channel_id}/typing", place) == words
    assert key_of("GET", messages, {**place, "params": {"after": "1"}}) == key_of("GET", messages, place)
    assert key_of("POST", "/users/@me/channels", {}, {"recipient_id": "1"}) != key_of(
        "POST", "/users/@me/channels", {}, {"recipient_id": "2"}
    )
    for method, path in (
        ("PATCH", "/channels/{channel_id}/messages/{message_id}"),
        ("POST", "/webhooks/{webhook_id}/{webhook_token}"),
        ("GET", "/webhooks/{webhook_id}/{webhook_token}/messages/@original"),
        ("POST", "/interactions/{webhook_id}/{webhook_token}/callback"),
        ("GET", "/oauth2/applications/@me"),
    ):
        assert key_of(method, path, place) == ""


def test_refusals_count_for_ten_minutes() -> None:
    """A person's, all people's, and all together; then it begins anew."""
    clock = FakeClock()
    refusals: Refusals[DiscordError] = Refusals(
        clock, RefusalLimits(person=2, optional=3, optional_stops=5, all_stops=7)
    )
    for person, allowed in (("1", True), ("1", True), ("1", False), ("2", True), ("3", False), ("", False)):
        assert refusals.allows_optional(person) is allowed
        if allowed:
            refusals.count_optional(person)
    for status in (403, 404, 429, 200, 401):
        refusals.count(status)
    assert refusals.wait_s() == 0
    for _ in range(4):
        refusals.count(403)
    assert 0 < refusals.wait_s() <= PERIOD_S
    refusals.remember("key", DiscordError("no"))
    clock.at = type(clock.at).fromtimestamp(clock.at.timestamp() + PERIOD_S + 1, clock.at.tzinfo)
    assert refusals.wait_s() == 0 and refusals.allows_optional("1") and refusals.remembered("key") is None
