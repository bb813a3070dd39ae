"""An answer at Discord as it stays: its messages and files within the limits, its buttons, and its sound."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from adapters.discord import CAPABILITIES, render, speech
from adapters.discord.client import NO_PERMISSION, TOO_LARGE, BusyError, DiscordClient, DiscordError, Upload
from adapters.discord.pace import Pace
from adapters.discord.post import Posts
from adapters.discord.render import Buttons, Component, Rendered
from adapters.discord.rendering import Renderer
from adapters.discord.reply.plan import Ending
from adapters.discord.target import Target
from adapters.shared.uploads import upload_name
from bot.policy.actions import actions_for
from bot.ports import Blobs
from bot.types import Audio, File, Image, Reply

MAX_FILES = 10
"""Source: Discord, Create Message, `files[n]`."""
MAX_BY_TOKEN = 4
"""Messages of an answer where only a person installed us: Discord takes five behind the first, of which one is for a remark and
one for sound. Source: Discord, Create Followup Message."""
NOTHING = "There is nothing to say."
WHOLE_IN_FILE = "The answer goes on in answer.md, which holds it whole."
NO_SOUND = "I may send neither voice messages nor files here, so this answer is not spoken."
FILES_REFUSED = {TOO_LARGE: "they are too large here", NO_PERMISSION: "I may not attach files here"}
"""By Discord's code, why."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Final:
    """All that an answer's messages are made of in the end."""

    ending: Ending
    files: tuple[Upload, ...] = ()
    rows: tuple[Component, ...] = ()
    """Its buttons."""
    voice: Audio | None = None
    """Sound that becomes a voice message; elsewhere it is one of the files."""

    def remark_on_files(self, error: DiscordError) -> str:
        """What to say instead of files that Discord refuses; empty when the error is about something else."""
        why = FILES_REFUSED.get(error.discord_code)
        names = ", ".join(file.name for file in self.files)
        return render.small(f"Not attached ({why}): {names}.") if why and names else ""


class Finisher:
    """Makes the end of an answer."""

    def __init__(self, client: DiscordClient, posts: Posts, pace: Pace, renderer: Renderer) -> None:
        self._client, self._posts, self._pace, self._renderer = client, posts, pace, renderer

    async def compose(self, target: Target, reply: Reply) -> Final:
        """The answer as it stays there. Raises StoreError when its files cannot be read."""
        clips = [part for part in reply.parts if isinstance(part, Audio)]
        voice = clips[0] if clips and not target.needs_token else None
        words = await self._renderer.words(reply.text, target.home)
        whole = render.with_remarks(words, reply.notices)
        files, remarks = self._fitting(target, await self._uploads(target, reply, whole, with_sound=voice is None))
        if remarks:
            whole = render.with_remarks(words, (*reply.notices, *remarks))
        if not target.ref.is_member and len(whole.pieces) > MAX_BY_TOKEN:
            files.append(Upload("answer.md", reply.text.encode(), "text/markdown; charset=utf-8"))
            whole = replace(whole, pieces=(*whole.pieces[: MAX_BY_TOKEN - 1], render.small(WHOLE_IN_FILE)))
        pieces = whole.pieces or (("",) if files else (render.small(NOTHING),))
        return Final(Ending(pieces, bool(files), voice is not None), tuple(files), tuple(_rows(target, reply)), voice)

    async def _uploads(self, target: Target, reply: Reply, whole: Rendered, *, with_sound: bool) -> list[Upload]:
        """Pictures, files and long code."""
        blobs = self._client.host.blobs(target.address)
        kinds = (Image, File, Audio) if with_sound else (Image, File)
        found = [await _upload(part, blobs) for part in reply.parts if isinstance(part, kinds)]
        return found + [Upload(code.name, code.text.encode(), "text/plain; charset=utf-8") for code in whole.files]

    def _fitting(self, target: Target, files: Sequence[Upload]) -> tuple[list[Upload], list[str]]:
        """The files that one message takes there, and remarks on the others."""
        max_bytes = min(target.ref.limit_bytes, self._pace.max_request_bytes)
        kept: list[Upload] = []
        remarks: list[str] = []
        for file in files:
            total = sum(len(one.data) for one in kept) + len(file.data)
            if len(file.data) > max_bytes or total > self._pace.max_request_bytes or len(kept) == MAX_FILES:
                megabytes = max_bytes // 2**20
                remarks.append(
                    f"{file.name} is larger than this server takes ({megabytes} MB) and could not be attached."
                )
            else:
                kept.append(file)
        return kept, remarks

    async def post_voice(self, target: Target, clip: Audio) -> str:
        """A voice message where Discord lets us, else the sound as a file, else a remark; gives the message's id."""
        file = await speech.as_voice(await self._client.host.blobs(target.address).read(clip.blob))
        try:
            return await self._posts.voice(target, "voice", file)
        except BusyError:
            raise
        except DiscordError as error:
            log.info("no voice message there: %s", error.detail)
        plain = Upload("answer.ogg", file.data, "audio/ogg")
        try:
            return await self._posts.create(target, "voice-file", {"content": ""}, [plain])
        except BusyError:
            raise
        except DiscordError as error:
            log.info("no sound there either: %s", error.detail)
            return await self._posts.create(target, "voice-none", {"content": render.small(NO_SOUND)})


async def _upload(part: Image | File | Audio, blobs: Blobs) -> Upload:
    alt = (part.description or part.text) if isinstance(part, Image) else ""
    return Upload(upload_name(part), await blobs.read(part.blob), part.blob.mime_type, alt)


def stop_rows(target: Target) -> list[Component]:
    """The button under an answer that is still being given."""
    return render.button_rows(_buttons(None, target)) if target.ref.question_id else []


def _rows(target: Target, reply: Reply) -> list[Component]:
    """What stands under an answer as it stays: its buttons, or the one that opens the form for settings."""
    return render.settings_button() if target.ref.has_settings_button else render.button_rows(_buttons(reply, target))


def _buttons(reply: Reply | None, target: Target) -> Buttons:
    actions = actions_for(reply, CAPABILITIES, is_private=target.ref.is_ephemeral)
    return Buttons(target.ref.question_id, target.address.thread, actions)
