"""Owns what a workspace is made of: people, channels, messages, files, tokens. State only, no wire and no clock."""

import re
from dataclasses import dataclass, field
from typing import Any, Literal

Json = dict[str, Any]
ChannelKind = Literal["public", "private", "im", "mpim"]
PING = re.compile(r"<(?:@[UW][A-Z0-9]+|![a-z]+|!subteam\^[A-Z0-9]+)(?:\|[^>]*)?>")


@dataclass
class User:
    """A person or a bot of one workspace."""

    id: str
    team_id: str
    name: str
    real_name: str
    is_bot: bool = False
    deleted: bool = False
    is_stranger: bool = False
    is_admin: bool = False
    is_owner: bool = False
    is_restricted: bool = False
    """A guest of several channels."""
    is_ultra_restricted: bool = False
    """A guest of one channel."""
    locale: str = "en-US"
    tz: str = "Europe/Amsterdam"
    bot_id: str | None = None
    app_id: str | None = None


@dataclass
class UserGroup:
    """A group that can be mentioned as `<!subteam^S...>`."""

    id: str
    team_id: str
    handle: str
    name: str
    users: list[str] = field(default_factory=list)


@dataclass
class File:
    """A file and its bytes."""

    id: str
    team_id: str
    user: str
    name: str
    title: str
    mimetype: str
    filetype: str
    content: bytes
    created: int
    subtype: str | None = None
    """`slack_audio` or `slack_video` for a clip."""
    duration_ms: int | None = None
    transcription: Json | None = None
    alt_txt: str | None = None
    access: str = "visible"
    """`check_file_info`: events show only the id, as in Slack Connect channels."""
    mode: str = "hosted"
    channels: list[str] = field(default_factory=list)
    shares: list[tuple[str, str, str | None]] = field(default_factory=list)
    """Channel, message and thread timestamps of each share."""
    deleted: bool = False


@dataclass
class Stream:
    """How far a streamed message is."""

    started_at: float
    recipient_user: str | None
    recipient_team: str | None
    task_display_mode: str = "timeline"
    tasks: dict[str, Json] = field(default_factory=dict)
    plan_title: str | None = None
    parts: list[Json] = field(default_factory=list)
    """Chunks in order: markdown texts joined where they touch, and blocks."""
    live: bool = True
    appends: int = 0


@dataclass
class Message:
    """One message as Slack keeps it."""

    ts: str
    channel: str
    user: str
    text: str = ""
    markdown: str | None = None
    """The standard Markdown it was sent as, when it was."""
    blocks: list[Json] = field(default_factory=list)
    attachments: list[Json] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    thread_ts: str | None = None
    subtype: str | None = None
    bot_id: str | None = None
    app_id: str | None = None
    username: str | None = None
    metadata: Json | None = None
    edited: Json | None = None
    reactions: dict[str, list[str]] = field(default_factory=dict)
    client_msg_id: str | None = None
    ephemeral_to: str | None = None
    broadcast: bool = False
    stream: Stream | None = None
    revisions: int = 0
    """How often it was changed after it was posted."""
    extra: Json = field(default_factory=dict)

    @property
    def shown(self) -> str:
        """What a person reads: its Markdown, else its blocks' text (`text` is then for notifications), else `text`."""
        if self.markdown is not None:
            return self.markdown
        own = [block for block in self.blocks if block.get("type") != "rich_text"]
        return block_text(self.blocks) if own else self.text

    @property
    def pings(self) -> list[str]:
        """The control sequences that would notify someone, in the text, the Markdown and the blocks."""
        texts = [self.text, self.markdown or "", block_text(self.blocks)]
        return sorted({found for text in texts for found in PING.findall(text)})

    @property
    def is_streaming(self) -> bool:
        """Whether a stream still writes to it."""
        return self.stream is not None and self.stream.live


@dataclass
class Channel:
    """A conversation: channel, direct message or group message."""

    id: str
    team_id: str
    name: str
    kind: ChannelKind
    members: list[str] = field(default_factory=list)
    created: int = 0
    creator: str = ""
    topic: str = ""
    purpose: str = ""
    is_archived: bool = False
    is_general: bool = False
    connected_team_ids: list[str] = field(default_factory=list)
    """Other workspaces that share it (Slack Connect); empty for an ordinary channel."""
    messages: dict[str, Message] = field(default_factory=dict)
    ephemerals: list[Message] = field(default_factory=list)

    @property
    def is_ext_shared(self) -> bool:
        """Whether people of other organisations read it."""
        return bool(self.connected_team_ids)

    def root(self, ts: str) -> Message | None:
        """The message that a thread hangs on, or None."""
        found = self.messages.get(ts)
        return found if found and found.thread_ts in (None, found.ts) else None

    def replies(self, thread_ts: str) -> list[Message]:
        """The replies of a thread, oldest first, without its root."""
        return [m for m in self.in_order() if m.thread_ts == thread_ts and m.ts != thread_ts]

    def in_order(self) -> list[Message]:
        """All messages, oldest first: timestamps only grow, so this is the order in which they were kept."""
        return list(self.messages.values())


@dataclass
class Status:
    """A line such as "is thinking..." under a thread."""

    channel: str
    thread_ts: str
    text: str
    set_at: float
    loading_messages: list[str] = field(default_factory=list)


@dataclass
class Session:
    """An agent's session in a thread."""

    channel: str
    thread_ts: str
    status: str
    title: str = ""
    user: str | None = None


@dataclass
class View:
    """A modal or a Home tab."""

    id: str
    team_id: str
    user: str
    payload: Json
    hash: str
    root_id: str
    previous_id: str | None = None
    is_open: bool = True
    errors: dict[str, str] = field(default_factory=dict)


@dataclass
class Token:
    """A token with its owner and rights."""

    value: str
    kind: Literal["bot", "user", "app"]
    app_id: str
    team_id: str | None
    enterprise_id: str | None
    user_id: str | None
    scopes: list[str]
    expires_at: float | None = None
    refresh_token: str | None = None
    revoked: bool = False


@dataclass
class Installation:
    """The app in one workspace, or in a whole organisation (`team_id` is None)."""

    team_id: str | None
    enterprise_id: str | None
    bot_user_ids: dict[str, str]
    """The bot's user id by workspace."""
    bot_id: str
    scopes: list[str]
    active: bool = True


@dataclass
class Team:
    """A workspace."""

    id: str
    name: str
    domain: str
    enterprise_id: str | None = None
    bot_user_id: str = ""
    bot_id: str = ""


def block_text(blocks: list[Json]) -> str:
    """All texts inside blocks, joined by spaces: for searching and for notifications."""
    return " ".join(_texts(blocks)).strip()


def _texts(node: Any) -> list[str]:
    if isinstance(node, list):
        return [text for item in node for text in _texts(item)]
    if not isinstance(node, dict):
        return []
    own = [node["text"]] if isinstance(node.get("text"), str) else []
    if node.get("type") == "user":
        own.append(f"<@{node.get('user_id')}>")
    if node.get("type") == "broadcast":
        own.append(f"<!{node.get('range')}>")
    return own + [text for key, value in node.items() if key != "metadata" for text in _texts(value)]
