"""Which addresses at Slack are fetched and posted to, and a connection that leads nowhere else.

An address comes with a delivery, and so in the end from whoever could write into one. Nothing is fetched from a host that is not
Slack's, nor, whatever a name resolves to, from this machine or its network.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver

SLACK_DOMAINS = ("slack.com", "slack-gov.com")
"""Slack's own: the usual one, and GovSlack's, which counts only where it is the one configured."""
DELIVERY_HOSTS = ("slack-edge.com", "slack-files.com", "slack-imgs.com")
"""To which Slack leads on from a file's own address; they need no token, and get none."""
HTTPS = 443
CONNECT_S, READ_S = 20, 20


class SlackHosts:
    """Slack's hosts, as the address of its API names them: GovSlack has its own, and an emulator is one on this machine."""

    def __init__(self, api_url: str) -> None:
        self._api = urlsplit(api_url)
        host = self._api.hostname or ""
        self._is_vendor = self._api.scheme == "https" and host in SLACK_DOMAINS
        self._domains = (SLACK_DOMAINS[0], host) if self._is_vendor else SLACK_DOMAINS[:1]

    def is_emulator(self, url: str) -> bool:
        """Whether it is at the very server that SLACK_API_URL names, where that is not Slack's own."""
        asked = _split(url)
        own = (self._api.scheme, self._api.hostname, self._api.port)
        return not self._is_vendor and asked is not None and (asked.scheme, asked.hostname, _port(asked)) == own

    def takes_token(self, url: str) -> bool:
        """Whether the token may go there: Slack's own hosts, by https."""
        return self.is_emulator(url) or _is_at(url, self._domains)

    def may_lead_to(self, url: str) -> bool:
        """Whether a download may go on there."""
        return self.takes_token(url) or _is_at(url, DELIVERY_HOSTS)


def _split(url: str) -> Any:
    try:
        return urlsplit(url)
    except ValueError:
        return None


def _port(asked: Any) -> int | None:
    try:
        return asked.port  # type: ignore[no-any-return]
    except ValueError:
        return -1


def _is_at(url: str, domains: tuple[str, ...]) -> bool:
    """Whether the address is one of these domains' or their hosts', by https at its own port, without a name and password."""
    asked = _split(url)
    if asked is None or asked.scheme != "https" or _port(asked) not in (None, HTTPS) or "@" in asked.netloc:
        return False
    host = (asked.hostname or "").rstrip(".")
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)


class PublicResolver(AbstractResolver):
    """Resolves names to public addresses alone. The connection goes to an address that was looked at here: no second look-up."""

    def __init__(self, inner: AbstractResolver | None = None) -> None:
        self._inner = inner or DefaultResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The public ones among the name's addresses. Raises OSError when there is none."""
        found = [one for one in await self._inner.resolve(host, port, family) if is_public(one["host"])]
        if not found:
            raise OSError(None, f"{host} is at no public address")
        return found

    async def close(self) -> None:
        """Let go of the resolver behind it."""
        await self._inner.close()


def is_public(address: str) -> bool:
    """Whether it is an address of the public internet: none of this machine, of a private network, or of a way into one."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        inner = (
            found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None) or _translated(found)
        )
        if inner is not None:
            found = inner
    if isinstance(found, ipaddress.IPv6Address) and found.is_site_local:
        return False
    return found.is_global and not found.is_multicast and not found.is_reserved


def _translated(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address behind one of NAT64's. Source: RFC 6052."""
    if address in ipaddress.ip_network("64:ff9b::/96"):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def public_session(resolver: AbstractResolver | None = None) -> aiohttp.ClientSession:
    """A session that connects to public addresses alone; make it inside the loop. resolver: who knows the names."""
    connector = aiohttp.TCPConnector(resolver=PublicResolver(resolver), use_dns_cache=False)
    timeout = aiohttp.ClientTimeout(total=None, connect=CONNECT_S, sock_read=READ_S)
    return aiohttp.ClientSession(connector=connector, timeout=timeout)
