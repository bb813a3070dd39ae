"""Who calls over HTTP: whether a proxy stands between, and which callers count as one."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

from bot.policy.this_machine import is_loopback

PROXY_HEADERS = frozenset(
    {
        "via",
        "forwarded",
        "x-real-ip",
        "x-real-port",
        "true-client-ip",
        "client-ip",
        "x-client-ip",
        "x-cluster-client-ip",
        "x-original-forwarded-for",
        "x-original-host",
        "x-original-url",
        "x-rewrite-url",
        "x-remote-ip",
        "x-remote-addr",
        "x-proxyuser-ip",
        "x-envoy-external-address",
        "x-appengine-user-ip",
        "x-azure-clientip",
        "x-amzn-trace-id",
        "x-cloud-trace-context",
        "x-arr-ssl",
        "cdn-loop",
        "wl-proxy-client-ip",
        "proxy-client-ip",
        "proxy-connection",
        "tailscale-user-login",
        "ngrok-auth-user-email",
    }
)
"""Headers that only proxies, tunnels and content networks add."""
PROXY_PREFIXES = (
    "x-forwarded",
    "cf-",
    "fastly-",
    "x-vercel-",
    "x-nginx-",
    "x-envoy-",
    "x-azure-",
    "tailscale-",
    "x-akamai-",
)
"""How further ones of theirs begin."""


def came_by_proxy(header_names: Iterable[str]) -> bool:
    """Whether these headers say that a proxy passed the request on. That none says so proves nothing: some add none."""
    return any(name.lower() in PROXY_HEADERS or name.lower().startswith(PROXY_PREFIXES) for name in header_names)


def host_name(host: str) -> str:
    """Return the name in a Host header or an Origin, without its port; empty when it is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def comes_from_this_machine(remote: str, host: str, header_names: Iterable[str]) -> bool:
    """Whether a request seems to come from a browser or a program on this machine.

    remote: the address at the other end. host: its Host header; a name that is not this machine's means that a page of another
    site made its name point here (DNS rebinding).
    """
    return is_loopback(remote) and is_loopback(host_name(host)) and not came_by_proxy(header_names)


def network_of(address: str) -> str:
    """Return what counts as one caller: an IPv4 address, or the /64 network of an IPv6 address: one line has all of it."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.IPv6Network((parsed, 64), strict=False))
    return str(parsed)
