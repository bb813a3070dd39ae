"""The local provider without weights: what it chooses, what it says it lacks, how its small parts behave."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot.errors import RejectedError, UnavailableError, UsageError
from bot.ports import ModelDone, ModelEvent
from bot.providers import local
from bot.providers.local import chat, speak
from bot.providers.local.read_text import Line, in_reading_order
from bot.types import MODALITIES, Modality, Settings, TextDelta, Usage


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if every runtime were there."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)


def provider(home: Path, **options: Any) -> local.LocalProvider:
    """A provider with an empty home."""
    return local.create(local.Options.model_validate({"parley_home": home, **options}))


def test_is_on_exactly_when_the_runtimes_are_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Otherwise it says how to install them."""
    options = local.Options.model_validate({"parley_home": tmp_path})
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    assert local.missing(options) == ()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "xllamacpp" else name)
    assert local.missing(options) == ("pip install 'parley-bot[local]'",)
    with pytest.raises(UnavailableError, match="pip install"):
        provider(tmp_path).chat("any")


@pytest.mark.usefixtures("installed")
def test_defaults(tmp_path: Path) -> None:
    """Without weights: what needs none, and chat, without which Parley is broken; what the operator set comes first."""
    plain = provider(tmp_path)
    assert {modality: plain.default(modality) for modality in MODALITIES} == {
        "chat": "qwen2.5-coder-0.5b-instruct",
        "transcribe": "",
        "speech": "pico",
        "image": "",
        "embedding": "",
    }
    laid(plain, tmp_path, "whisper-tiny.en", "minilm")
    assert (plain.default("transcribe"), plain.default("embedding")) == ("whisper-tiny.en", "minilm")
    own, voice, whisper = tmp_path / "My-7B.gguf", tmp_path / "amy.onnx", tmp_path / "whisper-large"
    own.write_bytes(b"GGUF")
    voice.touch()
    whisper.mkdir()
    (whisper / "model.bin").touch()
    chosen = provider(tmp_path, local_chat_model=str(own), local_voice=str(voice), local_whisper_model=str(whisper))
    assert chosen.default("chat") == "My-7B" and chosen.models() == ["My-7B"]
    assert chosen.default("speech") == str(voice) and chosen.default("transcribe") == "whisper-large"


def laid(subject: local.LocalProvider, home: Path, *names: str) -> None:
    """As if these models had been pulled."""
    for name in names:
        for file in subject.library.named(name).files:
            path = home / "models" / name / file.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()


def test_a_model_that_is_here_is_the_default(tmp_path: Path) -> None:
    """The better of those that were pulled answers."""
    subject = provider(tmp_path)
    laid(subject, tmp_path, "smollm2-135m-instruct", "qwen2.5-coder-1.5b-instruct")
    assert subject.default("chat") == "qwen2.5-coder-1.5b-instruct"
    assert subject.models() == ["qwen2.5-coder-1.5b-instruct", "smollm2-135m-instruct"]


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("modality", "model", "says"),
    [
        ("chat", "qwen2.5-coder-0.5b-instruct", "parley models pull"),
        ("chat", "/nowhere/x.gguf", "CHAT_MODEL or OFFERED_MODELS"),
        ("transcribe", "whisper-base", "parley models pull"),
        ("embedding", "minilm", "parley models pull"),
        ("speech", "piper-joe", "parley models pull"),
        ("speech", "/nowhere/x.onnx", "no Piper voice"),
        ("image", "any", "IMAGE_MODEL"),
    ],
)
async def test_what_is_missing_is_said_with_its_remedy(
    tmp_path: Path, modality: Modality, model: str, says: str
) -> None:
    """The same words from the maker and from `doctor`."""
    (finding,) = await provider(tmp_path).check({modality: model})
    assert finding.level == "error" and says in finding.text


@pytest.mark.usefixtures("installed")
def test_only_the_operator_names_a_file(tmp_path: Path) -> None:
    """A path that the configuration does not hold is refused, whether the file is there or not."""
    there, gone = tmp_path / "a.gguf", tmp_path / "b.gguf"
    there.write_bytes(b"GGUF")
    for path in (there, gone):
        with pytest.raises(UnavailableError, match="Only the operator"):
            provider(tmp_path).chat(str(path))
    provider(tmp_path, chat_model=f"local:{there}").chat(str(there))
    provider(tmp_path, offered_models=f"local:other, local:{there}").chat(str(there))
    with pytest.raises(UnavailableError, match="names a file that is not there") as raised:
        provider(tmp_path, chat_model=f"local:{gone}").chat(str(gone))
    assert str(tmp_path) not in raised.value.text


def test_costs_nothing(tmp_path: Path) -> None:
    """0, which is known, unlike None."""
    assert provider(tmp_path).price_micro_usd("any", Usage(input_tokens=1000)) == 0


@pytest.mark.parametrize(
    ("asked", "language", "preferred", "voice"),
    [
        ("", "", "", "en-US"),
        ("", "de", "", "de-DE"),
        ("", "en", "en-GB", "en-GB"),
        ("", "fr", "en-GB", "fr-FR"),
        ("", "ja", "en-GB", "en-GB"),
        ("IT_it", "de", "", "it-IT"),
    ],
)
def test_the_language_chooses_the_voice_unless_one_is_named(
    asked: str, language: str, preferred: str, voice: str
) -> None:
    """In the order: named, preferred if it speaks the language, the language's own, preferred."""
    assert speak.pico_voice(asked, language, preferred) == voice


def test_an_unknown_voice_is_refused_with_the_known_ones() -> None:
    """The person can choose again."""
    with pytest.raises(UsageError, match="en-US, en-GB, de-DE"):
        speak.pico_voice("alloy", "")


def test_what_cannot_be_spoken_is_left_out() -> None:
    """No emoji, markup or control characters reach the voice; words do."""
    assert speak.speakable("Hello 😀 <b>dear</b>\x07\n\tfriend, 2 < 3 ☂") == "Hello dear friend, 2 3"


def test_rows_are_read_across_and_down() -> None:
    """Columns of one row are joined by a space, rows stand in lines."""
    lines = [Line("right", 500, 12, 30), Line("below", 10, 60, 80), Line("left", 10, 10, 32)]
    assert in_reading_order(lines) == "left right\nbelow"
    assert in_reading_order([]) == ""


def taken(*pieces: dict[str, Any]) -> tuple[list[ModelEvent], chat._Answer]:
    """What the pieces of a server become."""
    events: list[ModelEvent] = []
    answer = chat._Answer(events.append, lambda: False)
    for piece in pieces:
        answer.take(piece)
    return events, answer


def test_pieces_of_the_server_become_events() -> None:
    """Text as it comes; the end carries usage and why it ended."""
    events, answer = taken(
        {"choices": [{"delta": {"role": "assistant", "content": None}, "finish_reason": None}]},
        {"choices": [{"delta": {"content": "Hi"}, "finish_reason": None}]},
        {"choices": [{"delta": {}, "finish_reason": "length"}]},
        {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 1}},
    )
    assert events == [TextDelta("Hi")]
    assert answer.done(("a remark",)) == ModelDone(Usage(7, output_tokens=1), "length", ("a remark",))


def test_a_prompt_that_is_too_long_is_measured() -> None:
    """The server says by how much, so that the next try fits; any other complaint is raised."""
    error = {
        "code": 400,
        "type": "exceed_context_size_error",
        "n_prompt_tokens": 8192,
        "n_ctx": 4096,
        "message": "long",
    }
    _, answer = taken({"error": error})
    assert answer.excess == 2.0
    with pytest.raises(RejectedError, match="long"):
        answer.done(())


def test_settings_travel_as_they_were_chosen() -> None:
    """What is not set is left to the model; zero is a choice."""
    body = chat._body([], Settings(temperature=0.0, top_p=0.9, presence_penalty=0.5, stop=("END",)), 9)
    assert (body["temperature"], body["top_p"], body["presence_penalty"], body["stop"]) == (0.0, 0.9, 0.5, ["END"])
    assert "frequency_penalty" not in body and body["max_tokens"] == 9
    assert chat._body([], Settings(), 9)["temperature"] == chat.DEFAULT_TEMPERATURE


def test_only_gguf_files_are_loaded(tmp_path: Path) -> None:
    """A file that lies about its type is refused before llama.cpp sees it."""
    lie = tmp_path / "lie.gguf"
    lie.write_bytes(b"PK\x03\x04")
    assert not chat.is_gguf(lie) and not chat.is_gguf(tmp_path / "none.gguf")
    with pytest.raises(UnavailableError, match="GGUF"):
        chat.load(lie, chat.Tuning(1, 512))
