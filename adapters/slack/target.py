"""Where an answer goes, and whose it is: read off the receipt that `open` wrote. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from adapters.slack.ref import SlackRef, TokenScope
from bot.types import Receipt

_TS = re.compile(r"^\d+\.\d+$")


@dataclass(frozen=True)
class Target:
    """A place in Slack, with the adapter's own facts about the question and the answer."""

    channel: str
    thread: str
    turn_id: str
    ref: SlackRef

    @property
    def scope(self) -> TokenScope:
        """Whose token answering needs."""
        return self.ref.scope

    @property
    def is_direct(self) -> bool:
        """Whether it is a direct message."""
        return self.channel.startswith("D")

    @property
    def has_no_replies(self) -> bool:
        """Whether nobody answered there yet: what is shown to one person in such a thread Slack shows to nobody."""
        return self.ref.has_no_thread or self.thread == self.ref.question_id

    @property
    def allowed(self) -> Mapping[str, str]:
        """Whom the answer may ping, because the asker did: ids of people, with names where known.

        No groups, and not everybody: that the asker wrote them does not mean that Slack lets them, while it lets us.
        """
        return {one: name for one, name in self.ref.mentions.items() if one[:1] in ("U", "W")}

    @property
    def recipient_team(self) -> str:
        """The asker's own workspace, which a stream has to name."""
        return self.ref.user_team or self.ref.team

    def for_asker_alone(self) -> Target:
        """The same place, for the eyes of the asker alone."""
        return replace(self, ref=replace(self.ref, is_ephemeral=True))


def target_of(receipt: Receipt) -> Target:
    """The target that `open` wrote into the receipt."""
    ref = SlackRef.from_ref(receipt.ref, receipt.address.workspace)
    return Target(receipt.address.channel, receipt.address.thread, receipt.turn_id, ref)


def is_ts(text: str) -> bool:
    """Whether it is a Slack message's id."""
    return bool(_TS.match(text))
