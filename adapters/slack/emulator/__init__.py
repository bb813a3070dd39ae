"""Owns the public door of the Slack emulator: a Slack on loopback, for tests and for trying an app offline."""

from .clock import Clock
from .config import AppConfig, Shortcut
from .delivery import Delivery
from .emulator import SlackEmulator
from .faults import Fault
from .manifest import check_manifest
from .workspace import Channel, File, Message, Team, User, View

__all__ = [
    "AppConfig",
    "Channel",
    "Clock",
    "Delivery",
    "Fault",
    "File",
    "Message",
    "Shortcut",
    "SlackEmulator",
    "Team",
    "User",
    "View",
    "check_manifest",
]
