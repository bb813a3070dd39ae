"""Attachments to parts: speech to transcripts, pictures upright and sized, documents to text. Nothing is dropped in silence."""

from __future__ import annotations

import logging
import math
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from bot.engine.allowance import check_room, counted, is_passing, keep_bytes
from bot.engine.metering import metered
from bot.engine.results import Perception, restored
from bot.engine.runtime import Runtime
from bot.engine.streams import cancel_on, closing
from bot.errors import BotError, StoppedError, UnavailableError, UnreadableError, UsageError
from bot.media import apart, audio, documents, endings, images, sniff, video
from bot.policy.limits import Limits
from bot.ports import Step
from bot.store import messages
from bot.types import (
    Attachment,
    Audio,
    Blob,
    File,
    Image,
    Message,
    ModelProfile,
    Part,
    Quoted,
    Receipt,
    Text,
    Transcript,
    Turn,
    UnreadAttachment,
    clean_text,
)

T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Perceived:
    """A question as it was understood."""

    message: Message
    notices: tuple[str, ...] = ()
    failure: BotError | None = None
    """Why nothing of it could be understood, when nothing could."""


@dataclass(frozen=True)
class _Item:
    """One attachment, fetched."""

    data: bytes
    name: str
    sniffed: sniff.Sniffed
    attachment: Attachment
    heard_s: float = 0.0
    """Of sound in the files of the message before it."""


async def perceive(turn: Turn, step: Step, receipt: Receipt, runtime: Runtime, understood: Message | None) -> Perceived:
    """Read each attachment in a step of its own. An attachment that a stop kept from being read stays unread.

    understood: the question as an earlier turn understood it, so that no attachment is heard twice.
    """
    inbound, limit = turn.inbound, runtime.limits.attachments
    words = (Text(said),) if (said := messages.words_of(inbound)).strip() else ()
    before = tuple(part for part in understood.parts if not isinstance(part, Text | Quoted)) if understood else ()
    known, waiting = _left_to_read(before) if _is_understood(before) else ((), inbound.attachments)
    parts, notices, failure = list[Part]((*words, *messages.quoted_in(inbound), *known)), list[str](), None
    for index, attachment in enumerate(waiting[:limit]):
        try:
            recorded = await step(
                f"perceive:{index}", _perceive_one, turn, attachment, receipt, runtime, _heard_s(parts)
            )
        except BotError as error:
            failure = error
            notices.append(error.text)
            parts.append(_unread(attachment, error))
            continue
        perception = restored(Perception, recorded)
        parts += perception.parts
        notices += perception.notices
    if len(waiting) > limit:
        notices.append(runtime.limits.said("attachments"))
    message = Message("user", tuple(parts), inbound.author.name, inbound.author.id)
    return Perceived(message, tuple(notices), None if _is_understood(parts) else failure)


def _is_understood(parts: Sequence[Part]) -> bool:
    return any(not isinstance(part, UnreadAttachment) for part in parts)


def _unread(attachment: Attachment, error: BotError) -> UnreadAttachment:
    """What stays with the message in place of the attachment, so that the model knows that there was one."""
    return UnreadAttachment(attachment, error.text, is_retryable=not isinstance(error, UsageError) or is_passing(error))


def _left_to_read(known: Sequence[Part]) -> tuple[tuple[Part, ...], tuple[Attachment, ...]]:
    """The parts that need not be read again, and the attachments that a stop or a passing failure kept from being read."""
    waiting = [part for part in known if isinstance(part, UnreadAttachment) and (not part.reason or part.is_retryable)]
    return tuple(part for part in known if part not in waiting), tuple(part.attachment for part in waiting)


async def read_earlier_attachments(
    turn: Turn, unread: Sequence[tuple[int, Attachment]], step: Step, receipt: Receipt, runtime: Runtime
) -> None:
    """Read attachments of earlier messages, which the question may be about. Those that cannot be read are only named to the model.

    unread: each with the store's id of its message.
    """
    heard_s = 0.0
    for index, (message_id, attachment) in enumerate(unread):
        parts: Sequence[Part]
        try:
            recorded = await step(f"catch-up:{index}", _perceive_one, turn, attachment, receipt, runtime, heard_s)
            parts = restored(Perception, recorded).parts
            heard_s += _heard_s(parts)
        except BotError as error:
            log.info("could not read %s of an earlier message: %s", attachment.name, error.text)
            parts = [_unread(attachment, error)]
        async with runtime.store.begin(turn.tenant_id) as tx:
            await messages.replace_attachment(tx, message_id, attachment, parts)


def _heard_s(parts: Sequence[Part]) -> float:
    return sum(part.duration_s for part in parts if isinstance(part, Audio))


async def _perceive_one(
    turn: Turn, attachment: Attachment, receipt: Receipt, runtime: Runtime, heard_s: float
) -> Perception:
    """What is in the attachment. heard_s: of sound in those before it.

    Stopped, it stays unread: a step that raises would be told to the person as a failure.
    """
    try:
        understanding = _understand(turn, attachment, receipt, runtime, heard_s)
        return await cancel_on(runtime.stops.get(turn.id), understanding)
    except StoppedError:
        return Perception((UnreadAttachment(attachment),))


async def _understand(
    turn: Turn, attachment: Attachment, receipt: Receipt, runtime: Runtime, heard_s: float
) -> Perception:
    async with runtime.byte_budget.reserve(attachment.size_bytes or runtime.max_attachment_bytes):
        item = replace(await _fetch(turn, attachment, runtime), heard_s=heard_s)
        parts, notices = await _parts(turn, item, receipt, runtime)
    return Perception(tuple(parts), tuple(notices))


async def _parts(turn: Turn, item: _Item, receipt: Receipt, runtime: Runtime) -> tuple[list[Part], list[str]]:
    profile = _reader_profile(turn, runtime)
    match item.sniffed.kind:
        case "image":
            return await _see(turn, item, profile, runtime)
        case "audio":
            await runtime.show_status(turn, receipt, f"Listening to {item.name}…")
            return await _hear(turn, item, runtime)
        case "video":
            await runtime.show_status(turn, receipt, f"Watching {item.name}…")
            return await _watch(turn, item, profile, runtime)
        case "document" | "text" | "archive":
            await runtime.show_status(turn, receipt, f"Reading {item.name}…")
            return await _read(turn, item, runtime)
        case _:
            raise UnreadableError(
                f"I can't read {item.name}: it is neither a picture, sound, video, document nor text that I know."
            )


def _reader_profile(turn: Turn, runtime: Runtime) -> ModelProfile:
    """Facts about the model that will read the parts. Where none is set up, as for transcripts alone, it sees nothing."""
    try:
        return runtime.models.chat(turn.settings).profile
    except UnavailableError:
        return ModelProfile("none")


async def _fetch(turn: Turn, attachment: Attachment, runtime: Runtime) -> _Item:
    limit = runtime.max_attachment_bytes
    too_big = UnreadableError(f"{attachment.name} is larger than {limit // 2**20} MB, the limit here.")
    if attachment.size_bytes > limit:
        raise too_big
    pieces, size = list[bytes](), 0
    async with closing(runtime.adapter_for(turn.inbound).download(attachment)) as source:
        async for piece in source:
            pieces.append(piece)
            size += len(piece)
            if size > limit:
                raise too_big
    data = b"".join(pieces)
    del pieces  # the bytes are held once from here on
    if not data:
        raise UnreadableError(f"{attachment.name} is empty (0 bytes).")
    found = await apart.DOCUMENTS.run(attachment.name, sniff.sniff, data, attachment.name, attachment.mime_type)
    return _Item(data, attachment.name, found, attachment)


async def _store(turn: Turn, item: _Item, runtime: Runtime) -> Blob:
    """Store the attachment as it was sent. Call it only for a part that uses it: bytes that no message uses outlive a /forget."""
    return await keep_bytes(turn, runtime, item.data, item.sniffed.mime_type, item.name)


async def _see(turn: Turn, item: _Item, profile: ModelProfile, runtime: Runtime) -> tuple[list[Part], list[str]]:
    prepared = await _named(item.name, apart.PICTURES.run(item.name, images.prepare, item.data))
    text, notices = "", list[str]()
    if not profile.sees_images:
        text, notices = await _text_in(prepared.data, item.name, runtime)
    blob = await keep_bytes(turn, runtime, prepared.data, prepared.mime_type, item.name)
    return [Image(blob, item.name, text, width=prepared.width, height=prepared.height)], notices


async def _named(name: str, work: Coroutine[Any, Any, T]) -> T:
    """Await the work; an UnreadableError gets the attachment's name."""
    try:
        return await work
    except UnreadableError as error:
        raise error if name in error.text else UnreadableError(f"{name}: {error.text}") from error


async def _text_in(data: bytes, name: str, runtime: Runtime) -> tuple[str, list[str]]:
    """The text in a picture, and what the person should know when the model does not see."""
    reader = runtime.models.ocr()
    blind, remedy = "The model that answers does not see pictures", "CHAT_MODEL can name a model that sees."
    if reader is None:
        return "", [f"{blind}, and nothing here reads the text in them: it knows nothing of {name}. {remedy}"]
    try:
        text = await reader.read(data)
    except BotError as error:
        return "", [f"{name}: {error.text}"]
    text = clean_text(text)
    found = f": of {name} it knows only the text in it" if text.strip() else f", and {name} holds no text to read"
    return text, [f"{blind}{found}. {remedy}"]


async def _hear(turn: Turn, item: _Item, runtime: Runtime) -> tuple[list[Part], list[str]]:
    try:
        info = await _named(item.name, apart.SOUNDS.run(item.name, audio.probe, item.data))
        _check_length(item, info.duration_s, runtime.limits)
        await check_room(turn, runtime, item.name)
        async with metered(runtime, turn, "transcribe", audio_s=info.duration_s, name=item.name) as meter:
            name = _with_extension(item.name, item.sniffed.extension)
            heard = await runtime.models.speech_to_text().transcribe(
                item.data, name, language=turn.settings.language or ""
            )
            meter.usage = heard.usage
    except UnavailableError as error:
        raise UnavailableError(f"I can't listen to {item.name}. {error.text}") from error
    transcript = _clean(heard.transcript)
    part = Audio(
        await _store(turn, item, runtime),
        item.name,
        transcript.text,
        transcript.language,
        transcript.duration_s or info.duration_s,
        transcript.segments,
        item.attachment.is_voice_note,
    )
    notices = [] if transcript.text.strip() else [f"I heard no speech in {item.name}."]
    if await apart.SOUNDS.run(item.name, endings.breaks_off, item.data):
        notices.append(f"{item.name} breaks off: its end is missing, so I heard only what is there.")
    return [part], notices


def _check_length(item: _Item, duration_s: float, limits: Limits) -> None:
    """Before anything is decoded or paid. It is no UnreadableError: of a long film the pictures are still looked at."""
    if item.heard_s + duration_s > limits.recording_s:
        long = f"{math.ceil(duration_s / 60):,} minutes"
        before = f" after {math.ceil(item.heard_s / 60):,} minutes in other files" if item.heard_s else ""
        most = f"{limits.recording_s / 60:g} minutes"
        raise counted(limits.error("recording_s", name=item.name, long=long, heard=before, most=most))


def _clean(transcript: Transcript) -> Transcript:
    segments = tuple(replace(segment, text=clean_text(segment.text)) for segment in transcript.segments)
    return replace(transcript, text=clean_text(transcript.text), segments=segments)


def _with_extension(name: str, extension: str) -> str:
    """Servers judge sound by the name of its file, so the name follows the content."""
    stem = name.rpartition(".")[0] or name
    return f"{stem}.{extension.lstrip('.')}" if extension else name


async def _watch(turn: Turn, item: _Item, profile: ModelProfile, runtime: Runtime) -> tuple[list[Part], list[str]]:
    parts: list[Part] = []
    notices: list[str] = []
    try:
        parts, notices = await _hear(turn, item, runtime)
    except UnreadableError:
        notices = [f"{item.name} has no sound that I can hear."]
    except BotError as error:
        notices = [error.text]
    try:
        parts += await _frames(turn, item, profile, runtime)
    except UnreadableError as error:
        notices.append(error.text)
    if not profile.sees_images:
        notices.append(f"The model that answers does not see; of {item.name} it gets only what is said in it.")
    if not parts:
        raise UnreadableError(" ".join(notices))
    return parts, notices


async def _frames(turn: Turn, item: _Item, profile: ModelProfile, runtime: Runtime) -> list[Part]:
    if not profile.sees_images:
        return []
    frames = await apart.VIDEOS.run(item.name, video.frames, item.data, runtime.limits.video_frames)
    blobs = [await keep_bytes(turn, runtime, frame, "image/jpeg", item.name) for frame in frames]
    count = len(blobs)
    return [Image(blob, f"{item.name}, frame {index} of {count}") for index, blob in enumerate(blobs, start=1)]


async def _read(turn: Turn, item: _Item, runtime: Runtime) -> tuple[list[Part], list[str]]:
    readers = apart.PDFS if item.sniffed.extension == "pdf" else apart.DOCUMENTS
    found = await readers.run(item.name, documents.read, item.data, item.name, item.sniffed.mime_type)
    text, notices, limit = found.text, list(found.notes), runtime.limits.ocr_pages
    if found.page_images:
        scanned = await _read_pages(found.page_images, runtime)
        notices.append(_about_scan(item.name, scanned, len(found.page_images), limit, has_text=bool(text.strip())))
        text = f"{text}\n\n{scanned}".strip()
    if found.truncated and not found.whole_chars and not notices:
        notices.append(f"{item.name} is very long; only its beginning was read.")
    if not text.strip() and not notices:
        notices.append(f"I found no text in {item.name}.")
    return [File(await _store(turn, item, runtime), item.name, text, found.whole_chars)], [
        f"{item.name}: {note}" if item.name not in note else note for note in notices
    ]


def _about_scan(name: str, scanned: str, count: int, limit: int, *, has_text: bool) -> str:
    """What the person should know of pages that are pictures. scanned: what was read in them, in `limit` pages at most."""
    if not scanned.strip():
        what = "has pages that are pictures, with" if has_text else "holds pictures of pages, and"
        return f"{name} {what} no text in them that I can read."
    which = "pages that are pictures" if has_text else "scanned pages"
    few = f"the first {limit} of its" if count > limit else "its"
    return f"{name}: I read the text in {few} {which}."


async def _read_pages(pages: Sequence[bytes], runtime: Runtime) -> str:
    """The text of a scanned document."""
    if (reader := runtime.models.ocr()) is None:
        return ""
    try:
        return clean_text("\n\n".join([await reader.read(page) for page in pages[: runtime.limits.ocr_pages]]))
    except BotError as error:
        log.warning("could not read a scanned page: %s", error.detail or error.text)
        return ""
