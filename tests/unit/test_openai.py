"""OpenAI's provider: what is sent, what is left out, and what failures become."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
import pytest
from pydantic import SecretStr

from bot.errors import (
    BotError,
    CredentialError,
    CutOffError,
    OverloadedError,
    ProviderError,
    QuotaError,
    RefusedError,
    RejectedError,
)
from bot.media import audio
from bot.ports import ChatRequest, ModelDone, ModelEvent
from bot.providers import openai as provider_folder
from bot.providers.openai.audio import Transcriber
from bot.providers.openai.client import Connection
from bot.providers.openai.embeddings import batches, cut, tokens
from bot.providers.openai.prices import price_micro_usd
from bot.providers.openai.profiles import DEFAULTS, ends
from bot.types import File, Image, Message, Settings, Text, TextDelta, ToolCall, ToolResult, Usage
from tests import making
from tests.contracts.providers import MemoryBlobs
from tests.emulators import vendor
from tests.emulators.openai import KEY, Answer, Call, Fault, Logged, OpenAIEmulator, spec


@pytest.fixture
async def server() -> AsyncIterator[OpenAIEmulator]:
    """A loopback OpenAI."""
    async with OpenAIEmulator() as made:
        yield made


Make = Callable[..., provider_folder.OpenAIProvider]


def options_for(server: OpenAIEmulator, **changes: Any) -> provider_folder.Options:
    """The options that lead there."""
    given = {
        "openai_api_key": SecretStr(KEY),
        "openai_base_url": server.base_url,
        "openai_api": "responses",
        "openai_timeout_s": 2,
    }
    return provider_folder.Options(**{**given, **changes})


@pytest.fixture
async def connection(server: OpenAIEmulator) -> AsyncIterator[Connection]:
    """A connection to it, for models that are made with limits of their own."""
    made = Connection(options_for(server))
    yield made
    await made.client.close()


@pytest.fixture
async def make(server: OpenAIEmulator) -> AsyncIterator[Make]:
    """Makes providers against it, and closes them in the end."""
    made: list[provider_folder.OpenAIProvider] = []

    def provide(**options: Any) -> provider_folder.OpenAIProvider:
        made.append(provider_folder.create(options_for(server, **options)))
        return made[-1]

    yield provide
    for one in made:
        await one.close()


@pytest.fixture
def provider(make: Make) -> provider_folder.OpenAIProvider:
    """The provider by Responses."""
    return make()


async def ask(provider: Any, model: str = "gpt-5.2", text: str = "hello", **settings: Any) -> list[ModelEvent]:
    """The events of an answer."""
    request = ChatRequest([Message("user", (Text(text),))], Settings(**settings), MemoryBlobs(), (), "p" * 64, "c-1")
    return [event async for event in provider.chat(model).stream(request)]


def notices(events: list[ModelEvent]) -> tuple[str, ...]:
    """What the person is told."""
    done = events[-1]
    assert isinstance(done, ModelDone)
    return done.notices


async def test_nothing_is_stored_at_the_server(server: OpenAIEmulator, provider: Any) -> None:
    """Requests say `store: false`, name the person only by a hash, and carry the key in the header alone."""
    await ask(provider)
    [body] = server.sent("/responses")
    assert (body["store"], body["safety_identifier"], body["prompt_cache_key"]) == (False, "p" * 64, "c-1")
    assert KEY not in str(body)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault("status", status=401, error={"code": "invalid_api_key"}), CredentialError),
        (Fault("status", status=403), CredentialError),
        (Fault("status", status=404), RejectedError),
        (Fault("status", status=429, error={"type": "insufficient_quota"}), QuotaError),
        (Fault("status", status=429, error={"code": "project_spend_limit_exceeded"}), QuotaError),
        (Fault("status", status=429, retry_after_s=900), OverloadedError),
        (Fault("status", status=400, error={"code": "moderation_blocked"}), RefusedError),
        (Fault("status", status=400, error={"param": "input"}), RejectedError),
        (Fault("failed"), CutOffError),
        (Fault("disconnect"), OverloadedError),
        (Fault("cut", after=0), OverloadedError),
        (Fault("stall", after=0), OverloadedError),
        (Fault("cut", after=3), CutOffError),
        (Fault("stall", after=3), CutOffError),
        (Fault("corrupt", after=3), CutOffError),
    ],
    ids=lambda value: (
        getattr(value, "__name__", None) or f"{value.kind}{value.status if value.kind == 'status' else value.after}"
    ),
)
@pytest.mark.parametrize("api", ["responses", "chat"])
async def test_failures_have_names(
    server: OpenAIEmulator, make: Make, fault: Fault, kind: type[BotError], api: str
) -> None:
    """Every way to fail becomes the error that says what to do, without the key; text that had come is kept."""
    provider = make(openai_api=api)
    server.fail(*[fault] * (3 if fault.kind == "disconnect" or fault.status == 429 else 1))
    with pytest.raises(BotError) as caught:
        await ask(provider, text="one two three four five")
    assert type(caught.value) is kind
    assert KEY not in caught.value.text + caught.value.detail
    if isinstance(caught.value, CutOffError):
        assert caught.value.partial.startswith("You")
    if fault.retry_after_s:
        assert caught.value.retry_after_s == 900


async def test_a_moment_of_trouble_is_ridden_out(server: OpenAIEmulator, provider: Any) -> None:
    """The client itself waits out a short 429 and a 503."""
    server.fail(Fault("status", status=429, retry_after_s=0.01), Fault("status", status=503))
    events = await ask(provider)
    assert isinstance(events[-1], ModelDone)
    assert len(server.requests) == 3


async def test_an_answer_at_its_limit_says_so(server: OpenAIEmulator, provider: Any) -> None:
    """The length limit and the content filter are told apart from an end."""
    server.enqueue(Answer(text="one two", end="max_output_tokens"), Answer(text="one", end="content_filter"))
    finishes = [(await ask(provider))[-1] for _ in range(2)]
    assert [getattr(one, "finish_reason", "") for one in finishes] == ["length", "refused"]


@pytest.mark.parametrize(
    ("model", "settings", "left_out"),
    [
        ("gpt-5.2", {"temperature": 0.3}, ()),
        ("gpt-5.2", {"temperature": 0.3, "effort": "high"}, ("temperature",)),
        ("gpt-6-astra", {"temperature": 0.3, "top_p": 0.5}, ("temperature", "top_p")),
        ("gpt-6.1-sol", {"effort": "none"}, ("effort",)),
        ("gpt-4o", {"effort": "low", "verbosity": "low"}, ("effort", "verbosity")),
        ("gpt-6-astra", {"stop": ("END",), "presence_penalty": 1.0}, ("presence_penalty",)),
    ],
)
async def test_what_a_model_refuses_is_left_out_and_told(
    server: OpenAIEmulator, provider: Any, model: str, settings: dict[str, Any], left_out: tuple[str, ...]
) -> None:
    """The strict server takes every request, and the person reads which settings were left out; stop texts need no server."""
    told = notices(await ask(provider, model, **settings))
    assert sorted(name for name in settings if any(f"setting {name} " in one for one in told)) == sorted(left_out)


async def test_penalties_and_stops_go_by_chat_completions(server: OpenAIEmulator, provider: Any) -> None:
    """What Responses lacks is sent where it is taken."""
    events = await ask(provider, text="one END two", stop=("END",), frequency_penalty=0.5)
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "You said: one "
    [body] = server.sent("/chat/completions")
    assert (body["stop"], body["frequency_penalty"], body["stream_options"]) == (["END"], 0.5, {"include_usage": True})


async def test_an_unforeseen_refusal_is_learnt(server: OpenAIEmulator, provider: Any) -> None:
    """A setting that the server turns down is left out, told, and not sent again."""
    server.fail(Fault("status", status=400, error={"param": "temperature", "message": "Unsupported parameter"}))
    assert any("temperature" in one for one in notices(await ask(provider, temperature=0.3)))
    await ask(provider, temperature=0.3)
    assert ["temperature" in body for body in server.sent("/responses")] == [True, False, False]


async def test_an_old_server_is_met_half_way(server: OpenAIEmulator, make: Make) -> None:
    """A compatible server that names in words alone what it does not know still answers."""
    provider = make(openai_api="auto")
    for name in ("stream_options", "max_completion_tokens"):
        server.fail(Fault("status", error={"message": f"unknown field {name}"}))
    assert isinstance((await ask(provider, "gpt-4o", max_tokens=50))[-1], ModelDone)
    assert server.sent("/chat/completions")[-1]["max_tokens"] == 50


async def test_a_small_server_answers_without_a_key(make: Make) -> None:
    """One without Responses, keys, usage and most parameters answers, and what it cannot take is learnt once."""
    async with OpenAIEmulator(dialect="plain") as small:
        provider = make(openai_api="auto", openai_base_url=small.base_url, openai_api_key=None)
        for _ in range(2):
            events = await ask(provider, "llama", max_tokens=50, stop=("END",), effort="low")
            assert [event.text for event in events if isinstance(event, TextDelta)] == ["You", " said:", " hello"]
        done = events[-1]
        assert isinstance(done, ModelDone)
        assert done.usage.is_estimate
        assert any("effort" in notice for notice in done.notices)
        last = small.sent("/chat/completions")[-1]
        assert (last["max_tokens"], last["stop"]) == (50, ["END"])
        assert [request.status for request in small.requests][-2:] == [200, 200]


async def test_the_servers_first_model_answers_when_none_is_named(server: OpenAIEmulator, make: Make) -> None:
    """With another base URL and no model named, the first model that the server lists answers."""
    provider = make(openai_api="auto")
    assert provider.default("chat") == "auto"
    assert provider.default("image") == ""
    await ask(provider, "auto")
    assert server.sent("/chat/completions")[0]["model"] == next(iter(server.models))


async def test_reasoning_goes_back_unread(server: OpenAIEmulator, provider: Any) -> None:
    """What the model thought before a tool call is sent back with it, as it came."""
    server.enqueue(Answer(calls=(Call("look"),)))
    [call] = [event for event in await ask(provider, effort="high") if isinstance(event, ToolCall)]
    messages = [
        Message("user", (Text("hi"),)),
        Message("assistant", (call,)),
        Message("tool", (ToolResult(call.id, "ok"),)),
    ]
    request = ChatRequest(messages, Settings(), MemoryBlobs())
    assert [event async for event in provider.chat("gpt-5.2").stream(request)]
    kinds = [item["type"] for item in server.sent("/responses")[-1]["input"]]
    assert kinds == ["message", "reasoning", "function_call", "function_call_output"]
    assert server.sent("/responses")[-1]["input"][1]["encrypted_content"].startswith("sealed-")


async def test_a_long_recording_is_split_and_joined(server: OpenAIEmulator, connection: Connection) -> None:
    """A recording longer than the model takes is cut where it is quiet; words come in order, times count from the beginning."""
    second = 16_000
    loud = (np.sin(2 * np.pi * 300 * np.arange(second * 50) / second) * 8_000).astype(np.int16)
    loud[second * 45 :] = 0
    recording = audio.encode_voice(np.concatenate([loud, loud[: second * 30]]), second).data
    server.transcripts.extend(["first part", "second part"])
    heard = await Transcriber("gpt-4o-transcribe", connection, max_s=60).transcribe(recording, "meeting.ogg")
    assert set(heard.transcript.text.split()) == {"first", "second", "part"}
    starts = [segment.start_s for segment in heard.transcript.segments]
    assert starts[0] == 0
    assert 45 <= starts[1] <= 50
    assert heard.transcript.duration_s == pytest.approx(80, abs=0.5)


async def test_formats_that_the_server_does_not_take_are_converted(server: OpenAIEmulator, provider: Any) -> None:
    """A recording is named by its true format, and one of an unknown container is encoded anew."""
    for name, data in (("voice.bin", making.voice_note()), ("clip.mov", making.video())):
        await provider.speech_to_text("gpt-transcribe").transcribe(data, name)
    names = [one.files[0].name for one in server.asked("/audio/transcriptions")]
    assert all(name.endswith((".ogg", ".m4a", ".mp4")) for name in names)


async def test_times_come_where_the_model_gives_them(server: OpenAIEmulator, provider: Any) -> None:
    """whisper-1 gives segments, the diarizing model speakers."""
    for model, speaker in (("whisper-1", ""), ("gpt-4o-transcribe-diarize", "A")):
        heard = await provider.speech_to_text(model).transcribe(
            making.voice_note(), "a.ogg", language="en", prompt="names"
        )
        assert heard.transcript.segments[0].speaker == speaker
        assert heard.transcript.segments[0].end_s > 0


async def test_without_realtime_the_speech_endpoint_speaks(server: OpenAIEmulator, provider: Any) -> None:
    """An account without Realtime is served by the older endpoint while that lives."""
    server.has_realtime = False
    spoken = await provider.text_to_speech("gpt-realtime-2.1-mini").synthesize("good night")
    assert len(spoken.pcm) > 10_000
    assert server.sent("/audio/speech")[0]["model"] == "gpt-4o-mini-tts"


async def test_a_refused_picture_is_said(server: OpenAIEmulator, provider: Any) -> None:
    """Moderation is a refusal; a size and a quality that the model lacks are left out and told."""
    with pytest.raises(RefusedError, match="content rules"):
        await provider.image_generator("gpt-image-2").generate("a forbidden thing")
    painted = await provider.image_generator("gpt-image-2").generate("a cat", size="1000x999", quality="xhigh")
    assert len(painted.notices) == 2


async def test_doctor_names_what_will_end(server: OpenAIEmulator, provider: Any, make: Make) -> None:
    """A model that is missing is an error, one that ends a warning with its date and successor, a wrong key an error."""
    found = await provider.check({"chat": "gpt-4o", "image": "gpt-image-9", "transcribe": "gpt-transcribe"})
    assert [(one.subject, one.level) for one in found] == [
        ("openai", "ok"),
        ("chat", "warning"),
        ("image", "error"),
        ("transcribe", "ok"),
    ]
    assert "2027-01-14" in found[1].text and "gpt-image-9" in found[2].text
    assert "gpt-6.1-terra" in found[1].text
    server.fail(Fault("status", status=403))
    restricted = await provider.check({"speech": "tts-1"})
    assert "restricted key" in restricted[0].text
    assert "2027-01-06" in restricted[1].text
    wrong = make(openai_api_key=SecretStr("sk-wrong"))
    assert (await wrong.check({}))[0].level == "error"


def test_defaults_live_on() -> None:
    """No default model has an end ahead."""
    assert all(ends(model)[0] is None for model in DEFAULTS.values())
    assert ends("gpt-4o-2024-08-06")[0] == ends("gpt-4o")[0]


def test_prices() -> None:
    """Prices match OpenAI's pages; what nobody knows is None; operators can add their own."""
    assert price_micro_usd("gpt-5.2", Usage(1_000_000)) == 1_750_000
    assert price_micro_usd("gpt-5.2", Usage(1_000_000, cached_tokens=1_000_000)) == 175_000
    assert price_micro_usd("gpt-transcribe", Usage(audio_s=60)) == 4_500
    assert price_micro_usd("tts-1", Usage(characters=1_000)) == 15_000
    assert price_micro_usd("gpt-realtime-2.1-mini", Usage(1_000, output_tokens=1_000, audio_tokens=1_000)) == 20_600
    assert price_micro_usd("gpt-image-2", Usage(10, output_tokens=1_000, images=1)) == 30_050
    assert price_micro_usd("text-embedding-3-small", Usage(1_000_000)) == 20_000
    assert price_micro_usd("gpt-9-unheard-of", Usage(1_000)) is None


def test_the_operators_prices_come_first() -> None:
    """OPENAI_PRICES holds for models that nobody knows, instead of a known price, and at other servers, where it is needed most."""
    for base_url in ("", "http://127.0.0.1:9/v1"):
        prices = '{"llama": [3, 9], "gpt-5.2": [1, 1]}'
        made = provider_folder.create(provider_folder.Options(openai_base_url=base_url, openai_prices=prices))
        assert made.price_micro_usd("llama", Usage(1_000, output_tokens=1_000)) == 12_000
        assert made.price_micro_usd("gpt-5.2", Usage(1_000_000)) == 1_000_000
        assert made.price_micro_usd("gpt-5.4", Usage(1_000)) == (None if base_url else 2_500)


def test_batches_keep_within_the_limits() -> None:
    """No request holds more inputs or tokens than it may, and no text more than the model reads."""
    texts = [cut("word " * 10_000)] * 60 + ["x"] * 3_000 + [cut("漢字" * 20_000)]
    made = list(batches(texts))
    assert [text for batch in made for text in batch] == texts
    assert all(len(batch) <= 2_048 and sum(map(tokens, batch)) <= 300_000 for batch in made)
    assert all(tokens(text) <= 8_192 for text in texts)


def test_the_key_hides() -> None:
    """Neither the options nor the configuration show the key."""
    assert "sk-secret" not in repr(provider_folder.Options(openai_api_key=SecretStr("sk-secret")))


async def test_every_request_is_valid(server: OpenAIEmulator, provider: Any) -> None:
    """All modalities, all settings: each request fits our description, and the vendor's file where it is at hand."""
    await everything(server, provider)
    assert {one.path for one in server.requests} >= {"/embeddings", "/images/edits", "/audio/transcriptions"}
    assert all(one.status == 200 for one in server.requests)
    assert spec.violations(server.requests) == []


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("/responses", {"model": "gpt-5.2", "input": "hi", "colour": "red"}, "colour"),
        ("/responses", {"model": "gpt-5.2", "input": [{"role": "user", "content": "hi", "mood": "glad"}]}, "input: "),
        ("/responses", {"model": "gpt-5.2", "input": "hi", "store": True}, "store"),
        ("/chat/completions", {"model": "gpt-5.2", "messages": [{"role": "robot", "content": "hi"}]}, "robot"),
        ("/embeddings", {"model": "text-embedding-3-small", "input": [""]}, "input/0"),
        ("/audio/songs", {"model": "gpt-sing"}, "not described"),
    ],
)
def test_our_own_description_finds_a_wrong_request(path: str, body: dict[str, Any], named: str) -> None:
    """Invented parameters, wrong values and unknown paths are found, whatever lies beside the project."""
    assert any(named in told for told in spec.violations([Logged("POST", path, body, status=200)]))


@vendor.needs(spec.SPEC)
def test_the_vendors_file_finds_a_wrong_request() -> None:
    """An invented parameter breaks the vendor's own file as well."""
    body = {"model": "gpt-5.2", "input": "hi", "colour": "red"}
    told = spec.violations([Logged("POST", "/responses", body, status=200)])
    assert any(message.startswith("vendor: ") and "colour" in message for message in told)


async def everything(server: OpenAIEmulator, provider: Any) -> None:
    """Each kind of request once."""
    blobs = MemoryBlobs()
    image = Image(await blobs.write(making.picture("A"), "image/png"), "a.png")
    pdf = File(await blobs.write(making.pdf(), "application/pdf"), "plan.pdf", "text")
    from tests.contracts.providers import DRAW

    for settings in (
        Settings(temperature=0.5, top_p=0.9, max_tokens=100, verbosity="low"),
        Settings(effort="high"),
        Settings(stop=("END",), frequency_penalty=0.1, presence_penalty=0.2, max_tokens=100),
    ):
        server.enqueue(Answer(calls=(Call("generate_image", {"prompt": "x", "shape": "square"}),)))
        question = Message("user", (Text("look"), image, pdf))
        system = Message("system", (Text("Be kind."),))
        request = ChatRequest([system, question], settings, blobs, (DRAW,), "p" * 64, "c-1")
        [call] = [e async for e in provider.chat("gpt-5.2").stream(request) if isinstance(e, ToolCall)]
        exchange = [Message("assistant", (Text("wait"), call)), Message("tool", (ToolResult(call.id, "ok"),))]
        request = ChatRequest([system, question, *exchange], settings, blobs, (DRAW,), "p" * 64, "c-1")
        assert [event async for event in provider.chat("gpt-5.2").stream(request)]
    await provider.image_generator("gpt-image-2").generate("a cat", size="landscape", quality="high", count=2)
    await provider.text_to_speech("gpt-4o-mini-tts").synthesize("hi", voice="coral", instructions="softly")
    await provider.embedder("text-embedding-3-large").embed(["a", "b"])
    cat = await provider.image_generator("gpt-image-1.5").generate("a cat")
    await provider.image_generator("gpt-image-2").generate("a hat for it", images=[*cat.pictures, *cat.pictures])
    for model in ("gpt-transcribe", "whisper-1", "gpt-4o-transcribe", "gpt-4o-transcribe-diarize"):
        await provider.speech_to_text(model).transcribe(making.voice_note(), "a.ogg", language="en", prompt="names")


async def test_an_empty_answer_is_no_crash(server: OpenAIEmulator, provider: Any) -> None:
    """A model that says nothing ends as usual; the engine makes words of it."""
    server.enqueue(Answer())
    events = await ask(provider)
    assert len(events) == 1
    assert not isinstance(events[0], ProviderError)
