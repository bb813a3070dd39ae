"""Where an answer goes at Discord, and by which ways: read off its receipt. Without calls."""

from __future__ import annotations

from dataclasses import dataclass, field

from adapters.discord.ref import DiscordRef
from adapters.shared.short_lived import ShortLived
from bot.types import Address, Receipt


@dataclass
class Target:
    """Where the answer of a turn goes, and which ways there are still open."""

    turn_id: str
    address: Address
    ref: DiscordRef
    token: str = ""
    """The interaction's, until Discord says that it has ended."""
    webhook_message_ids: set[str] = field(default_factory=set)
    """Messages that were made by the token."""
    fallback_dm: str = ""
    """The direct channel that stands in for a place where nothing can be written any more."""

    @classmethod
    def of(cls, receipt: Receipt, short_lived: ShortLived) -> Target:
        """As the receipt remembers it. short_lived: opens the token, for as long as it lives."""
        ref = DiscordRef.from_ref(receipt.ref)
        token = (short_lived.open(ref.token) or "") if ref.token else ""
        return cls(receipt.turn_id, receipt.address, ref, token, set(ref.webhook_message_ids))

    @property
    def channel_id(self) -> str:
        """The channel or thread."""
        return self.ref.channel_id or self.address.thread or self.address.channel

    @property
    def home(self) -> tuple[str, ...]:
        """What addresses of messages in the same server begin with."""
        return (f"https://discord.com/channels/{self.address.workspace}/",) if self.address.workspace.isdigit() else ()

    @property
    def needs_token(self) -> bool:
        """Whether only the interaction's token writes here: what it posted is not found again, so the rest waits for the end."""
        return self.ref.is_ephemeral or not self.ref.is_member
