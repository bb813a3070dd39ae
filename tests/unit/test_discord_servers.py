"""What Discord lets somebody do in a channel: a table made from its documentation, and discord.py's own arithmetic beside ours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import discord
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.discord.servers import (
    ALL,
    CONNECT,
    MANAGE_CHANNELS,
    MANAGE_MESSAGES,
    READ_HISTORY,
    VIEW_CHANNEL,
    Channel,
    Overwrite,
    Person,
    Role,
    Server,
    person_from_rest,
    person_in,
    server_from_rest,
)
from bot.types import Author

GUILD, OWNER, BEN = "1", "60", "50"
READER = VIEW_CHANNEL | READ_HISTORY
NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


def allow(bits: int) -> Overwrite:
    """An overwrite that only allows."""
    return Overwrite(bits, 0)


def deny(bits: int) -> Overwrite:
    """An overwrite that only denies."""
    return Overwrite(0, bits)


def server(everyone: int, overwrites: dict[str, Overwrite], kind: int = 0) -> Server:
    """A server with a channel 20, and roles 6 (administrator), 7 (sees), 8 and 9 (nothing)."""
    roles = {
        GUILD: Role("@everyone", everyone),
        "6": Role("admins", 1 << 3),
        "7": Role("seers", READER),
        "8": Role("a", 0),
        "9": Role("b", 0),
    }
    return Server(GUILD, OWNER, roles, {"20": Channel("den", overwrites, kind)})


TABLE: list[tuple[str, int, dict[str, Overwrite], tuple[str, ...], bool, bool]] = [
    ("everyone reads", READER, {}, (), True, True),
    ("nobody sees", 0, {}, (), False, False),
    ("all see, nobody reads what was", VIEW_CHANNEL, {}, (), True, False),
    ("history without sight is nothing", READ_HISTORY, {}, (), False, False),
    ("a role brings both", 0, {}, ("7",), True, True),
    ("a role that was deleted brings nothing", 0, {"77": allow(READER)}, ("77",), False, False),
    ("an administrator passes every denial", 0, {GUILD: deny(ALL), "6": deny(ALL), BEN: deny(ALL)}, ("6",), True, True),
    ("the channel hides itself from everyone", READER, {GUILD: deny(VIEW_CHANNEL)}, (), False, False),
    ("and from whom a role would let see", READER, {GUILD: deny(VIEW_CHANNEL)}, ("7",), False, False),
    (
        "a role's overwrite opens what everyone's closed",
        READER,
        {GUILD: deny(READER), "8": allow(READER)},
        ("8",),
        True,
        True,
    ),
    ("only for those who have it", READER, {GUILD: deny(READER), "8": allow(READER)}, ("9",), False, False),
    (
        "a role's denial beats everyone's allowance",
        0,
        {GUILD: allow(READER), "8": deny(READ_HISTORY)},
        ("8",),
        True,
        False,
    ),
    (
        "among roles an allowance beats a denial",
        READER,
        {"8": deny(READER), "9": allow(READER)},
        ("8", "9"),
        True,
        True,
    ),
    ("in either order", READER, {"9": allow(READER), "8": deny(READER)}, ("9", "8"), True, True),
    (
        "the person's denial beats the role's allowance",
        READER,
        {"8": allow(READER), BEN: deny(READ_HISTORY)},
        ("8",),
        True,
        False,
    ),
    ("the person's allowance beats the role's denial", 0, {"8": deny(READER), BEN: allow(READER)}, ("8",), True, True),
    (
        "the person's allowance beats everyone's denial",
        READER,
        {GUILD: deny(READER), BEN: allow(READER)},
        (),
        True,
        True,
    ),
    ("what one overwrite both denies and allows is allowed", 0, {BEN: Overwrite(READER, READER)}, (), True, True),
    ("another person's overwrite is not his", READER, {GUILD: deny(READER), "51": allow(READER)}, (), False, False),
    (
        "everyone's own role is no further role",
        READER,
        {GUILD: deny(READ_HISTORY), BEN: allow(0)},
        (GUILD,),
        True,
        False,
    ),
    ("and does not come after the others", READER, {GUILD: deny(READER), "8": allow(READER)}, (GUILD, "8"), True, True),
]


@pytest.mark.parametrize(
    ("name", "everyone", "overwrites", "roles", "sees", "reads"), TABLE, ids=[one[0] for one in TABLE]
)
def test_sight_and_history_are_decided_as_discord_decides_them(
    name: str, everyone: int, overwrites: dict[str, Overwrite], roles: tuple[str, ...], sees: bool, reads: bool
) -> None:
    """Everyone's overwrite, then the roles' together, then the person's own; owners and administrators pass all of it."""
    known, ben = server(everyone, overwrites), Person(BEN, frozenset(roles))
    channel = known.channels["20"]
    assert (known.may_view(ben, channel), known.may_read(ben, channel)) == (sees, reads), name
    assert bool(known.names_for(ben).channels) is sees
    assert known.may_read(Person(OWNER), channel) and known.permissions(Person(OWNER), channel) == ALL


@pytest.mark.parametrize("kind", [2, 13])
def test_text_in_a_voice_channel_takes_connect(kind: int) -> None:
    """What was written in a voice or stage channel is read by those who may connect; elsewhere Connect means nothing."""
    ben = Person(BEN)
    closed, text = server(READER, {}, kind), server(READER, {})
    assert closed.may_view(ben, closed.channels["20"]) and not closed.may_read(ben, closed.channels["20"])
    assert text.may_read(ben, text.channels["20"])
    opened = server(READER, {BEN: allow(CONNECT)}, kind)
    assert opened.may_read(ben, opened.channels["20"])


def test_a_time_out_leaves_sight_and_history_alone() -> None:
    """Whoever is timed out reads on and manages nothing; once it is over, all is as before. Administrators are never silenced."""
    known = server(READER | MANAGE_CHANNELS | MANAGE_MESSAGES, {})
    channel, ben = known.channels["20"], Person(BEN, timed_out_until=NOON)
    before, after = NOON - timedelta(seconds=1), NOON + timedelta(seconds=1)
    assert known.permissions(ben, channel, before) == READER and known.may_read(ben, channel)
    assert known.permissions(ben, channel, after) & MANAGE_CHANNELS
    assert known.permissions(Person(BEN, frozenset("6"), NOON), channel, before) == ALL


def test_nobody_is_no_owner() -> None:
    """An unknown person sees what everyone sees, also where the server's owner is unknown; nobody at all sees nothing."""
    known = Server(GUILD, "", {GUILD: Role("@everyone", 0)}, {"20": Channel("den")})
    assert not known.names_for(Person("")).channels and not known.names_for(None).channels


def test_rest_tells_the_same() -> None:
    """What Discord describes by REST gives roles, channels and their overwrites, and members with their time-outs."""
    guild = {"id": GUILD, "owner_id": OWNER, "roles": [{"id": GUILD, "name": "@everyone", "permissions": str(READER)}]}
    hidden = {
        "id": "21",
        "name": "den",
        "type": 2,
        "permission_overwrites": [{"id": GUILD, "allow": "0", "deny": str(VIEW_CHANNEL)}],
    }
    known = server_from_rest(guild, [{"id": "20", "name": "hall"}, hidden])
    assert known.names_for(Person(BEN)).channels == {"20": "hall"}
    assert known.names_for(Person(OWNER)).channels == {"20": "hall", "21": "den"} and known.channels["21"].kind == 2
    member = {"user": {"id": BEN}, "roles": ["7"], "communication_disabled_until": NOON.isoformat()}
    assert person_from_rest(member) == Person(BEN, frozenset("7"), NOON)


def test_roles_are_known_only_when_discord_sent_them() -> None:
    """Whoever comes with no roles at all, as in fetched messages, must be asked about: a role may deny what everyone may."""
    assert person_in(GUILD, Author(BEN, groups=("7", GUILD))) == Person(BEN, frozenset({"7", GUILD}))
    assert person_in(GUILD, Author(BEN)) is None and person_in("", Author(BEN, groups=("",))) is None


BITS = st.sampled_from([0, VIEW_CHANNEL, READ_HISTORY, READER, MANAGE_CHANNELS, MANAGE_CHANNELS | READER, 1 << 3])
OVERWRITES = st.dictionaries(st.sampled_from([GUILD, "6", "7", "8", "9", BEN, "51"]), st.tuples(BITS, BITS), max_size=5)


@settings(max_examples=300, deadline=None)
@given(
    everyone=BITS,
    of_roles=st.lists(BITS, min_size=4, max_size=4),
    held=st.sets(st.sampled_from(["6", "7", "8", "9"])),
    overwrites=OVERWRITES,
    is_owner=st.booleans(),
    is_silenced=st.booleans(),
)
def test_discord_py_reckons_the_same(
    everyone: int,
    of_roles: list[int],
    held: set[str],
    overwrites: dict[str, tuple[int, int]],
    is_owner: bool,
    is_silenced: bool,
) -> None:
    """For every server, member and channel, ours gives the bits that the library gives for its own objects."""
    until = datetime.now(UTC) + timedelta(hours=1) if is_silenced else None
    roles = [(GUILD, everyone), *zip("6789", of_roles, strict=True)]
    guild: dict[str, Any] = {
        "id": GUILD,
        "name": "s",
        "owner_id": BEN if is_owner else OWNER,
        "roles": [_role(one, bits) for one, bits in roles],
    }
    told = [
        {"id": one, "type": int(one in (BEN, "51")), "allow": str(given[0]), "deny": str(given[1])}
        for one, given in overwrites.items()
    ]
    channel = {"id": "20", "type": 0, "name": "c", "position": 0, "permission_overwrites": told}
    member = {"user": _user(BEN), "roles": sorted(held), "flags": 0, "joined_at": NOON.isoformat()}
    member["communication_disabled_until"] = until.isoformat() if until else None
    state = discord.Client(intents=discord.Intents.none())._connection
    theirs_guild = discord.Guild(data=guild, state=state)  # type: ignore[arg-type]
    theirs = discord.TextChannel(state=state, guild=theirs_guild, data=channel)  # type: ignore[arg-type]
    ben = discord.Member(data=member, guild=theirs_guild, state=state)  # type: ignore[arg-type]
    ours = server_from_rest(guild, [channel])
    got = ours.permissions(person_from_rest(member), ours.channels["20"], datetime.now(UTC))
    relevant = READER | MANAGE_CHANNELS
    assert got & relevant == theirs.permissions_for(ben).value & relevant


def _role(role_id: str, bits: int) -> dict[str, Any]:
    return {
        "id": role_id,
        "name": role_id,
        "permissions": str(bits),
        "position": int(role_id),
        "color": 0,
        "hoist": False,
    }


def _user(user_id: str) -> dict[str, Any]:
    return {"id": user_id, "username": user_id, "discriminator": "0", "avatar": None}
