"""A Discord on loopback: REST, gateway, CDN and a page to try it by hand; imports nothing but aiohttp."""

from __future__ import annotations

from .buckets import Limits
from .clock import EmulatorClock
from .emulator import DiscordEmulator
from .errors import Refused
from .faults import Fault
from .interactions import Interaction
from .model import Channel, Guild, Message, User
from .rest import Call
from .world import AppConfig

__all__ = [
    "AppConfig",
    "Call",
    "Channel",
    "DiscordEmulator",
    "EmulatorClock",
    "Fault",
    "Guild",
    "Interaction",
    "Limits",
    "Message",
    "Refused",
    "User",
]
