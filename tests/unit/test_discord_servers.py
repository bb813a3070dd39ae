"""Which channels of a Discord server a person may see, by a table."""

from __future__ import annotations

import pytest

from adapters.discord.servers import VIEW_CHANNEL, Channel, Overwrite, Role, Server, server_from_rest
from bot.types import Author

ALLOW, DENY = Overwrite(VIEW_CHANNEL, 0), Overwrite(0, VIEW_CHANNEL)
ADMIN = Role("admins", 1 << 3)


@pytest.mark.parametrize(
    ("everyone", "overwrites", "roles", "expected"),
    [
        (VIEW_CHANNEL, {}, (), True),
        (0, {}, (), False),
        (VIEW_CHANNEL, {"1": DENY}, (), False),
        (VIEW_CHANNEL, {"1": DENY, "50": ALLOW}, (), True),
        (VIEW_CHANNEL, {"50": DENY}, (), False),
        (0, {}, ("7",), True),
        (VIEW_CHANNEL, {"1": DENY, "8": ALLOW}, ("8",), True),
        (VIEW_CHANNEL, {"1": DENY, "8": ALLOW}, (), False),
        (VIEW_CHANNEL, {"8": DENY}, ("8",), False),
        (VIEW_CHANNEL, {"8": DENY, "9": ALLOW}, ("8", "9"), True),
        (VIEW_CHANNEL, {"8": ALLOW, "50": DENY}, ("8",), False),
        (VIEW_CHANNEL, {"1": DENY, "8": DENY}, ("6",), True),
        (0, {}, ("gone",), False),
    ],
)
def test_sight_is_decided_as_discord_decides_it(
    everyone: int, overwrites: dict[str, Overwrite], roles: tuple[str, ...], expected: bool
) -> None:
    """Everyone's overwrite, then the roles' together, then the person's own; administrators see all."""
    known = {"1": Role("@everyone", everyone), "7": Role("seers", VIEW_CHANNEL), "8": Role("a", 0), "9": Role("b", 0)}
    server = Server("1", "60", {**known, "6": ADMIN}, {"20": Channel("den", overwrites)})
    assert bool(server.names_for(Author("50", groups=roles)).channels) is expected
    assert server.names_for(Author("60")).channels == {"20": "den"}


def test_nobody_is_no_owner() -> None:
    """An unknown person sees what everyone sees, also where the server's owner is unknown."""
    server = Server("1", "", {"1": Role("@everyone", 0)}, {"20": Channel("den")})
    assert not server.names_for(Author("")).channels


def test_rest_tells_the_same() -> None:
    """What Discord describes by REST gives roles, channels and their overwrites."""
    guild = {"id": "1", "owner_id": "60", "roles": [{"id": "1", "name": "@everyone", "permissions": str(VIEW_CHANNEL)}]}
    hidden = {
        "id": "21",
        "name": "den",
        "permission_overwrites": [{"id": "1", "allow": "0", "deny": str(VIEW_CHANNEL)}],
    }
    server = server_from_rest(guild, [{"id": "20", "name": "hall"}, hidden])
    assert server.names_for(Author("50")).channels == {"20": "hall"}
    assert server.names_for(Author("60")).channels == {"20": "hall", "21": "den"}
