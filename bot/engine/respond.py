"""The model's stream and the tool loop as reply events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import replace

from bot.engine import tools
from bot.engine.compose import Prompt, message_tokens, text_tokens
from bot.engine.draft import Draft
from bot.engine.metering import UsageMeter, metered
from bot.engine.runtime import Runtime, person_hash
from bot.engine.streams import StopSequences, cancel_on, closing, take_until
from bot.errors import BotError, CutOffError, ProviderError, RefusedError, StoppedError
from bot.ports import ChatModel, ChatRequest, ModelDone, ModelEvent
from bot.types import (
    Message,
    ModelProfile,
    Part,
    PartReady,
    ReplyEvent,
    Settings,
    Status,
    Text,
    TextDelta,
    ToolCall,
    ToolResult,
    Turn,
    Usage,
)

EMPTY = "The model gave an empty answer. Please try again, or put it differently."
DECLINED = "The model declined to answer that. Please put it differently."
STOP_MESSAGE = "The answer began with one of the stop texts. `/settings reset stop` takes them away."
LENGTH = "The model used up its length limit{limit} before it wrote a word: thinking counts too. {advice}"
UNFINISHED = "The model could not go on after that: {why}"
STOPPED_BY_SEQUENCE = "stop sequence"
"""As `Draft.finish_reason`."""
UNREPORTED = Usage(is_estimate=True)
"""The usage of a call whose server sent none."""
STRIPPED = ("stop", "frequency_penalty", "presence_penalty")
"""Settings that are not sent to models known not to take them. `/settings` says so once; stop texts work everywhere, see below."""

log = logging.getLogger(__name__)


async def respond(turn: Turn, prompt: Prompt, runtime: Runtime, draft: Draft) -> AsyncGenerator[ReplyEvent]:
    """The answer as it comes. Raises a ProviderError: CutOffError, with the text so far, when it broke off.

    draft: whoever reads the events adds each of them to it before asking for the next. What tools made was paid for: when the
    model fails after that, it is the answer, with a notice.
    """
    draft.notices += prompt.notices
    try:
        async with aclosing(_rounds(turn, list(prompt.messages), runtime, draft)) as events:
            async for event in events:
                yield event
    except BotError as error:
        if not draft.parts:
            raise
        log.warning("kept what was made: %s (%s)", error.code, error.detail or error.text)
        draft.notices.append(UNFINISHED.format(why=error.text))
    if not draft.text.strip() and not draft.parts and not draft.stopped:
        raise _nothing(draft, turn.settings, runtime.models.chat(turn.settings).profile)


def _nothing(draft: Draft, settings: Settings, profile: ModelProfile) -> ProviderError:
    """Why there is no answer, and what to do about it."""
    detail = f"{draft.model} gave nothing: {draft.finish_reason}"
    if draft.finish_reason == "refused":
        return RefusedError(DECLINED, detail=detail)
    if draft.finish_reason == STOPPED_BY_SEQUENCE:
        return ProviderError(STOP_MESSAGE, detail=detail)
    if draft.finish_reason != "length":
        return ProviderError(EMPTY, detail=detail)
    advice = ["Raise it by `/settings set max_tokens`."] if settings.max_tokens else []
    advice += ["Let it think less by `/settings set effort low`."] if "effort" in profile.settings else []
    limit = f" of {settings.max_tokens} tokens" if settings.max_tokens else ""
    return ProviderError(LENGTH.format(limit=limit, advice=" ".join(advice)).strip(), detail=detail)


async def _rounds(turn: Turn, messages: list[Message], runtime: Runtime, draft: Draft) -> AsyncGenerator[ReplyEvent]:
    """Calls of the model, and of the tools it asks for, until it asks for none or somebody says stop."""
    context, calls_left = tools.ToolContext(turn, runtime, messages, draft.parts), runtime.limits.tool_calls_per_turn
    for round_number in range(1, runtime.limits.rounds + 1):
        draft.stopped = draft.stopped or runtime.stops.get(turn.id).is_set()
        if draft.stopped:
            return
        may_call = round_number < runtime.limits.rounds and calls_left > 0
        request = _request(turn, messages, runtime, may_call=may_call)
        calls, before = list[ToolCall](), draft.text
        async with aclosing(_call_model(turn, request, runtime, draft)) as given:
            async for item in given:
                if isinstance(item, ToolCall):
                    calls.append(item)
                else:
                    yield item
        if not calls or not may_call or draft.stopped:
            return  # tools that were not offered are not run
        said = draft.text[len(before) :].strip()
        async with aclosing(_run_tools(calls, context, draft, said, calls_left)) as shown:
            async for event in shown:
                yield event
        calls_left = max(calls_left - min(len(calls), runtime.limits.tool_calls_per_round), 0)
        messages += draft.tool_messages[-2:] if not draft.stopped else ()


def _request(turn: Turn, messages: Sequence[Message], runtime: Runtime, *, may_call: bool) -> ChatRequest:
    model = runtime.models.chat(turn.settings)
    return ChatRequest(
        messages=tuple(messages),
        settings=_without_refused(turn.settings, model.profile),
        blobs=runtime.blobs(turn),
        tools=tools.offered(runtime) if may_call and model.profile.calls_tools else [],
        person=person_hash(turn),
        conversation=f"conversation-{turn.conversation_id}",
    )


def _without_refused(settings: Settings, profile: ModelProfile) -> Settings:
    """Without what the model is known not to take, so that it needs no remark under each answer."""
    return replace(settings, **{name: None for name in STRIPPED if name not in profile.settings})


async def _call_model(
    turn: Turn, request: ChatRequest, runtime: Runtime, draft: Draft
) -> AsyncGenerator[TextDelta | ToolCall]:
    """The text and the tool calls of one call of the model; draft and ledger get the rest."""
    model: ChatModel = runtime.models.chat(turn.settings)
    before, stop, is_done = draft.text, runtime.stops.get(turn.id), False
    async with metered(runtime, turn, "chat") as meter:
        draft.model, draft.finish_reason = meter.model, ""
        try:
            async with aclosing(_until_stopped(model.stream(request), stop, turn.settings.stop or (), draft)) as events:
                async for event in events:
                    match event:
                        case TextDelta(text):
                            is_first = len(draft.words) == len(before)
                            yield TextDelta(_join(before, text) if is_first else text)
                        case ToolCall():
                            yield event
                        case ModelDone():
                            is_done = True
                            _take_end(event, draft, meter)
        except (CutOffError, asyncio.CancelledError, GeneratorExit) as error:
            meter.usage = meter.usage if is_done else _estimate(request, draft.text[len(before) :])
            if isinstance(error, CutOffError):
                error.partial = draft.text
            raise
        draft.stopped = draft.stopped or stop.is_set()
        if not is_done or meter.usage == UNREPORTED:
            meter.usage = _estimate(request, draft.text[len(before) :])
        draft.usage += meter.usage


async def _until_stopped(
    stream: AsyncIterator[ModelEvent], stop: asyncio.Event, sequences: Sequence[str], draft: Draft
) -> AsyncGenerator[ModelEvent]:
    """What the model gives, until somebody says stop or it writes a stop sequence: not every model and server knows them."""
    texts = StopSequences(sequences)
    async with closing(stream), aclosing(take_until(stop, stream)) as events:
        try:
            async for event in events:
                is_text = isinstance(event, TextDelta)
                if shown := texts.feed(event.text) if isinstance(event, TextDelta) else texts.flush():
                    yield TextDelta(shown)
                if texts.matched:
                    draft.finish_reason = STOPPED_BY_SEQUENCE
                    return
                if not is_text:
                    yield event
        except CutOffError:
            if shown := texts.flush():
                yield TextDelta(shown)
            raise
        if shown := texts.flush():
            yield TextDelta(shown)


def _join(before: str, text: str) -> str:
    """Text after a tool begins a new paragraph."""
    return f"\n\n{text}" if before.strip() and not before.endswith("\n") else text


def _take_end(done: ModelDone, draft: Draft, meter: UsageMeter) -> None:
    meter.usage = done.usage
    draft.notices += done.notices
    draft.finish_reason, draft.truncated = done.finish_reason, done.finish_reason == "length"


def _estimate(request: ChatRequest, text: str) -> Usage:
    """No usage arrives when a stream is broken off, and some servers send none at all."""
    asked = sum(message_tokens(message) for message in request.messages)
    return Usage(input_tokens=asked, output_tokens=text_tokens(text), is_estimate=True)


async def _run_tools(
    calls: Sequence[ToolCall], context: tools.ToolContext, draft: Draft, said: str, calls_left: int
) -> AsyncGenerator[ReplyEvent]:
    """Run what the model asked for, one after the other; what it called and what it got go into the draft's tool messages.

    said: its words along with the calls, without those of earlier rounds. calls_left: how many more this answer may have. A stop
    ends the tool that runs.
    """
    stop, results = context.runtime.stops.get(context.turn.id), list[Part]()
    allowed = min(context.runtime.limits.tool_calls_per_round, calls_left)
    for call in calls[:allowed]:
        yield Status(tools.status_of(call))
        try:
            result, parts = await cancel_on(stop, tools.run_tool(call, context))
        except StoppedError:
            draft.stopped = True
            break
        results.append(result)
        for part in parts:
            yield PartReady(part)
    if len(results) == allowed < len(calls):
        results.append(_refused_call(calls[allowed], context.runtime))
    draft.wants_speech = draft.wants_speech or context.wants_speech
    draft.notices += context.notices
    if results:
        words: tuple[Part, ...] = (Text(said),) if said else ()
        draft.tool_messages.append(Message("assistant", (*words, *calls[: len(results)])))
        draft.tool_messages.append(Message("tool", tuple(results)))


def _refused_call(call: ToolCall, runtime: Runtime) -> ToolResult:
    """The first call too many stands for all of them, so that a thousand do not fill what the model reads next."""
    limits = runtime.limits
    text = limits.said("tool_calls_per_round", total=str(limits.tool_calls_per_turn))
    log.warning("a model asked for more tools than one answer may call: %s", call.name)
    return ToolResult(call.id, text, is_error=True)
