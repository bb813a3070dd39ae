"""What answering at Slack needs to know, from an inbound to the receipt of its answer: one value, and its plain strings. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from adapters.shared.refs import from_ref, to_ref

FORMER_KEYS: Mapping[str, str] = {
    "user_id": "user",
    "bot_user_id": "bot",
    "about_ts": "about",
    "is_shortcut": "shortcut",
    "has_no_thread": "alone",
    "question_id": "question",
    "since_ts": "since",
    "is_ephemeral": "ephemeral",
    "is_private": "private",
    "has_session": "session",
    "is_revised": "revised",
    "file_ids": "files",
    "controls_ts": "controls",
}
"""By field, the key under which released versions stored it: their inbounds and receipts are still in databases."""
FORMER_FILE_KEYS: Mapping[str, str] = {"file_id": "file", "external_service": "external"}


@dataclass(frozen=True)
class TokenScope:
    """Whose token a call needs: the workspace, and the organisation that it belongs to where there is one."""

    team: str
    enterprise: str = ""


@dataclass(frozen=True)
class SlackRef:
    """The adapter's own facts about an inbound, and, from `question_id` on, about the answer to it."""

    team: str = ""
    """The workspace whose installation the delivery is for."""
    enterprise: str = ""
    """The organisation whose installation it may be for."""
    user_id: str = ""
    """Who asked."""
    bot_user_id: str = ""
    """Our user id there, as the delivery told it: an organisation's token has another in each workspace."""
    user_team: str = ""
    """The asker's own workspace; in a shared channel it may be another company's."""
    mentions: Mapping[str, str] = field(default_factory=dict)
    """Ids of the people whom the asker mentioned, with their names where known; released versions stored groups' too."""
    looking_at: str = ""
    """The channel that the asker had before them in the agent panel."""
    response_url: str = ""
    """Of a command, a button or a shortcut: takes answers where we are no member. Sealed, as of `forms.py`, from the intake on."""
    about_ts: str = ""
    """The message that a shortcut was used on."""
    is_shortcut: bool = False
    has_no_thread: bool = False
    """The message that this is about has no thread: there Slack would show nobody what is shown to one person."""
    stops_session: bool = False
    """Of a press: the Stop button of a thread's agent session, which names no message."""
    question_id: str = ""
    """The inbound's own id, for the buttons."""
    since_ts: str = ""
    """The `ts` before which no post of this turn can be."""
    boot: str = ""
    """The process that opened the answer, as in `adapters.shared.live`."""
    is_ephemeral: bool = False
    """For the eyes of the person who asked alone."""
    is_private: bool = False
    """The answer to a private command: no buttons stand under it."""
    has_session: bool = False
    """Opening it began an agent session, which has to be ended."""
    is_revised: bool = False
    """The messages of an earlier answer are written anew."""
    file_ids: tuple[str, ...] = ()
    """Its uploaded pictures, speech and files."""
    controls_ts: str = ""
    """Its message that holds the buttons under pictures."""

    @property
    def scope(self) -> TokenScope:
        """Whose token answering needs."""
        return TokenScope(self.team, self.enterprise)

    def to_ref(self) -> dict[str, str]:
        """As strings, for an inbound's or a receipt's `ref`."""
        return to_ref(self)

    @classmethod
    def from_ref(cls, ref: Mapping[str, str], team: str = "") -> SlackRef:
        """From these strings, a released version's among them. team: the workspace when they name none."""
        return from_ref(cls, {"team": team, **ref, **_former_mentions(ref)}, FORMER_KEYS)


@dataclass(frozen=True)
class SlackFileRef:
    """What downloading a file needs to know."""

    team: str = ""
    enterprise: str = ""
    channel: str = ""
    file_id: str = ""
    url: str = ""
    """Where it is; empty for a file of another company until Slack is asked."""
    external_service: str = ""
    """The service that holds it, if that is not Slack."""

    @property
    def scope(self) -> TokenScope:
        """Whose token the download needs."""
        return TokenScope(self.team, self.enterprise)

    def to_ref(self) -> dict[str, str]:
        """As strings, for an attachment's `ref`."""
        return to_ref(self)

    @classmethod
    def from_ref(cls, ref: Mapping[str, str]) -> SlackFileRef:
        """From these strings, a released version's among them."""
        return from_ref(cls, ref, FORMER_FILE_KEYS)


def _former_mentions(ref: Mapping[str, str]) -> dict[str, str]:
    """Released versions stored the ids with commas between them, and the names as JSON beside them."""
    ids = ref.get("mentions", "")
    if not ids or ids.startswith("{"):
        return {}
    names = json.loads(ref.get("named") or "{}")
    return {"mentions": json.dumps({one: names.get(one, "") for one in ids.split(",")})}
