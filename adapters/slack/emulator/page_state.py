"""Owns what the page shows at a moment: the workspace as one person sees it, as JSON with finished HTML."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from .mrkdwn import unescape
from .render import EMOJI, Renderer
from .streams import content_blocks
from .workspace import Channel, File, Json, Message, User, View

if TYPE_CHECKING:
    from .emulator import SlackEmulator

PLAYERS = {"image": "image", "audio": "audio", "video": "video"}


class PageState:
    """Reads the workspace for the page."""

    def __init__(self, slack: "SlackEmulator") -> None:
        self._slack = slack
        self._render = Renderer(self._name_of, self._file_url)

    def read(self, query: Mapping[str, str]) -> Json:
        """All that the page shows to `user` in `channel`, and in the thread `thread` if any."""
        slack = self._slack
        me = self._person(query.get("user", ""))
        rooms = self._rooms(me)
        room = next((each for each in rooms if each.id == query.get("channel")), rooms[0])
        thread = query.get("thread", "")
        return {
            "team": slack.world.teams[me.team_id].name,
            "app": slack.app.name,
            "bot": slack.world.teams[me.team_id].bot_user_id,
            "me": me.id,
            "people": [{"id": each.id, "name": self._full_name(each)} for each in self._people()],
            "channels": [self._room(each, me) for each in rooms],
            "channel": self._room(room, me),
            "messages": [self._message(each, me) for each in self._visible(room, me)],
            "thread": self._thread(room, thread, me) if thread else None,
            "home": self._view(slack.home(me)),
            "modal": self._view(next(reversed(slack.modals(me)), None)),
            "prompts": self._prompts(room),
            "commands": list(slack.app.slash_commands),
            "shortcuts": [{"name": s.name, "id": s.callback_id, "kind": s.kind} for s in slack.app.shortcuts],
            "connected": bool(slack.sockets) or not slack.app.socket_mode,
            "mode": "Socket Mode" if slack.app.socket_mode else "HTTP",
        }

    # -- people and places

    def _people(self) -> list[User]:
        return [user for user in self._slack.world.users.values() if not user.is_bot]

    def _full_name(self, user: User) -> str:
        teams = self._slack.world.teams
        return user.real_name if len(teams) == 1 else f"{user.real_name} ({teams[user.team_id].name})"

    def _person(self, wanted: str) -> User:
        return next((user for user in self._people() if user.id == wanted), self._people()[0])

    def _rooms(self, me: User) -> list[Channel]:
        if self._slack.world.teams[me.team_id].bot_user_id:
            self._slack.dm(me)
        return [room for room in self._slack.world.channels.values() if me.id in room.members]

    def _room(self, room: Channel, me: User) -> Json:
        others = [self._slack.world.users[user].real_name for user in room.members if user != me.id]
        label = room.name if room.kind in ("public", "private") else ", ".join(others) or me.real_name
        team = self._slack.world.teams[me.team_id]
        shown = {"id": room.id, "label": label, "kind": room.kind, "members": len(room.members)}
        return shown | {"agent": room.kind == "im" and team.bot_user_id in room.members, "topic": room.topic}

    def _name_of(self, target: str) -> str:
        world, sign, rest = self._slack.world, target[:1], target[1:]
        if sign == "@":
            return "@" + (world.users[rest].name if rest in world.users else rest)
        if sign == "#":
            return "#" + (world.channels[rest].name if rest in world.channels else rest)
        group = world.groups.get(rest.removeprefix("subteam^"))
        return "@" + (group.handle if group else rest)

    def _file_url(self, wanted: str) -> str:
        """The page's own address of a file, given as id or as one of our addresses; "" for anything outside."""
        found = re.search(r"F0[A-Z0-9]{9}", wanted)
        return f"/emulator/file/{found.group()}" if found and found.group() in self._slack.world.files else ""

    def _source(self, text: str) -> str:
        """The text as its author typed it, for editing."""

        def shown(match: re.Match[str]) -> str:
            target = match.group(1)
            return target if "://" in target else self._name_of(target)

        return unescape(re.sub(r"<([^<>|]+)(?:\|[^<>]*)?>", shown, text))

    # -- messages

    def _visible(self, room: Channel, me: User) -> list[Message]:
        hidden = [m for m in room.ephemerals if m.ephemeral_to == me.id and not m.thread_ts]
        return sorted([*self._slack.messages(room), *hidden], key=lambda message: message.ts)

    def _thread(self, room: Channel, ts: str, me: User) -> Json:
        hidden = [m for m in room.ephemerals if m.ephemeral_to == me.id and m.thread_ts == ts]
        messages = sorted([*self._slack.messages(room, ts), *hidden], key=lambda message: message.ts)
        session, status = self._slack.session(room, ts), self._slack.world.status(room.id, ts)
        can_stop = session is not None and session.status == "processing"  # a live stream alone offers no Stop
        return {
            "ts": ts,
            "messages": [self._message(each, me) for each in messages],
            "status": status.text if status else "",
            "loading": status.loading_messages if status else [],
            "can_stop": can_stop,
            "title": self._slack.world.titles.get((room.id, ts)) or (session.title if session else ""),
        }

    def _message(self, message: Message, me: User) -> Json:
        world = self._slack.world
        author, replies = world.users.get(message.user), self._slack.replies(message)
        status = world.status(message.channel, message.ts)
        return {
            "ts": message.ts,
            "channel": message.channel,
            "thread_ts": message.thread_ts,
            "user": message.user,
            "name": message.username or (author.real_name if author else "Slack"),
            "is_bot": bool(message.bot_id) or author is None,
            "time": datetime.fromtimestamp(float(message.ts), UTC).astimezone().strftime("%H:%M"),
            "html": self._html(message),
            "source": self._source(message.text),
            "files": [self._file(world.files[name]) for name in message.files],
            "reactions": [
                {"name": name, "emoji": EMOJI.get(name, f":{name}:"), "count": len(people), "mine": me.id in people}
                for name, people in message.reactions.items()
            ],
            "edited": message.edited is not None,
            "ephemeral": message.ephemeral_to is not None,
            "streaming": message.is_streaming,
            "mine": message.user == me.id,
            "broadcast": message.broadcast,
            "replies": len(replies) if message.thread_ts in (None, message.ts) else 0,
            "status": status.text if status else "",
        }

    def _html(self, message: Message) -> str:
        if message.stream is not None:
            return self._render.blocks(message.blocks or content_blocks(message.stream))
        if message.markdown is not None:
            return self._render.markdown(message.markdown) + self._attachments(message)
        own = [block for block in message.blocks if block["type"] != "rich_text"]
        body = self._render.blocks(message.blocks) if own else self._render.mrkdwn(message.text)
        return body + self._attachments(message)

    def _attachments(self, message: Message) -> str:
        return "".join(f'<div class="attachment">{self._attachment(each)}</div>' for each in message.attachments)

    def _attachment(self, attachment: Json) -> str:
        text = attachment.get("text") or attachment.get("title") or attachment.get("fallback", "")
        return self._render.mrkdwn(text) + self._render.blocks(attachment.get("blocks", []))

    def _file(self, file: File) -> Json:
        kind = {"slack_audio": "audio", "slack_video": "video"}.get(file.subtype or "")
        kind = kind or PLAYERS.get(file.mimetype.partition("/")[0], "file")
        if file.access == "check_file_info":
            kind = "file"
        said = (file.transcription or {}).get("preview", {}).get("content", "")
        shown: Json = {"id": file.id, "name": file.name, "title": file.title, "kind": "gone" if file.deleted else kind}
        shown |= {"size": len(file.content), "url": f"/emulator/file/{file.id}", "transcript": said}
        return shown | {"text": _preview(file), "alt": file.alt_txt or file.title, "type": file.filetype}

    # -- views and prompts

    def _view(self, view: View | None) -> Json | None:
        if view is None:
            return None
        payload = view.payload
        shown = {"id": view.id, "hash": view.hash, "title": payload.get("title", {}).get("text", "")}
        shown |= {"submit": (payload.get("submit") or {}).get("text", ""), "kind": payload["type"]}
        shown |= {"close": (payload.get("close") or {}).get("text", "Close")}
        return shown | {"html": self._render.blocks(payload["blocks"], view.errors)}

    def _prompts(self, room: Channel) -> Json | None:
        pinned = self._slack.world.prompts.get(room.id)
        if pinned or not self._slack.app.suggested_prompts or room.kind != "im":
            return pinned
        return {"title": "", "prompts": [{"title": t, "message": m} for t, m in self._slack.app.suggested_prompts]}


def _preview(file: File) -> str:
    is_text = file.mimetype.startswith("text/") or file.mode == "snippet" or file.filetype in ("python", "json")
    return file.content[:4000].decode("utf-8", "replace") if is_text and not file.deleted else ""
