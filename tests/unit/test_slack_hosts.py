"""Files come from Slack's hosts and from nowhere else, whatever address a delivery names and whatever a name resolves to."""

from __future__ import annotations

import socket
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from hypothesis import given
from hypothesis import strategies as st

from adapters.slack.hosts import PublicResolver, SlackHosts, is_public, public_session

USUAL, EMULATED = SlackHosts("https://slack.com/api/"), SlackHosts("http://127.0.0.1:81/api/")
ELSEWHERE = (
    "http://169.254.169.254/latest/meta-data/",
    "https://169.254.169.254/latest/meta-data/",
    "http://files.slack.com/x",
    "https://files.slack.com:444/x",
    "https://files.slack.com:8080/x",
    "https://slack.com.evil.example/x",
    "https://evilslack.com/x",
    "https://evil.example/slack.com",
    "https://files.slack.com@evil.example/x",
    "https://evil.example@files.slack.com/x",
    "https://files.slack.com\\@evil.example/x",
    "https://127.0.0.1/x",
    "https://[::1]/x",
    "https://localhost/x",
    "file:///etc/passwd",
    "//files.slack.com/x",
    "https://[files.slack.com/x",
    "https://files.slack.com:x/x",
    "gopher://files.slack.com/x",
    "",
)
PRIVATE = (
    "127.0.0.1",
    "127.9.9.9",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "255.255.255.255",
    "224.0.0.1",
    "::1",
    "::",
    "fe80::1",
    "fc00::1",
    "fd12::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "2002:c0a8:101::",
    "fec0::1",
    "fe80::1%eth0",
    "localhost",
)


@pytest.mark.parametrize("url", ELSEWHERE)
def test_only_slack_s_hosts_are_fetched_from(url: str) -> None:
    """By https at its own port, without a name before the host; neither first nor after a redirect is anything else."""
    for hosts in (USUAL, EMULATED):
        assert not hosts.takes_token(url) and not hosts.may_lead_to(url)


def test_slack_may_lead_on_to_its_delivery_hosts() -> None:
    """Which get no token, and are no place for a file to begin at."""
    for url in ("https://slack-files.com/x", "https://downloads.slack-edge.com/x"):
        assert USUAL.may_lead_to(url) and not USUAL.takes_token(url)
    assert USUAL.takes_token("https://files.slack.com/x") and USUAL.takes_token("https://FILES.slack.com:443/x")


def test_an_emulator_is_the_one_server_that_is_configured() -> None:
    """No other port of this machine, and not its host by another name."""
    assert EMULATED.takes_token("http://127.0.0.1:81/files/x")
    for url in ("http://127.0.0.1:82/x", "http://127.0.0.1/x", "http://localhost:81/x", "https://127.0.0.1:81/x"):
        assert not EMULATED.may_lead_to(url), url


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_of_this_machine_and_its_networks_are_not_public(address: str) -> None:
    """In whatever way they are written, and behind whatever translation."""
    assert not is_public(address)


@given(st.ip_addresses())
def test_any_address_is_public_or_not(address: Any) -> None:
    """Written as text it is judged, and what is public is global."""
    assert not is_public(str(address)) or address.is_global or address.version == 6


class Rebinding(AbstractResolver):
    """A name that is public when it is looked at, and at this machine when it is asked for once more."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = list(addresses)
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The next one."""
        address = self.addresses[min(self.asked, len(self.addresses) - 1)]
        self.asked += 1
        return [ResolveResult(hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=0)]

    async def close(self) -> None:
        """Nothing to close."""


async def test_a_name_that_leads_to_this_machine_is_not_connected_to() -> None:
    """Not at once, and not when its address changes between two questions: what was looked at is what is connected to."""
    hits: list[str] = []

    async def hit(request: web.Request) -> web.Response:
        hits.append(request.path)
        return web.Response(text="secret")

    app = web.Application()
    app.router.add_get("/{path:.*}", hit)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    async with public_session(Rebinding("127.0.0.1")) as session:
        with pytest.raises(aiohttp.ClientError, match="no public address"):
            await session.get(f"http://files.slack.com:{port}/latest/meta-data/")
    rebinding = Rebinding("203.0.114.1", "127.0.0.1")
    assert [one["host"] for one in await PublicResolver(rebinding).resolve("files.slack.com", 443)] == ["203.0.114.1"]
    assert rebinding.asked == 1 and hits == []
    await runner.cleanup()
