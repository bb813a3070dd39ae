"""The model's stream and the tool loop as reply events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from bot.engine import tools
from bot.engine.budget import Bill, paid
from bot.engine.compose import Prompt, message_tokens, text_tokens
from bot.engine.runtime import Runtime, person_hash
from bot.engine.streams import closing, until
from bot.errors import CutOffError, ProviderError
from bot.ports import ChatRequest, ModelDone
from bot.types import (
    Done,
    Message,
    Part,
    PartReady,
    Reply,
    ReplyEvent,
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
    """The answer as it comes; ends with Done. Raises a ProviderError: CutOffError, with the text so far, when it broke off."""
    draft.notices += prompt.notices
    messages = list(prompt.messages)
    context = tools.ToolContext(turn, runtime, messages)
    for round_number in range(1, MAX_ROUNDS + 1):
        if runtime.stops.of(turn.id).is_set():
            draft.stopped = True
            break
        calls: list[ToolCall] = []
        async with closing(_one_call(turn, messages, runtime, draft, calls, round_number)) as events:
            async for event in events:
                yield event
        if not calls or draft.stopped:
            break
        async with closing(_run_tools(calls, context, draft)) as events:
            async for event in events:
                yield event
    if not draft.text.strip() and not draft.parts and not draft.stopped:
        raise ProviderError(EMPTY, detail=f"{draft.model} gave nothing")
    yield Done(draft.reply())


async def _one_call(
    turn: Turn, messages: list[Message], runtime: Runtime, draft: Draft, calls: list[ToolCall], round_number: int
) -> AsyncIterator[ReplyEvent]:
    """One call of the model; its tool calls are put into `calls`."""
    model = runtime.models.chat(turn.settings)
    offered = tools.offered(runtime) if model.profile.calls_tools and round_number < MAX_ROUNDS else []
    request = ChatRequest(
        messages=tuple(messages),
        settings=turn.settings,
        blobs=runtime.blobs(turn),
        tools=offered,
        person=person_hash(turn),
        conversation=f"conversation-{turn.conversation_id}",
    )
    before = draft.text
    async with paid(runtime, turn, "chat") as bill, closing(model.stream(request)) as stream:
        draft.model = bill.model
        stop = runtime.stops.of(turn.id)
        try:
            async with closing(until(stop, stream)) as events:
                async for event in events:
                    match event:
                        case TextDelta(text):
                            if not text:
                                continue
                            spaced = _join(before, draft.text, text)
                            draft.text += spaced
                            yield TextDelta(spaced)
                        case ToolCall():
                            calls.append(event)
                        case ModelDone():
                            _settle(event, draft, bill)
        except CutOffError as error:
            bill.usage = _estimate(request, draft.text[len(before) :])
            error.partial = draft.text
            raise
        if stop.is_set():
            draft.stopped = True
            if bill.usage == Usage():
                bill.usage = _estimate(request, draft.text[len(before) :])
        draft.usage += bill.usage


def _join(before: str, so_far: str, text: str) -> str:
    """Text after a tool begins a new paragraph."""
    return f"\n\n{text}" if before.strip() and so_far == before and not before.endswith("\n") else text


def _settle(done: ModelDone, draft: Draft, bill: Bill) -> None:
    bill.usage = done.usage
    draft.notices += done.notices
    draft.truncated = done.finish == "length"
    if done.finish == "refused" and not draft.text.strip():
        draft.notices.append("The model declined to answer that.")


def _estimate(request: ChatRequest, text: str) -> Usage:
    """No usage arrives when a stream is broken off."""
    asked = sum(message_tokens(message) for message in request.messages)
    return Usage(input_tokens=asked, output_tokens=text_tokens(text), is_estimate=True)


async def _run_tools(calls: list[ToolCall], context: tools.ToolContext, draft: Draft) -> AsyncIterator[ReplyEvent]:
    """Run what the model asked for, one after the other, and put the exchange into what it reads next."""
    said: tuple[Part, ...] = (Text(draft.text),) if draft.text else ()
    asked = Message("assistant", (*said, *calls))
    results: list[Part] = []
    for call in calls:
        yield Status(tools.status_of(call))
        result, parts = await tools.run_tool(call, context)
        results.append(result)
        for part in parts:
            draft.parts.append(part)
            yield PartReady(part)
    draft.wants_speech = draft.wants_speech or context.wants_speech
    draft.notices += context.notices
    exchange = [asked, Message("tool", tuple(results))]
    draft.exchange += exchange
    messages = context.messages
    assert isinstance(messages, list)
    messages += exchange
