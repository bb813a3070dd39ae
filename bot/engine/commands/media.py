"""Commands about pictures and sound: /imagine, /say and /transcribe."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from bot.engine.commands.registry import FILE, TEXT, CommandContext, command, require_text
from bot.engine.paint import paint
from bot.engine.speak import speak
from bot.engine.streams import cancel_on
from bot.errors import UsageError
from bot.ports import ImageData
from bot.types import Audio, Image, Message, PartReady, ReplyEvent, Status, TextDelta


@command("Make a picture, or change the one that comes with it.", "WHAT IT SHOWS", (TEXT, FILE))
async def imagine(context: CommandContext) -> AsyncGenerator[ReplyEvent]:
    """A picture from words, without a chat model in between."""
    prompt = require_text(context.text, "/imagine WHAT IT SHOWS, with a picture attached to change that one")
    turn, runtime = context.turn, context.runtime
    attached = [part for part in context.user.parts if isinstance(part, Image)]
    blobs = runtime.blobs(turn)
    images = [ImageData(await blobs.read(image.blob), image.blob.mime_type) for image in attached]
    yield Status("Drawing…")
    painting = await cancel_on(runtime.stops.get(turn.id), paint(turn, runtime, prompt, "auto", images))
    context.draft.notices += painting.notices
    context.draft.model = runtime.models.name("image")
    for image in painting.images:
        yield PartReady(image)


@command("Say a text aloud as a voice message.", "TEXT", (TEXT,))
async def say(context: CommandContext) -> AsyncGenerator[ReplyEvent]:
    """The text as it is, spoken."""
    text = require_text(context.text, "/say TEXT")
    yield Status("Speaking…")
    speech = await speak(context.turn, text, context.runtime, context.turn.settings.language or "")
    context.draft.notices += speech.notices
    yield TextDelta(text)
    yield PartReady(speech.clip)


@command(
    "Write down what is said in a voice note, or in the newest one here.",
    "[with a voice note, audio or video]",
    (FILE,),
)
async def transcribe(context: CommandContext) -> AsyncGenerator[ReplyEvent]:
    """The transcript, with times when the model gives them."""
    heard = [part for part in context.user.parts if isinstance(part, Audio)] or _newest_audio(context.history)
    if not heard:
        raise UsageError("Attach a voice note, audio or video to /transcribe, or use it after one was sent here.")
    for part in heard:
        yield TextDelta(transcript_text(part, with_name=len(heard) > 1))


def _newest_audio(history: Sequence[Message]) -> list[Audio]:
    found = [part for message in history if message.role == "user" for part in message.parts if isinstance(part, Audio)]
    return found[-1:]


def transcript_text(part: Audio, *, with_name: bool) -> str:
    """A transcript as Markdown: with times where it is longer than a minute and they are known."""
    title = f"**{part.name}**\n" if with_name and part.name else ""
    if not part.transcript.strip():
        return f"{title}_No speech was heard._\n\n"
    if part.duration_s > 60 and part.segments:
        lines = (
            f"`{_clock(segment.start_s)}` {f'{segment.speaker}: ' if segment.speaker else ''}{segment.text.strip()}"
            for segment in part.segments
        )
        return title + "\n".join(lines) + "\n\n"
    return f"{title}{part.transcript.strip()}\n\n"


def _clock(seconds: float) -> str:
    whole = int(seconds)
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
