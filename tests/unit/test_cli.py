"""The command line: each command in a process of its own, judged by what it prints and how it ends."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import click
import numpy as np
import pytest
from click.testing import CliRunner
from sqlalchemy import make_url

import adapters
from bot.cli import COMMANDS, FAILED, INTERRUPTED, WRONG, State, cli, transcripts
from bot.errors import OverloadedError
from bot.media import audio
from bot.store.tenants import Seal
from bot.types import Audio, Blob, Segment

ROOT = Path(__file__).resolve().parents[2]
NO_SERVER = "postgresql://ann:hush@127.0.0.1:1/parley"
TRACEBACK = "Traceback (most recent call last)"
HEAVY = (
    "sqlalchemy",
    "openai",
    "slack_bolt",
    "slack_sdk",
    "discord",
    "rich",
    "aiohttp",
    "dbos",
    "av",
    "numpy",
    "prompt_toolkit",
)


@pytest.fixture
def surroundings(tmp_path: Path) -> dict[str, str]:
    """The environment of a person with echo models and nothing else."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
    models = {f"{name}_MODEL": "echo:echo" for name in ("CHAT", "TRANSCRIBE", "SPEECH", "IMAGE", "EMBEDDING")}
    return {**kept, **models, "PYTHONPATH": str(ROOT), "PARLEY_HOME": str(tmp_path / "home"), "PORT": "0"}


class Person:
    """Somebody at a shell in a folder of theirs."""

    def __init__(self, folder: Path, surroundings: Mapping[str, str]) -> None:
        self.folder = folder
        self.surroundings = dict(surroundings)

    def runs(self, *arguments: str, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        """The command, to its end."""
        return subprocess.run(
            [sys.executable, "-m", "bot", *arguments],
            cwd=self.folder,
            env={**self.surroundings, **variables},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @asynccontextmanager
    async def starts(self, *arguments: str, **variables: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """The command, killed at the end if it still runs."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bot",
            *arguments,
            cwd=self.folder,
            env={**self.surroundings, **variables},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
                await process.communicate()


@pytest.fixture
def person(tmp_path: Path, surroundings: dict[str, str]) -> Person:
    """Somebody at a shell."""
    return Person(tmp_path, surroundings)


def every_command(group: click.Group, *path: str) -> Iterator[tuple[str, ...]]:
    """The path of each command and sub-command of ours."""
    with click.Context(group) as ctx:
        for name in group.list_commands(ctx):
            command = group.get_command(ctx, name)
            yield (*path, name)
            if isinstance(command, click.Group) and name != "emulator":
                yield from every_command(command, *path, name)


# --- Help ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", list(every_command(cli)), ids=" ".join)
def test_every_command_has_a_help(path: tuple[str, ...]) -> None:
    """It says what the command does, and knows --debug where something can fail."""
    result = CliRunner().invoke(cli, [*path, "--help"])
    assert result.exit_code == 0
    assert f"Usage: parley {' '.join(path)}" in result.output and len(result.output.splitlines()) > 5


def test_help_lists_every_command() -> None:
    """With a line for each."""
    output = CliRunner().invoke(cli, ["--help"]).output
    assert all(re.search(rf"^  {name} +\S.{{10}}", output, re.MULTILINE) for name in COMMANDS)


def test_help_and_completion_load_nothing_heavy(person: Person) -> None:
    """They answer at once, since no library of a platform, a model or the database is imported."""
    code = f"""
import sys
from bot.cli import cli
try:
    cli.main(["--help"])
except SystemExit:
    print([name for name in {HEAVY!r} if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], env=person.surroundings, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_can_complete(shell: str) -> None:
    """The script is for `parley`, and what it calls knows our commands."""
    script = CliRunner().invoke(cli, ["completion", shell]).output
    assert "_PARLEY_COMPLETE" in script and "parley" in script
    words = {"COMP_WORDS": "parley tran", "COMP_CWORD": "tran" if shell == "fish" else "1"}
    offered = CliRunner().invoke(cli, env={"_PARLEY_COMPLETE": f"{shell}_complete", **words}, prog_name="parley").output
    assert "transcribe" in offered and "worker" not in offered


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["bogus"], "No such command 'bogus'"),
        (["ask"], "there is nothing to ask"),
        (["ask", "   "], "there is nothing to ask"),
        (["models", "pull", "nope"], "there are no weights named 'nope'"),
        (["ask", "x", "--speak", "out.mp3"], "name the file out.ogg"),
        (["transcribe"], "Missing argument 'FILE...'"),
        (["transcribe", "x", "--format", "doc"], "'doc' is not one of"),
        (["models", "bogus"], "No such command 'bogus'"),
        (["--bogus"], "No such option"),
    ],
)
def test_wrong_usage_is_one_line(arguments: list[str], says: str) -> None:
    """Status 2, what is wrong, and where the right way stands."""
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == WRONG
    assert says in result.stderr and "--help shows how)" in result.stderr and len(result.stderr.splitlines()) == 1


def test_nothing_at_all_shows_the_help() -> None:
    """A bare `parley` is wrong usage, answered by the help."""
    result = CliRunner().invoke(cli, [])
    assert result.exit_code == WRONG and "Commands:" in result.stderr


# --- Adapters' own commands ------------------------------------------------------------------------------------------


@pytest.fixture
def tower(monkeypatch: pytest.MonkeyPatch) -> None:
    """A platform with commands of its own."""

    @click.command("ring")
    @click.option("--fail", type=click.Choice(["bot", "bug"]))
    def ring(fail: str | None) -> None:
        if fail == "bot":
            raise OverloadedError("The bell is busy.")
        if fail == "bug":
            raise RuntimeError("a crack")
        click.echo("dong")

    @click.command("bells")
    @click.pass_obj
    def bells(state: State) -> None:
        click.echo(" ".join(state.commands))

    plugin = replace(adapters.load("console"), commands=lambda: [ring, bells])
    load, names = adapters.load, adapters.names
    monkeypatch.setattr(adapters, "names", lambda: [*names(), "tower"])
    monkeypatch.setattr(adapters, "load", lambda name: plugin if name == "tower" else load(name))


@pytest.mark.usefixtures("tower")
def test_an_adapter_brings_commands_of_its_own() -> None:
    """`commands` of the folder `tower` become `parley tower …`; the State lends it what a Host has."""
    assert CliRunner().invoke(cli, ["tower", "ring"]).stdout == "dong\n"
    assert "imagine" in CliRunner().invoke(cli, ["tower", "bells"]).stdout.split()
    assert "  tower " in CliRunner().invoke(cli, ["--help"]).output


@pytest.mark.usefixtures("tower")
def test_failures_are_one_line_each() -> None:
    """Ours with its text; a fault of the program with its kind; a traceback for whoever asks for one."""
    known = CliRunner().invoke(cli, ["tower", "ring", "--fail", "bot"])
    assert (known.exit_code, known.stderr) == (FAILED, "parley: The bell is busy.\n")
    fault = CliRunner().invoke(cli, ["tower", "ring", "--fail", "bug"])
    assert fault.exit_code == FAILED
    assert fault.stderr == "parley: something went wrong: RuntimeError: a crack (--debug shows where)\n"
    debugged = CliRunner().invoke(cli, ["--debug", "tower", "ring", "--fail", "bug"])
    assert (
        debugged.exit_code == FAILED and TRACEBACK in debugged.stderr and 'RuntimeError("a crack")' in debugged.stderr
    )


def test_emulators_are_found_in_the_adapters_folders() -> None:
    """Each is started with the arguments behind its name, --help among them."""
    listed = CliRunner().invoke(cli, ["emulator", "--help"]).output
    for folder in sorted((ROOT / "adapters").glob("*/emulator/__main__.py")):
        name = folder.parts[-3]
        assert f"  {name} " in listed
        shown = subprocess.run(
            [sys.executable, "-m", "bot", "emulator", name, "--help"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert shown.returncode == 0 and "usage" in shown.stdout.lower()


# --- ask and chat ----------------------------------------------------------------------------------------------------


def test_ask_prints_the_answer_and_later_knows_it(person: Person) -> None:
    """Standard output holds the answer alone; the next process goes on in the same conversation."""
    first = person.runs("ask", "Hello **you**")
    assert (first.returncode, first.stdout, first.stderr) == (0, "You said: Hello **you**\n", "")
    second = person.runs("ask", "-", "--json", stdin="And now?\n")
    events = [json.loads(line) for line in second.stdout.splitlines()]
    assert events[-1]["reply"]["text"] == "You said: And now?\n\nMessages before: 2"


def test_ask_speaks_hears_and_draws(person: Person) -> None:
    """A spoken answer is written where it was asked to, another turn hears it, and pictures go to their folder."""
    spoken = person.runs("ask", "Good morning", "--speak", "out.ogg")
    assert spoken.returncode == 0, spoken.stderr
    assert (person.folder / "out.ogg").read_bytes()[:4] == b"OggS"
    heard = person.runs("ask", "What did I say?", "--attach", "out.ogg", "--conversation", "other")
    assert "I heard: You said: Good morning" in heard.stdout
    drawn = person.runs("ask", "/imagine a lighthouse", "--image-out", "pictures")
    (picture,) = (person.folder / "pictures").iterdir()
    assert drawn.stderr.endswith(f"Saved pictures/{picture.name}\n")


@pytest.mark.parametrize(
    ("arguments", "variables", "status", "says"),
    [
        (["ask", "[[fail credential]]"], {}, FAILED, "credential"),
        (["ask", "Hi", "--speak", "x.ogg"], {"SPEECH_MODEL": "none"}, FAILED, "SPEECH_MODEL"),
        (["ask", "Hi", "--attach", "none.png"], {}, WRONG, "none.png cannot be read: no such file"),
        (["ask", "/imagin it"], {}, WRONG, "Did you mean /imagine?"),
        (["ask", "Hi"], {"CHAT_MODEL": "gpt"}, WRONG, "CHAT_MODEL=gpt: write it as provider:model"),
        (
            ["ask", "Hi"],
            {"CHAT_MODEL": "local:/no.gguf"},
            WRONG,
            "local:/no.gguf",
        ),  # without the runtimes: how to get them
        (["ask", "Hi"], {"PARLEY_SECRET_KEY_FILE": "none"}, WRONG, "PARLEY_SECRET_KEY_FILE names none"),
        (["ask", "Hi"], {"PARLEY_SECRET_KEY": "x"}, WRONG, "parley secret-key"),
        (["ask", "Hi"], {"PARLEY_HOME": "/dev/null/home"}, WRONG, "set PARLEY_HOME"),
        (["all"], {"PORT": "many"}, WRONG, "PORT=many: write a whole number from 0 to 65535."),
        (["all"], {"PORT": "70000"}, WRONG, "PORT=70000: write a whole number from 0 to 65535."),
        (["worker"], {}, WRONG, "DATABASE_URL"),
        (["ask", "Hi"], {"DATABASE_URL": NO_SERVER}, WRONG, "DATABASE_URL: PostgreSQL at 127.0.0.1:1 did not answer: "),
        (["migrate"], {"DATABASE_URL": NO_SERVER}, WRONG, "DATABASE_URL: PostgreSQL at 127.0.0.1:1 did not answer: "),
    ],
)
def test_a_failure_says_what_to_do(
    person: Person, arguments: list[str], variables: dict[str, str], status: int, says: str
) -> None:
    """One line on standard error and the right status; no traceback, no answer."""
    done = person.runs(*arguments, **variables)
    assert done.returncode == status, done.stderr
    assert says in done.stderr and TRACEBACK not in done.stderr
    assert "hush" not in done.stdout + done.stderr


def test_a_database_that_refuses_us_is_named(person: Person, postgres_url: str) -> None:
    """The server is named and its reason, not the password."""
    wrong = make_url(postgres_url).set(username="nobody-here", password="hush", database="elsewhere")
    done = person.runs("ask", "Hi", DATABASE_URL=wrong.render_as_string(hide_password=False))
    assert done.returncode == WRONG, done.stderr
    assert done.stderr.startswith("parley: DATABASE_URL: PostgreSQL at ") and "nobody-here" in done.stderr
    assert "hush" not in done.stderr


def test_a_taken_port_is_told_before_anything_begins(person: Person) -> None:
    """A second start ends at once with the setting to change, and has not made so much as a database."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        done = person.runs("all", PORT=str(other.getsockname()[1]))
    assert done.returncode == WRONG
    assert re.match(r"parley: PORT: another program is listening on 127\.0\.0\.1:\d+;", done.stderr), done.stderr
    assert not Path(person.surroundings["PARLEY_HOME"]).exists()


async def test_ctrl_c_stops_the_answer_quietly(person: Person) -> None:
    """What had come stays in the conversation; nothing is complained about."""
    async with person.starts("ask", "[[slow 0.1]] [[long 900]]", "--json") as process:
        assert process.stdout is not None
        await process.stdout.readline()
        process.send_signal(signal.SIGINT)
        out, err = await asyncio.wait_for(process.communicate(), 20)
    assert (process.returncode, err) == (INTERRUPTED, b"")
    assert json.loads(out.splitlines()[-1])["reply"]["stopped"]


def test_chat_without_a_terminal_reads_a_message_a_line(person: Person) -> None:
    """The answers in order; the status says whether all could be answered."""
    done = person.runs("chat", stdin="One\n/new elsewhere\nTwo\n")
    assert (done.returncode, done.stdout) == (0, "You said: One\nYou said: Two\n")
    failed = person.runs("chat", stdin="/bogus\nStill here\n")
    assert failed.returncode == FAILED and "Still here" in failed.stdout


# --- transcribe ------------------------------------------------------------------------------------------------------


def test_transcribe_does_what_it_can(person: Person) -> None:
    """One bad file among several is complained about by name; the others are written; nothing is kept."""
    person.runs("ask", "Good morning", "--speak", "good.ogg", "--conversation", "a")
    (person.folder / "bad.ogg").write_bytes(b"OggS" + bytes(200))
    done = person.runs("transcribe", "bad.ogg", "none.ogg", "good.ogg", "--format", "srt", "--out", "subtitles")
    assert done.returncode == FAILED
    complaints = [line for line in done.stderr.splitlines() if line.startswith("parley: ")]
    assert len(complaints) == 2 and "none.ogg cannot be read: no such file" in complaints[0]
    assert "bad.ogg" in complaints[1] and done.stderr.count("Listening to bad.ogg") == 1
    written = (person.folder / "subtitles" / "good.ogg.srt").read_text()
    assert written.startswith("1\n00:00:00,000 --> 00:00:0") and "Good morning" in written
    found = person.runs("ask", "/search Good", "--conversation", "b")
    assert "transcribe" not in found.stdout


def test_transcribe_of_nothing_at_all_is_wrong_usage(person: Person) -> None:
    """A file that is not there is told before anything is started, with the status of wrong usage."""
    done = person.runs("transcribe", "none.ogg")
    assert (done.returncode, done.stdout) == (WRONG, "")
    assert done.stderr == "parley: none.ogg cannot be read: no such file or directory.\n"
    assert not Path(person.surroundings["PARLEY_HOME"]).exists()


def test_transcribe_says_that_nothing_was_said(person: Person) -> None:
    """Silence is no failure; standard output stays empty and standard error says why."""
    (person.folder / "quiet.wav").write_bytes(audio.to_wav(np.zeros(32_000, np.int16), 16_000))
    done = person.runs("transcribe", "quiet.wav")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "Listening to quiet.wav…\nI heard no speech in quiet.wav.\n"


HEARD = Audio(
    Blob("0" * 64, "audio/ogg", 1),
    transcript=" Hi & bye. ",
    language="en",
    duration_s=3_661.5,
    segments=(Segment(0, 1.25, " Hi <b>"), Segment(3_600, 3_661.5, "bye. ", "Ann")),
)


def test_subtitles_have_the_formats_that_players_read() -> None:
    """SubRip with commas and numbers, WebVTT with points, escapes and voices."""
    assert transcripts.written(HEARD, "a", "srt") == (
        "1\n00:00:00,000 --> 00:00:01,250\nHi <b>\n\n2\n01:00:00,000 --> 01:01:01,500\nAnn: bye.\n"
    )
    assert transcripts.written(HEARD, "a", "vtt") == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.250\nHi &lt;b>\n\n01:00:00.000 --> 01:01:01.500\n<v Ann>bye.\n"
    )


def test_transcripts_are_plain_or_json() -> None:
    """The text alone, or one object on one line."""
    assert transcripts.written(HEARD, "a", "text") == "Hi & bye."
    line = transcripts.written(HEARD, "a.ogg", "json")
    assert "\n" not in line and json.loads(line)["segments"][1]["speaker"] == "Ann"
    assert json.loads(line)["file"] == "a.ogg"


def test_a_transcript_without_times_is_one_subtitle() -> None:
    """From the beginning to the end; silence gives none."""
    timeless = Audio(HEARD.blob, transcript="All of it", duration_s=2)
    assert "00:00:00.000 --> 00:00:02.000\nAll of it" in transcripts.written(timeless, "a", "vtt")
    assert transcripts.written(Audio(HEARD.blob, duration_s=2), "a", "srt") == ""


# --- The rest --------------------------------------------------------------------------------------------------------


async def test_all_shows_what_is_on_serves_and_stops(person: Person) -> None:
    """A table with the setting that brings what is off, the address, health; SIGTERM ends it within 5 s with status 0."""
    async with person.starts("all", IMAGE_MODEL="none") as process:
        assert process.stdout is not None
        told = ""
        while "http://" not in told:
            line = await asyncio.wait_for(process.stdout.readline(), 30)
            assert line, told
            told += line.decode()
        url = re.findall(r"http://\S+", told)[0]
        assert re.search(rf"^playground +on +on at {url}", told, re.MULTILINE)
        assert re.search(r"^image +off +.*IMAGE_MODEL", told, re.MULTILINE)
        assert re.search(r"^chat +on +echo:echo", told, re.MULTILINE)
        async with aiohttp.ClientSession() as session, session.get(f"{url}/healthz") as answer:
            assert answer.status == 200
        process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.communicate(), 5)
    assert process.returncode == 0


def test_doctor_tells_programs_too(person: Person) -> None:
    """Findings as JSON, each with the setting that changes it; for a person, a table."""
    done = person.runs("doctor", "--json")
    findings = json.loads(done.stdout)
    assert done.returncode == 0 and {"subject", "level", "text", "setting"} == set(findings[0])
    assert any(one["subject"] == "chat" and one["text"].startswith("echo:echo ") for one in findings)
    broken = person.runs("doctor", CHAT_MODEL="echo:bogus")
    assert re.search(r"^chat +.*bogus.* CHAT_MODEL", broken.stdout, re.MULTILINE)


def test_doctor_counts_one_fault_once(person: Person) -> None:
    """Each part has one row, though it is looked at from here and from outside."""
    done = person.runs("doctor", "--json", CHAT_MODEL="echo:bogus")
    findings = json.loads(done.stdout)
    subjects = [one["subject"] for one in findings]
    assert len(subjects) == len(set(subjects)) and "playground" in subjects
    assert [one["subject"] for one in findings if one["level"] == "error"] == ["chat"]
    assert "1 broken, 0 to look at" in person.runs("doctor", CHAT_MODEL="echo:bogus").stdout


def test_migrate_can_be_repeated(person: Person) -> None:
    """It says where the database is."""
    first, second = person.runs("migrate"), person.runs("migrate")
    assert first.returncode == second.returncode == 0
    assert first.stdout == second.stdout and "revision" in first.stdout


def test_models_are_listed_with_their_licences(person: Person) -> None:
    """What is not here can be pulled."""
    listed = person.runs("models", "list").stdout
    assert re.search(r"whisper-base +transcribe +148 MB +no: models pull +MIT", listed)


def test_a_new_secret_key_seals(person: Person) -> None:
    """What is printed is a key as PARLEY_SECRET_KEY wants it, another each time."""
    first, second = (CliRunner().invoke(cli, ["secret-key"]).stdout.strip() for _ in range(2))
    seal = Seal(f"{second},{first}")
    assert seal.open(Seal(first).close({"a": "b"})) == {"a": "b"} and first != second
