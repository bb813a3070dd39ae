"""The model's stream and the tool loop as reply events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace

from bot.engine import tools
from bot.engine.budget import Bill, paid
from bot.engine.compose import Prompt, message_tokens, text_tokens
from bot.engine.runtime import Runtime, person_hash
from bot.engine.streams import StopTexts, closing, unless, until
from bot.errors import BotError, CutOffError, ProviderError, RefusedError, StoppedError
from bot.ports import ChatRequest, ModelDone, ModelEvent
from bot.types import (
    Done,
    Message,
    ModelProfile,
    Part,
    PartReady,
    Reply,
    ReplyEvent,
    Settings,
    Status,
    Text,
    TextDelta,
    ToolCall,
    Turn,
    Usage,
)

MAX_ROUNDS = 8
"""Model calls in one answer; a model that still wants tools then is asked to answer without them."""
EMPTY = "The model gave an empty answer. Please try again, or put it differently."
DECLINED = "The model declined to answer that. Please put it differently."
AT_A_STOP = "The answer began with one of the stop texts. `/settings reset stop` takes them away."
LENGTH = "The model used up its length limit{limit} before it wrote a word: thinking counts too. {advice}"
UNFINISHED = "The model could not go on after that: {why}"
AT_STOP = "stop text"
UNTOLD = Usage(is_estimate=True)
"""The server sent no usage."""
LEFT_OUT = ("stop", "frequency_penalty", "presence_penalty")
"""Settings that are not sent to models known not to take them. `/settings` says so once; stop texts work everywhere, see below."""

log = logging.getLogger(__name__)


@dataclass
class Draft:
    """A reply while it grows."""

    model: str = ""
    text: str = ""
    parts: list[Part] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    exchange: list[Message] = field(default_factory=list)
    """Tool calls and their results, for the history."""
    wants_speech: bool = False
    stopped: bool = False
    truncated: bool = False
    finish: str = ""
    """Why the model's last call ended: as in ModelDone, or AT_STOP."""

    def reply(self) -> Reply:
        """What it is now."""
        words: tuple[Part, ...] = (Text(self.text.strip()),) if self.text.strip() else ()
        return Reply(
            parts=(*words, *self.parts),
            notices=tuple(dict.fromkeys(self.notices)),
            usage=self.usage,
            model=self.model,
            stopped=self.stopped,
            truncated=self.truncated,
        )


async def respond(turn: Turn, prompt: Prompt, runtime: Runtime, draft: Draft) -> AsyncIterator[ReplyEvent]:
    """The answer as it comes; ends with Done. Raises a ProviderError: CutOffError, with the text so far, when it broke off.

    What tools made was paid for: when the model fails after that, it is the answer, with a notice.
    """
    draft.notices += prompt.notices
    try:
        async with closing(_rounds(turn, list(prompt.messages), runtime, draft)) as events:
            async for event in events:
                yield event
    except BotError as error:
        if not draft.parts:
            raise
        log.warning("kept what was made: %s (%s)", error.code, error.detail or error.text)
        draft.notices.append(UNFINISHED.format(why=error.text))
    if not draft.text.strip() and not draft.parts and not draft.stopped:
        raise _nothing(draft, turn.settings, runtime.models.chat(turn.settings).profile)
    yield Done(draft.reply())


def _nothing(draft: Draft, settings: Settings, profile: ModelProfile) -> ProviderError:
    """Why there is no answer, and what to do about it."""
    detail = f"{draft.model} gave nothing: {draft.finish}"
    if draft.finish == "refused":
        return RefusedError(DECLINED, detail=detail)
    if draft.finish == AT_STOP:
        return ProviderError(AT_A_STOP, detail=detail)
    if draft.finish != "length":
        return ProviderError(EMPTY, detail=detail)
    advice = ["Raise it by `/settings set max_tokens`."] if settings.max_tokens else []
    advice += ["Let it think less by `/settings set effort low`."] if "effort" in profile.settings else []
    limit = f" of {settings.max_tokens} tokens" if settings.max_tokens else ""
    return ProviderError(LENGTH.format(limit=limit, advice=" ".join(advice)).strip(), detail=detail)


async def _rounds(turn: Turn, messages: list[Message], runtime: Runtime, draft: Draft) -> AsyncIterator[ReplyEvent]:
    """Calls of the model, and of the tools it asks for, until it asks for none or somebody says stop."""
    context = tools.ToolContext(turn, runtime, messages, draft.parts)
    for round_number in range(1, MAX_ROUNDS + 1):
        if runtime.stops.of(turn.id).is_set():
            draft.stopped = True
        if draft.stopped:
            return
        calls: list[ToolCall] = []
        before = draft.text
        async with closing(_one_call(turn, messages, runtime, draft, calls, round_number)) as events:
            async for event in events:
                yield event
        if not calls or draft.stopped:
            return
        async with closing(_run_tools(calls, context, draft, draft.text[len(before) :].strip())) as events:
            async for event in events:
                yield event


async def _one_call(
    turn: Turn, messages: list[Message], runtime: Runtime, draft: Draft, calls: list[ToolCall], round_number: int
) -> AsyncIterator[ReplyEvent]:
    """One call of the model; its tool calls are put into `calls`."""
    model = runtime.models.chat(turn.settings)
    offered = tools.offered(runtime) if model.profile.calls_tools and round_number < MAX_ROUNDS else []
    request = ChatRequest(
        messages=tuple(messages),
        settings=_taken(turn.settings, model.profile),
        blobs=runtime.blobs(turn),
        tools=offered,
        person=person_hash(turn),
        conversation=f"conversation-{turn.conversation_id}",
    )
    before, stop, is_done = draft.text, runtime.stops.of(turn.id), False
    async with paid(runtime, turn, "chat") as bill:
        draft.model, draft.finish = bill.model, ""
        try:
            async with closing(_heard(model.stream(request), stop, turn.settings.stop or (), draft)) as events:
                async for event in events:
                    match event:
                        case TextDelta(text):
                            spaced = _join(before, draft.text, text)
                            draft.text += spaced
                            yield TextDelta(spaced)
                        case ToolCall():
                            calls.append(event)
                        case ModelDone():
                            is_done = True
                            _settle(event, draft, bill)
        except (CutOffError, asyncio.CancelledError, GeneratorExit) as error:
            bill.usage = bill.usage if is_done else _estimate(request, draft.text[len(before) :])
            if isinstance(error, CutOffError):
                error.partial = draft.text
            raise
        draft.stopped = draft.stopped or stop.is_set()
        if not is_done or bill.usage == UNTOLD:
            bill.usage = _estimate(request, draft.text[len(before) :])
        draft.usage += bill.usage


def _taken(settings: Settings, profile: ModelProfile) -> Settings:
    """Without what the model is known not to take, so that it needs no remark under each answer."""
    return replace(settings, **{name: None for name in LEFT_OUT if name not in profile.settings})


async def _heard(
    stream: AsyncIterator[ModelEvent], stop: asyncio.Event, stop_texts: Sequence[str], draft: Draft
) -> AsyncIterator[ModelEvent]:
    """What the model gives, until somebody says stop or it writes a stop text: not every model knows them, and not every server."""
    texts = StopTexts(stop_texts)
    async with closing(stream), closing(until(stop, stream)) as events:
        try:
            async for event in events:
                is_text = isinstance(event, TextDelta)
                if shown := texts.take(event.text) if isinstance(event, TextDelta) else texts.rest():
                    yield TextDelta(shown)
                if texts.is_met:
                    draft.finish = AT_STOP
                    return
                if not is_text:
                    yield event
        except CutOffError:
            if shown := texts.rest():
                yield TextDelta(shown)
            raise
        if shown := texts.rest():
            yield TextDelta(shown)


def _join(before: str, so_far: str, text: str) -> str:
    """Text after a tool begins a new paragraph."""
    return f"\n\n{text}" if before.strip() and so_far == before and not before.endswith("\n") else text


def _settle(done: ModelDone, draft: Draft, bill: Bill) -> None:
    bill.usage = done.usage
    draft.notices += done.notices
    draft.finish, draft.truncated = done.finish_reason, done.finish_reason == "length"


def _estimate(request: ChatRequest, text: str) -> Usage:
    """No usage arrives when a stream is broken off, and some servers send none at all."""
    asked = sum(message_tokens(message) for message in request.messages)
    return Usage(input_tokens=asked, output_tokens=text_tokens(text), is_estimate=True)


async def _run_tools(
    calls: list[ToolCall], context: tools.ToolContext, draft: Draft, said: str
) -> AsyncIterator[ReplyEvent]:
    """Run what the model asked for, one after the other, and put the exchange into what it reads next.

    said: its words along with the calls, without those of earlier rounds. A stop ends the tool that runs.
    """
    stop, results = context.runtime.stops.of(context.turn.id), list[Part]()
    for call in calls:
        yield Status(tools.status_of(call))
        try:
            result, parts = await unless(stop, tools.run_tool(call, context))
        except StoppedError:
            draft.stopped = True
            break
        results.append(result)
        for part in parts:
            draft.parts.append(part)
            yield PartReady(part)
    draft.wants_speech = draft.wants_speech or context.wants_speech
    draft.notices += context.notices
    if results:
        words: tuple[Part, ...] = (Text(said),) if said else ()
        exchange = [Message("assistant", (*words, *calls[: len(results)])), Message("tool", tuple(results))]
        draft.exchange += exchange
        messages = context.messages
        assert isinstance(messages, list)
        messages += exchange
