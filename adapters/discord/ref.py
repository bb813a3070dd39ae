"""What answering at Discord needs to know, from an inbound to the receipt of its answer: one value, and its plain strings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from adapters.shared.refs import from_ref, to_ref

DEFAULT_LIMIT = 10 * 1024 * 1024
"""Bytes of one file in a server without boosts. Source: Discord, Reference, Uploading Files."""
FORMER_KEYS: Mapping[str, str] = {
    "channel_id": "at",
    "reply_to_id": "anchor",
    "user_id": "user",
    "limit_bytes": "limit",
    "application_id": "app",
    "token_expires_at": "until",
    "edits_original": "fills",
    "is_member": "member",
    "about_id": "about",
    "question_id": "question",
    "is_ephemeral": "ephemeral",
    "has_settings_button": "settings",
    "is_revised": "revised",
    "has_files": "files",
    "voice_ids": "voice",
    "webhook_message_ids": "hooked",
}
"""By field, the key under which released versions stored it: their inbounds and receipts are still in databases."""
FORMER_FILE_KEYS: Mapping[str, str] = {"file_id": "id", "channel_id": "channel", "message_id": "message"}
ALWAYS_WRITTEN = frozenset(
    {"channel_id", "reply_to_id", "user_id", "limit_bytes", "token", "application_id", "token_expires_at"}
    | {"edits_original", "is_member"}
)
"""Fields that are stored even when they hold nothing: a press is laid over what it is about, and none of that may shine through."""


@dataclass(frozen=True)
class DiscordRef:
    """The adapter's own facts about an inbound, and, from `question_id` on, about the answer to it."""

    channel_id: str = ""
    """The channel or thread to answer in."""
    reply_to_id: str = ""
    """The message to answer beneath, or empty."""
    user_id: str = ""
    """Who asked."""
    limit_bytes: int = DEFAULT_LIMIT
    """Of one uploaded file."""
    token: str = ""
    """Of the interaction, sealed by `adapters.shared.short_lived`; or empty."""
    application_id: str = ""
    """The webhook's id of the interaction."""
    token_expires_at: float = 0.0
    """In Unix seconds."""
    edits_original: bool = False
    """The first message takes the place where the interaction shows that work is going on."""
    is_member: bool = True
    """The bot itself may write there, without the token."""
    about_id: str = ""
    """The message that a message menu was used on."""
    may_read_history: bool = True
    """The person may read what was said there before."""
    question_id: str = ""
    """The inbound's own id, for the buttons."""
    boot: str = ""
    """The process that opened the answer, as in `adapters.shared.live`."""
    is_ephemeral: bool = False
    """For the eyes of the person who asked alone."""
    has_settings_button: bool = False
    is_revised: bool = False
    """The messages of an earlier answer are written anew."""
    has_files: bool = False
    """Files are attached to its text."""
    voice_ids: tuple[str, ...] = ()
    """Its messages that are sound."""
    webhook_message_ids: tuple[str, ...] = ()
    """Its messages that were made by the token, and are changed by it."""

    def to_ref(self) -> dict[str, str]:
        """As strings, for an inbound's or a receipt's `ref`."""
        return to_ref(self, ALWAYS_WRITTEN)

    @classmethod
    def from_ref(cls, ref: Mapping[str, str]) -> DiscordRef:
        """From these strings, a released version's among them; what is missing has its default."""
        return from_ref(cls, ref, FORMER_KEYS)


@dataclass(frozen=True)
class DiscordFileRef:
    """What downloading a file needs to know."""

    file_id: str = ""
    """Empty for stickers, whose addresses do not go stale."""
    url: str = ""
    """Signed, and good for a day or so."""
    channel_id: str = ""
    message_id: str = ""
    """Where it stood: that gives a fresh address."""

    def to_ref(self) -> dict[str, str]:
        """As strings, for an attachment's `ref`."""
        return to_ref(self)

    @classmethod
    def from_ref(cls, ref: Mapping[str, str]) -> DiscordFileRef:
        """From these strings, a released version's among them."""
        return from_ref(cls, ref, FORMER_FILE_KEYS)
