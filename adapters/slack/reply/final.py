"""The end of a reply at Slack: exactly its words, its files and its buttons, wherever Slack lets them be shown."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from adapters.shared.uploads import upload_name
from adapters.slack import CAPABILITIES, NAME, render
from adapters.slack.client import SlackClient
from adapters.slack.errors import CLOSED, OUTSIDE, SlackError
from adapters.slack.files import Files
from adapters.slack.post import Posts
from adapters.slack.ref import SlackRef
from adapters.slack.render import Buttons, Piece, Rendered
from adapters.slack.rendering import Renderer
from adapters.slack.reply.actions import Ending
from adapters.slack.reply.limits import ReplyLimits
from adapters.slack.reply.runner import Runner
from adapters.slack.target import Target
from bot.policy.actions import actions_for
from bot.types import Address, Audio, File, Image, Receipt, Reply

CONTROLS = 1_000
"""The mark of the message that holds the buttons under pictures."""
FIRST_PAUSE_S, PAUSE_FACTOR, MAX_PAUSE_S = 0.1, 1.6, 1.0
"""Between two looks whether a file was shared."""
ALT_TEXT, TITLE = 900, 120
"""Characters of a picture's description and of a file's title."""
ELSEWHERE = "The rest of my answer is in our direct messages. To have all of it here, /invite me to this channel."
log = logging.getLogger(__name__)


class Finisher:
    """Writes replies as they stay."""

    def __init__(self, client: SlackClient, files: Files, posts: Posts, renderer: Renderer) -> None:
        self._client, self._files, self._posts, self._renderer = client, files, posts, renderer

    async def finish(self, runner: Runner, receipt: Receipt, reply: Reply, limits: ReplyLimits) -> Receipt:
        """Leave exactly the reply. Raises SlackError."""
        runner.plan.close()
        runner.release()
        try:
            if runner.target.ref.is_ephemeral:
                return await self._finish_ephemeral(runner, receipt, reply)
            return await self._finish_open(runner, receipt, reply, limits)
        finally:
            runner.release()
            await self._clear(runner)

    async def _clear(self, runner: Runner) -> None:
        """Let no status line and no running session outlive the reply."""
        is_shown = runner.target.ref.is_ephemeral or not runner.plan.posted or runner.plan.shown_status
        try:
            if runner.session.has_status and is_shown:
                await runner.session.clear_status()
            await runner.session.end()
        except SlackError as error:
            log.info("tidying up after an answer at Slack: %s", error.detail or error.text)

    # --- in the thread ---

    async def _finish_open(self, runner: Runner, receipt: Receipt, reply: Reply, limits: ReplyLimits) -> Receipt:
        target = runner.target
        if reply.stopped and await self._posts.is_question_deleted(target):
            return await self._delete_reply(runner, receipt)
        has_pictures = any(isinstance(part, Image) for part in reply.parts)
        buttons = None if has_pictures else buttons_of(reply, target)
        whole = await self._rendered(target, reply, buttons)
        await self._delete_previous_media(target)
        try:
            await self._write_final(runner, reply, whole, buttons)
            file_ids = await self._upload(target, reply, whole, runner.file_names)
        except SlackError as error:
            if not await self._finish_elsewhere(target, reply, error, limits):
                raise
            return receipt
        controls_ts = ""
        if has_pictures:
            await self._await_shares(target, file_ids, limits.share_s)
            controls_ts = await self._post_controls(target, reply)
        return _with_posted(receipt, runner.plan.posted, file_ids, controls_ts)

    async def _rendered(self, target: Target, reply: Reply, buttons: Buttons | None = None) -> Rendered:
        words = await self._renderer.words(reply.text, target.allowed, self._client.home(target.scope))
        return render.with_foot(words, reply.notices, buttons)

    async def _delete_reply(self, runner: Runner, receipt: Receipt) -> Receipt:
        """The question is gone: what was shown of a reply goes too."""
        await self._delete_previous_media(runner.target)
        await self._rewrite(runner, ())
        return replace(receipt, message_ids=())

    async def _delete_previous_media(self, target: Target) -> None:
        """A revised reply's earlier pictures and their buttons go."""
        if not target.ref.is_revised:
            return
        if target.ref.controls_ts:
            await self._posts.delete(target, target.ref.controls_ts)
        for file_id in target.ref.file_ids:
            for ts in await self._shares(target, file_id):  # else "This file was deleted." stays
                await self._posts.delete(target, ts)
            with suppress(SlackError):
                await self._client.call(target.scope, "files.delete", file=file_id)

    async def _write_final(self, runner: Runner, reply: Reply, whole: Rendered, buttons: Buttons | None) -> None:
        """The words as they stay: the stream is ended where it holds the same, else the messages are written anew."""
        ending = runner.plan.last_of_stream(reply, whole, buttons)
        if ending is None or not await self._try_all(runner, ending):
            await self._rewrite(runner, whole.pieces)

    async def _rewrite(self, runner: Runner, pieces: Sequence[Piece]) -> None:
        stop, writes = runner.plan.rewrite(pieces)
        await self._try_all(runner, stop)
        for action in writes:
            await runner.must(action)

    async def _try_all(self, runner: Runner, actions: Sequence[Ending]) -> bool:
        """Whether all could be done; a stream may have ended by itself."""
        for action in actions:
            try:
                await runner.must(action)
            except SlackError as error:
                log.info("a stream at Slack ended early: %s", error.detail or error.text)
                runner.plan.on_refused(action, self._client.host.clock.monotonic())
                return False
        return True

    # --- files and what stands beneath them ---

    async def _upload(self, target: Target, reply: Reply, whole: Rendered, present: set[str]) -> list[str]:
        """Pictures, speech, files and long code into the thread; gives the files' ids. present: names of those there already."""
        blobs = self._client.host.blobs(Address(NAME, target.scope.team, target.channel, target.thread))
        ids: list[str] = []
        for part in reply.parts:
            if isinstance(part, Image | Audio | File) and (name := upload_name(part)) not in present:
                data = await blobs.read(part.blob)
                alt = (part.description or part.text)[:ALT_TEXT] if isinstance(part, Image) else ""
                ids.append(await self._files.upload(target, name, data, title=_title(part), alt=alt))
        for code in whole.files:
            if code.name not in present:
                ids.append(await self._files.upload(target, code.name, code.text.encode(), title=code.name))
        return ids

    async def _await_shares(self, target: Target, file_ids: Sequence[str], patience_s: float) -> None:
        """Slack shares files after its answer: wait, not for ever, so that what is posted next stands below them."""
        clock = self._client.host.clock
        until, pause_s = clock.monotonic() + patience_s, FIRST_PAUSE_S
        for file_id in file_ids:
            while not await self._shares(target, file_id) and clock.monotonic() + pause_s < until:
                await clock.sleep(pause_s)
                pause_s = min(pause_s * PAUSE_FACTOR, MAX_PAUSE_S)

    async def _shares(self, target: Target, file_id: str) -> Sequence[str]:
        try:
            return await self._files.shares(target, file_id)
        except SlackError as error:
            log.info("where a file was shared at Slack: %s", error.detail or error.text)
            return ()

    async def _post_controls(self, target: Target, reply: Reply) -> str:
        """Post the message with the buttons that stand under pictures; gives its `ts`, or empty when there are none."""
        buttons = buttons_of(reply, target)
        if not buttons.actions:
            return ""
        return await self._posts.post(target, Piece(tuple(render.button_blocks(buttons)), "Picture"), CONTROLS)

    # --- to one person, and elsewhere ---

    async def _finish_ephemeral(self, runner: Runner, receipt: Receipt, reply: Reply) -> Receipt:
        target = runner.target
        whole = await self._rendered(target, reply)
        for piece in whole.pieces:
            await self._posts.ephemeral(target, piece)
        await self._send_privately(target, reply, whole)
        return receipt

    async def _finish_elsewhere(self, target: Target, reply: Reply, error: SlackError, limits: ReplyLimits) -> bool:
        """Where we may not write: by the response_url if there is one, else to the asker alone. False when neither helps."""
        whole = await self._rendered(target, reply)
        if error.slack_code in OUTSIDE and self._posts.response_url(target):
            await self._finish_outside(target, reply, whole, limits.max_responses)
            return True
        if error.slack_code not in (*OUTSIDE, *CLOSED) or target.is_direct or not target.ref.user_id:
            return False
        log.info("an answer for %s goes to the asker alone: %s", target.channel, error.slack_code)
        reason = f"{error.text} So here is my answer to what you asked there."
        await self._send_privately(target, reply, whole, (Piece((), reason, reason), *whole.pieces))
        return True

    async def _finish_outside(self, target: Target, reply: Reply, whole: Rendered, max_responses: int) -> None:
        """By the response_url, which takes few answers; files and what is left go to the asker's direct messages."""
        for piece in whole.pieces[:max_responses]:
            await self._posts.respond(target, piece)
        if await self._send_privately(target, reply, whole, whole.pieces[max_responses:]):
            await self._posts.respond(target.for_asker_alone(), Piece((), ELSEWHERE, ELSEWHERE))

    async def _send_privately(
        self, target: Target, reply: Reply, whole: Rendered, pieces: Sequence[Piece] = ()
    ) -> bool:
        """Files, which Slack never shows to one person alone, and these pieces by direct message; False when there are none."""
        has_files = bool(whole.files) or any(isinstance(part, Image | Audio | File) for part in reply.parts)
        if not has_files and not pieces:
            return False
        opened = await self._client.call(target.scope, "conversations.open", users=target.ref.user_id)
        private = replace(target, channel=str((opened.get("channel") or {}).get("id") or ""), thread="")
        for part, piece in enumerate(pieces):
            await self._posts.post(private, piece, part)
        await self._upload(private, reply, whole, set())
        return True


def buttons_of(reply: Reply | None, target: Target) -> Buttons:
    """The buttons under a reply; reply: None while it is being given."""
    is_private = target.ref.is_private or target.ref.is_ephemeral
    return Buttons(target.ref.question_id, actions_for(reply, CAPABILITIES, is_private=is_private))


def _with_posted(receipt: Receipt, posted: Sequence[str], file_ids: Sequence[str], controls_ts: str) -> Receipt:
    ref = replace(SlackRef.from_ref(receipt.ref), file_ids=tuple(file_ids), controls_ts=controls_ts)
    ids = (*posted, controls_ts) if controls_ts else tuple(posted)
    return replace(receipt, message_ids=ids, ref=ref.to_ref())


def _title(part: Image | Audio | File) -> str:
    if isinstance(part, Image):
        return (part.description or "Picture")[:TITLE]
    return "Spoken answer" if isinstance(part, Audio) else part.name or "File"
