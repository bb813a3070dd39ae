"""What comes in: messages, commands, edits, deletions, button presses, and what `accept` did with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias, get_args

from bot.types.identity import EPOCH, NOBODY, Address, Author
from bot.types.plain import value


@value
@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that is still at the platform."""

    name: str
    mime_type: str
    """As the platform claims; the content decides later."""
    size_bytes: int
    """As the platform claims; 0 when unknown."""
    ref: Mapping[str, str] = field(default_factory=dict)
    """What the adapter needs to fetch it later. Never a secret."""
    kind: Literal["image", "audio", "video", "file"] = "file"
    duration_s: float | None = None
    is_voice_note: bool = False
    """The person spoke instead of typing: an answer may be spoken too."""


@value
@dataclass(frozen=True, slots=True)
class Quoted:
    """What somebody else wrote and a person's message brings along. None of it is the person's own word."""

    text: str
    kind: Literal["message", "forwarded message", "card", "text"] = "message"
    """The message asked about, one that was forwarded, what another app shows, or a text given to be worked on."""
    author: str = ""
    """Who wrote it, where the platform tells."""


Intent: TypeAlias = Literal["answer", "transcribe", "describe", "summarize", "translate", "vary", "edit_image"]
Action: TypeAlias = Literal["stop", "regenerate", "continue", "thumbs_up", "thumbs_down", "vary", "edit_image"]
"""What a button under a reply does."""
ACTIONS: tuple[Action, ...] = get_args(Action)


@value
@dataclass(frozen=True, slots=True)
class InboundMessage:
    """A person said something."""

    event_id: str
    """The platform's id of this delivery; the same event delivered again has the same id."""
    message_id: str
    """The platform's id of the message, stable over edits."""
    address: Address
    author: Author
    text: str = ""
    """Their own words."""
    attachments: tuple[Attachment, ...] = ()
    sent_at: datetime = EPOCH
    is_direct: bool = False
    """Only this person and Parley are in the channel."""
    mentions_bot: bool = False
    mentions_others: bool = False
    """It calls somebody else by name, so that in a thread it is meant for them."""
    reply_to: str = ""
    """The platform's id of the message that this one answers, where the platform has such links."""
    intent: Intent = "answer"
    """What a message action, or a button under a picture, asked to be done with this message."""
    ephemeral: bool = False
    """The answer is for the author's eyes only."""
    wants_speech: bool = False
    """The person asked for a spoken answer along with it."""
    about_turn_id: str = ""
    """The turn under whose pictures a button was pressed."""
    about_message_id: str = ""
    """The platform's id of the message whose words it repeats, as one that a message menu made does: it goes when that one goes."""
    about_author_id: str = ""
    """Who wrote that."""
    unreadable_hint: str = ""
    """What to say when the message reached us without its words: why, and what the operator can do."""
    quoted: tuple[Quoted, ...] = ()
    """What others wrote that came along with the words."""
    refusal: str = ""
    """Set by the inbox: why it is not taken up, for the person. That is its answer then."""
    ref: Mapping[str, str] = field(default_factory=dict)
    """What the adapter needs to answer it."""


@value
@dataclass(frozen=True, slots=True)
class Command:
    """A slash command, however the platform spells it."""

    event_id: str
    address: Address
    author: Author
    name: str
    """Without the slash, as in `CommandSpec.name`."""
    text: str = ""
    """All after the name."""
    attachments: tuple[Attachment, ...] = ()
    sent_at: datetime = EPOCH
    message_id: str = ""
    is_direct: bool = False
    ephemeral: bool = False
    wants_speech: bool = False
    refusal: str = ""
    """As in `InboundMessage`."""
    ref: Mapping[str, str] = field(default_factory=dict)


@value
@dataclass(frozen=True, slots=True)
class Edit:
    """A person changed a message of theirs."""

    event_id: str
    message_id: str
    address: Address
    author: Author
    text: str
    sent_at: datetime = EPOCH
    mentions_bot: bool = False
    """Its new wording calls the bot by name."""
    refusal: str = ""
    """As in `InboundMessage`."""
    ref: Mapping[str, str] = field(default_factory=dict)


@value
@dataclass(frozen=True, slots=True)
class Deletion:
    """A message was deleted at the platform."""

    event_id: str
    message_id: str
    address: Address
    author: Author = NOBODY
    sent_at: datetime = EPOCH
    ref: Mapping[str, str] = field(default_factory=dict)


@value
@dataclass(frozen=True, slots=True)
class ButtonPress:
    """A person pressed a button under a reply of ours."""

    event_id: str
    message_id: str
    """The platform's id of the reply, or of the message it answers."""
    address: Address
    author: Author
    action: Action
    value: str = ""
    """What came with it, such as the words for `edit_image`."""
    sent_at: datetime = EPOCH
    ref: Mapping[str, str] = field(default_factory=dict)


Inbound: TypeAlias = InboundMessage | Command | Edit | Deletion | ButtonPress


@value
@dataclass(frozen=True, slots=True)
class Accepted:
    """What `accept` did with an inbound."""

    outcome: Literal["queued", "noted", "repeated", "ignored", "done", "refused"]
    """queued: a turn will answer it · noted: kept as history, no answer due · repeated: seen before · ignored: our own,
    or about nothing we know · done: carried out at once (stop, deletion, feedback) · refused: this person may not do that, or
    not so often; what they said is kept all the same."""
    turn_id: str = ""
    position: int = 0
    """How many turns of this conversation wait before it."""
    reason: str = ""
    """Why it was refused, for the person. Empty under a button when they were told a moment ago."""


@value
@dataclass(frozen=True, slots=True)
class Backfill:
    """What was said at a place before Parley was there to hear it, fetched from the platform."""

    messages: tuple[InboundMessage, ...] = ()
    """Oldest first, Parley's own and other apps' posts among them (`author.is_bot`)."""
    is_complete: bool = True
    """False when the platform would not give all of it: the model is told."""


@value
@dataclass(frozen=True, slots=True)
class ResumePoint:
    """The newest message that is known of an active conversation, to begin from after a downtime."""

    address: Address
    message_id: str
    sent_at: datetime
