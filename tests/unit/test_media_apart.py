"""Readers in processes of their own: they answer, or they are ended."""

from __future__ import annotations

import asyncio
import io
import os
import resource
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from bot import readiness
from bot.errors import UnreadableError
from bot.media import audio, documents, images, jail, wire
from bot.media.apart import DOCUMENTS, PICTURES, READER, ROOT, Readers, _result
from bot.media.reader import GRACE_S
from bot.policy.fairness import on_behalf_of
from tests import making

AGES_S = 600
"""What a job is asked to take. It never does: each is ended."""


@pytest.fixture
def make_readers() -> Iterator[Callable[..., Readers]]:
    """Pools that are closed at the end."""
    made: list[Readers] = []

    def make(processes: int = 1, **limits: Any) -> Readers:
        made.append(Readers(processes, **limits))
        return made[-1]

    yield make
    for readers in made:
        readers.close()


async def told(readers: Readers, fn: Callable[..., object], *args: object) -> str:
    """What the person is told of a job that fails."""
    with pytest.raises(UnreadableError) as found:
        await readers.run("a.pdf", fn, *args)
    return found.value.text


async def test_what_is_read_apart_is_read_the_same() -> None:
    """Values come back whole, pictures with their bytes, and complaints as they are."""
    data = making.pdf()
    assert await DOCUMENTS.run("a.pdf", documents.read, data, "a.pdf") == documents.read(data, "a.pdf")
    assert await PICTURES.run("a.png", images.prepare, making.picture()) == images.prepare(making.picture())
    assert "old.bin" in await told(DOCUMENTS, documents.read, bytes(range(256)), "old.bin")


async def test_a_process_stays_warm(make_readers: Callable[..., Readers]) -> None:
    """The next job finds the one that did the last, also in another event loop; jobs beyond the processes wait."""
    readers = make_readers(2)
    first = await readers.run("a", os.getpid)
    assert await readers.run("a", os.getpid) == first
    assert await asyncio.to_thread(asyncio.run, readers.run("a", os.getpid)) == first
    assert len({*await asyncio.gather(*[readers.run("a", os.getpid) for _ in range(20)])}) <= 2
    assert 1 <= readers.idle() <= 2
    assert os.getpid() != first


async def test_an_idle_process_ends(make_readers: Callable[..., Readers]) -> None:
    """Who reads nothing holds no process; the next job starts another."""
    readers = make_readers(idle_s=0.01)
    first = await readers.run("a", os.getpid)
    async with asyncio.timeout(10):
        while readers.idle():
            await asyncio.sleep(0.005)
    assert await readers.run("a", os.getpid) != first


async def test_what_takes_too_long_is_ended(make_readers: Callable[..., Readers]) -> None:
    """The process is killed whatever it does, and the next job is done."""
    readers = make_readers(deadline_s=1)
    assert await told(readers, documents.read, making.endless_pdf(), "a.pdf") == (
        "a.pdf took longer than 1 s to read, so I gave up. Please send a simpler copy."
    )
    assert await readers.run("a", len, b"four") == 4


async def test_what_is_no_longer_wanted_is_ended(make_readers: Callable[..., Readers]) -> None:
    """Cancelled, a job leaves its process no time; one that waits for its turn never begins."""
    readers = make_readers()
    first = await readers.run("a", os.getpid)
    running = asyncio.create_task(readers.run("a", time.sleep, AGES_S))
    waiting = asyncio.create_task(readers.run("a", time.sleep, AGES_S))
    async with asyncio.timeout(10):
        while readers.idle():
            await asyncio.sleep(0.005)
        for task in (waiting, running):
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert await readers.run("a", os.getpid) != first


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds the limit")
async def test_memory_is_bounded(make_readers: Callable[..., Readers]) -> None:
    """What wants more is refused, and the process is as good as before."""
    readers = make_readers(memory_bytes=2**29)
    first = await readers.run("a", os.getpid)
    assert await told(readers, bytearray, 2**30) == (
        "a.pdf takes more memory to read than I may use. Please send a smaller copy."
    )
    assert await readers.run("a", os.getpid) == first


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds the limit")
async def test_a_large_picture_is_made_small_first(make_readers: Callable[..., Readers]) -> None:
    """The largest that is taken fits with the libraries into 0.7 GB, in the mode that once took most."""
    buffer = io.BytesIO()
    Image.new("I;16", (7_071, 7_071)).save(buffer, "PNG", compress_level=1)
    found = await make_readers(memory_bytes=700 * 2**20).run("a", images.prepare, buffer.getvalue())
    assert (found.width, found.original_width) == (2_048, 7_071)


async def test_a_crash_ends_one_job(make_readers: Callable[..., Readers]) -> None:
    """A library that takes its process with it takes nothing else."""
    readers = make_readers()
    assert "a.pdf is damaged, or takes more memory" in await told(readers, os._exit, 3)
    assert await readers.run("a", len, b"four") == 4


async def test_faults_of_ours_come_back(make_readers: Callable[..., Readers]) -> None:
    """What a function raises is raised here; what cannot be sent, in either direction, is said and breaks no later job."""
    readers = make_readers()
    with pytest.raises(RuntimeError, match="has no len"):
        await readers.run("a", len, 3)  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="cannot be sent"):
        await readers.run("a", open, os.devnull)
    with pytest.raises(TypeError, match="by its name"):
        await readers.run("a", lambda: None)
    assert await readers.run("a", len, b"four") == 4


SECRETS = ("OPENAI_API_KEY", "SLACK_BOT_TOKEN", "DISCORD_BOT_TOKEN", "PARLEY_SECRET_KEY", "DATABASE_URL")


async def test_a_reader_knows_no_secrets(make_readers: Callable[..., Readers], monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens and keys of the environment do not reach the process that opens strangers' files."""
    for name in SECRETS:
        monkeypatch.setenv(name, "not for you")
    readers = make_readers()
    assert [await readers.run("a", os.getenv, name) for name in SECRETS] == [None] * len(SECRETS)


FORBIDDEN: dict[str, tuple[Callable[..., object], tuple[object, ...]]] = {
    "open a socket": (socket.socket, ()),
    "open a local socket": (socket.socketpair, ()),
    "start a program": (os.execv, ("/bin/true", ["true"])),
    "start a process": (os.fork, ()),
    "signal Parley": (os.kill, (os.getpid(), 0)),
    "read Parley's environment": (open, (f"/proc/{os.getpid()}/environ",)),
    "read a file of the user's": (os.listdir, (str(Path.home()),)),
    "read the project's settings": (open, (str(ROOT / "pyproject.toml"),)),
    "write a file": (open, (os.path.join(tempfile.gettempdir(), "from-a-reader"), "w")),
    "delete a file": (os.unlink, (os.path.join(tempfile.gettempdir(), "no-such-file"),)),
    "open many files": (resource.setrlimit, (resource.RLIMIT_NOFILE, (10_000, 10_000))),
}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux's kernel holds it")
@pytest.mark.parametrize("what", FORBIDDEN)
async def test_a_reader_can_do_nothing_else(what: str, make_readers: Callable[..., Readers]) -> None:
    """Taken over by a file, the process reaches no network, no other process and no file, whoever runs it; `doctor` agrees."""
    readers = make_readers()
    assert await readers.run("a", jail.lacking) == [], "this kernel does not hold it: see `parley doctor`"
    fn, args = FORBIDDEN[what]
    with pytest.raises(RuntimeError, match=r"PermissionError|not allowed to raise"):
        await readers.run("a", fn, *args)
    assert await readers.run("a", len, b"four") == 4


@pytest.mark.parametrize("machine", ["", "a processor without a list"])
async def test_doctor_says_what_nothing_holds(
    machine: str, make_readers: Callable[..., Readers], tmp_path: Path
) -> None:
    """One warning where the kernel does not shut readers in, and none where it does; files are read either way."""
    readers = make_readers()
    if machine:
        (tmp_path / "on_a_strange_machine.py").write_text(
            f"import platform\nplatform.machine = lambda: {machine!r}\nfrom bot.media.reader import main\nmain()\n"
        )
        sys.path.append(str(tmp_path))
        readers = make_readers(reader="on_a_strange_machine")
    try:
        told = [(one.subject, one.level) for one in await readiness.readers_shut_in(readers)]
        assert told == ([("readers", "warning")] if machine or sys.platform != "linux" else [])
        assert (await readers.run("a.txt", documents.read, b"words", "a.txt")).text == "words"
    finally:
        sys.path[:] = [path for path in sys.path if path != str(tmp_path)]


async def test_cutting_sound_ends_when_nobody_wants_it(make_readers: Callable[..., Readers]) -> None:
    """An hour of sound is being cut and encoded when the person stops it: the process is gone at once."""
    readers = make_readers()
    pid = await readers.run("a", os.getpid)
    data = making.wav_claiming(4_000, 4_000 * 3_600)
    cutting = asyncio.create_task(readers.run("a", audio.split_at_silences, data, max_bytes=10**6, max_s=60.0))
    async with asyncio.timeout(10):
        while readers.idle():
            await asyncio.sleep(0.005)
        cutting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cutting
        assert await readers.run("a", os.getpid) != pid


LIES = {
    "pickle": b"\x80\x05\x95",
    "an endless header": struct.pack("<QQ", 2**62, 0),
    "endless bytes": struct.pack("<QQ", 2, 2**62) + b"{}",
    "a value of another kind": b'{"result": {"$": "Popen", "of": {"args": ["touch", "/tmp/owned"]}}}',
    "bytes that are not there": b'{"result": {"$": "bytes", "n": 9}}',
    "a deep header": b"[" * 100_000,
    "no answer": b"[1, 2]",
}


@pytest.mark.parametrize("what", LIES)
def test_an_answer_is_never_run(what: str) -> None:
    """A reader that was taken over answers with plain data or with nothing: no name in it is looked up, no length believed."""
    sent = LIES[what]
    framed = sent if sent[:1] not in b"{[" else struct.pack("<QQ", len(sent), 0) + sent
    if what == "no answer":
        with pytest.raises(UnreadableError, match=r"a\.pdf is damaged"):
            _result(wire.receive(io.BytesIO(framed)), "a.pdf")
        return
    with pytest.raises((EOFError, wire.BrokenFrameError)):
        wire.receive(io.BytesIO(framed))


async def test_what_a_library_prints_goes_nowhere(
    make_readers: Callable[..., Readers], capfd: pytest.CaptureFixture[str]
) -> None:
    """Its words are a stranger's: they come neither between the answers nor into the log, where they could forge a line."""
    readers = make_readers()
    await readers.run("a", print, "a warning of a library")
    assert await readers.run("a", os.write, 1, b"another\n") == 8
    assert await readers.run("a", os.write, 2, b"12:00:00 ERROR forged\n") == 22
    assert await readers.run("a", len, b"four") == 4
    assert "".join(capfd.readouterr()) == ""


async def test_one_person_s_files_hold_up_nobody_else(make_readers: Callable[..., Readers]) -> None:
    """Four documents made to be read for ever, by one person; a colleague's 17 bytes are read meanwhile, within 5 s."""
    readers = make_readers(2, deadline_s=AGES_S)
    endless = making.endless_pdf()
    with on_behalf_of("mallory"):
        hostile = [
            asyncio.create_task(readers.run("a.pdf", documents.read, endless, "a.pdf", "application/pdf"))
            for _ in range(4)
        ]
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        with on_behalf_of("ann"):
            found = await readers.run("a.txt", documents.read, b"seventeen letters", "a.txt")
    assert found.text == "seventeen letters"
    assert not any(task.done() for task in hostile)
    for task in hostile:
        task.cancel()
    await asyncio.gather(*hostile, return_exceptions=True)


def test_a_process_whose_parley_is_gone_ends() -> None:
    """A job that nobody ends any more ends with its time, and a process without a job when the pipe closes."""
    request = io.BytesIO()
    wire.send(request, ["time:sleep", [AGES_S], {}])
    for late_s, sent in ((0.1, request.getvalue()), (AGES_S, b"")):
        command = [sys.executable, "-m", READER, str(2**30), str(late_s - GRACE_S)]
        with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdin is not None
            process.stdin.write(sent)
            process.stdin.flush()
            if not sent:
                process.stdin.close()
            process.wait(timeout=20)


async def test_a_process_that_cannot_start_is_a_fault_of_ours(
    make_readers: Callable[..., Readers],
) -> None:
    """The person's file is not blamed for a broken installation."""
    with pytest.raises(RuntimeError, match="did not start"):
        await make_readers(reader="bot.media.no_reader").run("a", len, b"four")
