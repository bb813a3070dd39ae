"""What people send is understood, or they are told what could not be."""

from __future__ import annotations

from typing import Any

import pytest

from bot.app import App
from bot.engine.speak import sentences, spoken_text
from bot.media import apart
from bot.ports import TranscriptionResult
from bot.types import Address, Audio, ButtonPress, File, Image, Segment, Text, Transcript, UnreadAttachment, Usage
from tests import making
from tests.conftest import MakeApp
from tests.fakes import ANN, HERE, FakeAdapter, answer, ended
from tests.support import echo, last_request, rows


def asked(app: App) -> tuple[Any, ...]:
    """The parts of the question as the model read it."""
    return last_request(app).messages[-1].parts  # type: ignore[no-any-return]


async def test_a_voice_note_is_heard_and_answered_aloud(app: App, platform: FakeAdapter) -> None:
    """Who speaks is answered in words and in speech: ogg/opus that plays, saying the answer."""
    note = platform.upload("note.ogg", making.voice_note("good morning"), is_voice_note=True)
    shown = await answer(app, platform, platform.says(attachments=(note,)))
    [heard] = asked(app)
    assert isinstance(heard, Audio)
    assert heard.transcript == "good morning"
    assert "Listening to note.ogg…" in shown.statuses
    assert shown.reply is not None
    [clip] = [part for part in shown.reply.parts if isinstance(part, Audio)]
    assert (clip.blob.mime_type, clip.is_voice_note) == ("audio/ogg", True)
    spoken = await app.host.blobs(HERE).read(clip.blob)
    again = await app.runtime.models.speech_to_text().transcribe(spoken, "answer.ogg")
    assert again.transcript.text.split() == spoken_text(shown.text).split()


@pytest.mark.parametrize(
    ("mode", "spoke", "is_spoken"), [("never", True, False), ("always", False, True), ("mirror", False, False)]
)
async def test_speech_is_a_setting(app: App, platform: FakeAdapter, mode: str, spoke: bool, is_spoken: bool) -> None:
    """Answers are spoken always, never, or to those who spoke."""
    await answer(app, platform, platform.commands("settings", f"set speech {mode}"))
    note = platform.upload("n.ogg", making.voice_note(), is_voice_note=True)
    shown = await answer(app, platform, platform.says("hi", attachments=(note,) if spoke else ()))
    assert shown.reply is not None
    assert any(isinstance(part, Audio) for part in shown.reply.parts) is is_spoken


async def test_the_model_may_decide_to_speak(app: App, platform: FakeAdapter) -> None:
    """A person who asks to hear the answer hears it: the model has a tool for it."""
    shown = await answer(app, platform, platform.says("read it to me [[tool speak {}]]"))
    assert shown.reply is not None
    assert any(isinstance(part, Audio) for part in shown.reply.parts)


async def test_a_voice_that_fails_leaves_the_words(app: App, platform: FakeAdapter) -> None:
    """An answer that cannot be spoken is still an answer, with a remark."""
    await answer(app, platform, platform.commands("settings", "set voice nobody"))
    shown = await answer(app, platform, platform.says("hi", wants_speech=True))
    assert shown.reply is not None
    assert shown.text.startswith("You said: hi")
    assert shown.reply.notices[0].startswith("This could not be spoken: There is no voice 'nobody'")


async def test_pictures_are_turned_upright_and_stripped(app: App, platform: FakeAdapter) -> None:
    """A picture reaches the model upright, without the place where it was taken, and in its real format whatever its name."""
    await answer(
        app, platform, platform.says("look", files={"photo.txt": making.turned_picture(), "b.png": making.picture("B")})
    )
    _, first, second = asked(app)
    assert isinstance(first, Image)
    assert isinstance(second, Image)
    assert (first.width, first.height) == (20, 40)
    data = await app.host.blobs(HERE).read(first.blob)
    assert b"taken at home" not in data
    assert b"Exif" not in data


async def test_a_model_that_does_not_see_reads_the_text(make_app: MakeApp, platform: FakeAdapter) -> None:
    """A model without eyes gets the text in the picture; where there is none, the person is told."""
    async with make_app(chat_model="echo:echo-blind") as app:
        shown = await answer(app, platform, platform.says("read", files={"sign.png": making.picture("EXIT")}))
        image = asked(app)[1]
        assert isinstance(image, Image)
        assert shown.reply is not None
        (said,) = shown.reply.notices
        assert image.text and said.startswith("The model that answers does not see pictures: of sign.png it knows only")
        shown = await answer(app, platform, platform.says("read", files={"blank.png": making.picture()}))
        assert shown.reply is not None and len(shown.reply.notices) == 1


async def test_a_long_text_has_one_remark(app: App, platform: FakeAdapter) -> None:
    """How much of it was read is said once, in numbers."""
    shown = await answer(app, platform, platform.says("sum up", files={"big.txt": b"word " * 200_000}))
    assert shown.reply is not None
    (said,) = shown.reply.notices
    assert said.startswith("big.txt is very long: of 1,000,000 characters this model read ")


@pytest.mark.parametrize("reads", [True, False])
async def test_a_scan_says_whether_it_was_read(
    app: App, platform: FakeAdapter, monkeypatch: pytest.MonkeyPatch, reads: bool
) -> None:
    """One remark: that the text in the pictures was read, or that nothing here can read it."""
    if not reads:
        monkeypatch.setattr(app.runtime.models, "ocr", lambda: None)
    shown = await answer(app, platform, platform.says("what is it?", files={"scan.pdf": making.scanned_pdf("READ")}))
    assert shown.reply is not None
    assert shown.reply.notices == (
        ("scan.pdf: I read the text in its scanned pages.",)
        if reads
        else ("scan.pdf holds pictures of pages, and no text in them that I can read.",)
    )
    assert bool(asked(app)[1].text) is reads


async def test_a_recording_that_breaks_off_is_said(app: App, platform: FakeAdapter) -> None:
    """What is there is heard, and the person knows that there was more; a whole one has no remark."""
    data = making.voice_note("one two three four five six")
    shown = await answer(app, platform, platform.says("hm", files={"note.ogg": data[: len(data) * 2 // 3]}))
    assert shown.reply is not None
    assert "note.ogg breaks off: its end is missing, so I heard only what is there." in shown.reply.notices
    shown = await answer(app, platform, platform.says("hm", files={"note.ogg": data}))
    assert shown.reply is not None and shown.reply.notices == ()


async def test_a_video_is_heard_and_seen(app: App, platform: FakeAdapter) -> None:
    """Of a video the model gets what is said, and a few frames."""
    await answer(app, platform, platform.says("what happens?", files={"film.mp4": making.video("hello from the film")}))
    parts = asked(app)
    assert [part.transcript for part in parts if isinstance(part, Audio)] == ["hello from the film"]
    assert 2 <= sum(isinstance(part, Image) for part in parts) <= 4


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("plan.pdf", making.pdf(), "The treasure is under the oak."),
        ("letter.docx", making.word("Dear Sir"), "Dear Sir"),
        ("prices.xlsx", making.sheet(), "| tea | 3.5 |"),
        ("code.py", b"print('hi')\n", "print('hi')"),
        ("latin.txt", "Grüße aus Köln, schöne Tage".encode("latin-1"), "Köln"),
        ("page.html", b"<html><body><script>x()</script><p>Hello</p></body></html>", "Hello"),
    ],
)
async def test_documents_are_read(app: App, platform: FakeAdapter, name: str, data: bytes, expected: str) -> None:
    """PDF, Word, spreadsheets, source, text of any encoding and web pages become parts with their text."""
    await answer(app, platform, platform.says("what is it?", files={name: data}))
    document = asked(app)[1]
    assert isinstance(document, File)
    assert expected in document.text
    assert "<script" not in document.text


BAD = {
    "empty.png": (b"", "empty.png is empty (0 bytes)."),
    "locked.pdf": (making.pdf(password="secret"), "locked with a password"),
    "bomb.png": (making.bomb_picture(), "than I can take in"),
    "bomb.zip": (making.bomb_archive(), "more than I open"),
    "broken.ogg": (b"OggS" + bytes(200), "sound that I can decode"),
    "broken.pdf": (b"%PDF-1.7 and then nothing", "damaged"),
    "strange.bin": (bytes(range(256)) * 20, "neither a picture, sound, video, document nor text"),
    "broken.png": (making.picture()[:100], "damaged"),
}


@pytest.mark.parametrize("name", BAD)
async def test_what_cannot_be_read_is_said(app: App, platform: FakeAdapter, name: str) -> None:
    """A file that cannot be read is named with the reason, under the answer or as the answer."""
    data, expected = BAD[name]
    shown = await answer(app, platform, platform.says("what is it?", files={name: data}))
    assert shown.reply is not None
    assert len(shown.reply.notices) == 1
    assert name in shown.reply.notices[0]
    assert expected in shown.reply.notices[0]
    alone = await answer(app, platform, platform.says("", files={name: data}))
    assert alone.text == shown.reply.notices[0]


async def test_what_cannot_be_read_stays_with_its_message(app: App, platform: FakeAdapter) -> None:
    """It is kept with the reason beside what could be read, and a later question does not try it again."""
    await answer(app, platform, platform.says("what?", files={"empty.png": b"", "note.txt": b"the words"}))
    assert asked(app)[1] == Text("[attached, could not be read: empty.png]")
    await answer(app, platform, platform.says("and now?"))
    question = (await app.host.timeline.entries(HERE))[0]
    unread = [part for part in question.parts if isinstance(part, UnreadAttachment)]
    assert [(one.attachment.name, one.reason) for one in unread] == [("empty.png", "empty.png is empty (0 bytes).")]
    assert any(isinstance(part, File) for part in question.parts)
    assert platform.fetched["empty.png"] == 1


async def test_what_only_a_setting_stands_in_the_way_of_is_tried_again(
    make_app: MakeApp, platform: FakeAdapter
) -> None:
    """A recording that nobody could listen to is heard when somebody can."""
    note = platform.upload("note.ogg", making.voice_note("the words"), is_voice_note=True)
    async with make_app(transcribe_model="none") as app:
        shown = await answer(app, platform, platform.says(attachments=(note,)))
        assert "TRANSCRIBE_MODEL" in shown.text
    async with make_app() as app:
        await answer(app, platform, platform.says("what did I say?"))
        question = (await app.host.timeline.entries(HERE))[0]
    assert [part.transcript for part in question.parts if isinstance(part, Audio)] == ["the words"]


async def test_silence_is_said(app: App, platform: FakeAdapter) -> None:
    """A voice note in which nobody speaks is named so."""
    note = platform.upload("quiet.ogg", making.silence(), is_voice_note=True)
    shown = await answer(app, platform, platform.says(attachments=(note,)))
    assert shown.reply is not None
    assert "I heard no speech in quiet.ogg." in shown.reply.notices


async def test_a_truncated_recording_gives_what_is_there(app: App, platform: FakeAdapter) -> None:
    """A recording that breaks off is heard up to there."""
    data = making.voice_note("good morning everybody in the house")
    shown = await answer(app, platform, platform.says("", files={"cut.ogg": data[: len(data) // 2]}))
    [heard] = asked(app)
    assert isinstance(heard, Audio)
    assert heard.duration_s > 0
    assert shown.reply is not None
    assert not shown.reply.error


async def test_too_big_is_said_before_it_is_fetched(make_app: MakeApp, platform: FakeAdapter) -> None:
    """Above the limit an attachment is refused by its claimed size, or as soon as more comes than was claimed."""
    async with make_app(max_attachment_mb=1) as app:
        lying = platform.upload("big.bin", bytes(2 * 1024 * 1024))
        small = type(lying)(lying.name, "", 10, lying.ref)
        for attachment in (lying, small):
            shown = await answer(app, platform, platform.says("", attachments=(attachment,)))
            assert shown.text == "big.bin is larger than 1 MB, the limit here."


async def test_without_ears_the_setting_is_named(make_app: MakeApp, platform: FakeAdapter) -> None:
    """Where no model listens, the person reads which setting brings one."""
    async with make_app(transcribe_model="none") as app:
        shown = await answer(app, platform, platform.says("", files={"note.ogg": making.voice_note()}))
        assert "TRANSCRIBE_MODEL" in shown.text


async def test_a_regeneration_hears_nothing_twice(app: App, platform: FakeAdapter) -> None:
    """Another answer to a voice note reuses what was heard: nothing is paid again."""
    await answer(app, platform, platform.says("", files={"note.ogg": making.voice_note("good morning")}))
    [reply_id] = platform.posts
    accepted = await app.accept(ButtonPress("P1", reply_id, HERE, ANN, "regenerate"))
    await platform.answered(accepted.turn_id)
    await ended(app, accepted.turn_id)
    assert len([call for call in echo(app).calls if call.modality == "transcribe"]) == 1
    [heard] = asked(app)
    assert heard.transcript == "good morning"


async def test_an_earlier_voice_note_is_heard_when_asked_about(app: App, platform: FakeAdapter) -> None:
    """A voice note that nobody asked about is heard when a later question may be about it, once."""
    place = Address("fake", "W1", "C1", "T1")
    note = platform.upload("note.ogg", making.voice_note("meet at nine"), is_voice_note=True)
    noted = await app.accept(platform.says(attachments=(note,), address=place, is_direct=False))
    assert noted.outcome == "noted"
    await answer(app, platform, platform.says("when?", address=place, is_direct=False, mentions_bot=True))
    parts = [part for message in last_request(app).messages for part in message.parts]
    assert [part.transcript for part in parts if isinstance(part, Audio)] == ["meet at nine"]
    await answer(app, platform, platform.says("and where?", address=place))
    assert len([call for call in echo(app).calls if call.modality == "transcribe"]) == 1


async def test_the_same_bytes_are_kept_once(app: App, platform: FakeAdapter) -> None:
    """The same file sent twice is one blob."""
    from bot.store import schema

    data = making.pdf()
    await answer(app, platform, platform.says("a", files={"a.pdf": data}))
    await answer(app, platform, platform.says("b", files={"b.pdf": data}))
    assert len(await rows(app, schema.blobs)) == 1


async def test_what_takes_too_long_to_read_is_said(
    app: App, platform: FakeAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A document made to be read for ever costs the person a notice and nobody else anything."""
    readers = apart.Readers(1, deadline_s=1)
    monkeypatch.setattr(apart, "PDFS", readers)
    shown = await answer(app, platform, platform.says("sum up", files={"slow.pdf": making.endless_pdf()}))
    assert shown.reply is not None
    assert shown.reply.notices == ("slow.pdf took longer than 1 s to read, so I gave up. Please send a simpler copy.",)
    assert shown.text.startswith("You said: sum up")
    assert readers.idle() == 0


async def test_a_stop_ends_what_is_being_read(app: App, platform: FakeAdapter, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader is ended and what waits behind it is not paid for; another answer reads what was left."""
    readers = apart.Readers(1)
    monkeypatch.setattr(apart, "PDFS", readers)
    files = {"a.txt": b"tea", "slow.pdf": making.endless_pdf(), "note.ogg": making.voice_note("good morning")}
    message = platform.says("sum up", files=files)
    accepted = await app.accept(message)
    await platform.until(lambda me: any("Reading slow.pdf…" in one.statuses for one in me.posts.values()))
    assert (await app.accept(ButtonPress("P1", message.message_id, HERE, ANN, "stop"))).outcome == "done"
    shown = await platform.answered(accepted.turn_id)
    await ended(app, accepted.turn_id)
    assert shown.reply is not None
    assert (shown.reply.stopped, shown.reply.error, shown.reply.notices) == (True, "", ())
    assert echo(app).calls == []
    assert readers.idle() == 0

    platform.files["slow.pdf"] = making.pdf("Not slow.")
    again = await app.accept(ButtonPress("P2", message.message_id, HERE, ANN, "regenerate"))
    await platform.answered(again.turn_id)
    await ended(app, again.turn_id)
    _, first, second, third = asked(app)
    assert (first.text, second.text, third.transcript) == ("tea", "[page 1]\nNot slow.", "good morning")
    readers.close()


async def test_nothing_outlives_what_was_forgotten(app: App, platform: FakeAdapter) -> None:
    """Bytes are kept only where a message uses them: neither a picture as it was taken nor a file that could not be read."""
    from bot.store import schema

    files = {
        "home.jpg": making.turned_picture(),
        "strange.bin": BAD["strange.bin"][0],
        "broken.pdf": BAD["broken.pdf"][0],
        "broken.ogg": BAD["broken.ogg"][0],
        "note.ogg": making.voice_note(),
        "plan.pdf": making.pdf(),
        "film.mp4": making.video(),
    }
    await answer(app, platform, platform.says("look", files=files))
    kept = {bytes(row.data) for row in await rows(app, schema.blobs)}
    assert {name for name, data in files.items() if data in kept} == {"note.ogg", "plan.pdf", "film.mp4"}
    await answer(app, platform, platform.commands("forget"))
    assert await rows(app, schema.blobs) == []


@pytest.mark.parametrize("says", ["words\0", "half \ud83d"])
async def test_what_was_heard_and_read_can_be_kept(
    app: App, platform: FakeAdapter, monkeypatch: pytest.MonkeyPatch, says: str
) -> None:
    """Whatever a transcriber or a file gives, its text can be stored and sent."""
    speech_to_text = app.runtime.models.speech_to_text()

    async def transcribe(*_: Any, **__: Any) -> TranscriptionResult:
        return TranscriptionResult(Transcript(says, segments=(Segment(0, 1, says),)), Usage())

    monkeypatch.setattr(type(speech_to_text), "transcribe", transcribe)
    files = {"note.ogg": making.voice_note(), "a.log": b"words " * 12_000 + b"\0"}
    shown = await answer(app, platform, platform.says("what?", files=files))
    _, heard, log = asked(app)
    clean = says[:-1] + "\ufffd"
    assert (heard.transcript, heard.segments[0].text, log.text[-2:]) == (clean, clean, " \ufffd")
    assert shown.reply is not None
    assert not shown.reply.error


def test_what_is_spoken_has_no_marks() -> None:
    """A voice says words, not Markdown, addresses or code."""
    text = "# Title\n\n**Bold** and [a link](https://x.y) see https://z.w\n\n```py\nx = 1\n```\n- one\n- `two`"
    assert spoken_text(text) == "Title\nBold and a link see\n(The code is in the text.)\none\ntwo"


def test_sentences_fit() -> None:
    """Pieces hold whole sentences where they fit, and join to the words."""
    text = "One. Two! " + "word " * 500 + "end. Last?"
    pieces = sentences(text, 200)
    assert all(len(piece) <= 200 for piece in pieces)
    assert " ".join(pieces).split() == text.split()


async def test_sound_is_paid_by_what_is_there(app: App, platform: FakeAdapter) -> None:
    """100 kB that claim 27.8 hours, and more than two hours that are really there, reach no model; the person reads why."""
    for name, rate_hz, size, told in (
        ("day.wav", 1, 100_000, "day.wav: It claims a rate of 1 Hz"),
        ("long.wav", 4_000, 4_000 * 7_300, "long.wav is 122 minutes long, and I listen to 120 minutes at most."),
    ):
        shown = await answer(app, platform, platform.says("", files={name: making.wav_claiming(rate_hz, size)}))
        assert shown.text.startswith(told)
    assert [call for call in echo(app).calls if call.modality == "transcribe"] == []
