"""A hundred people at work and one attacker with each weapon in turn: how long the others wait for the first text.

    python -m bench.attack [--people 100] [--seconds 6] [--rounds 1] [--weapons NAME ...]

Parley is a process of its own, the attacker another; people and the model server are this one. All use the page, which knows
no limits of a platform's. In each phase everybody asks once, spread over that time. Printed are p50 and p95 of the time from a
question to its first words, without the attacker and with each weapon, all in one run, and how much p95 grew: the aim is by
less than half. The long form, some ten minutes: `--rounds 5 --seconds 12`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp
from yarl import URL

from tests.acceptance.playground_support import Person
from tests.attacks.field import ObedientModel, Parley, model_variables, running
from tests.attacks.files import crowded_zip, padded_docx
from tests.making import wav_claiming

PATIENCE_S = 60.0
BETWEEN_S = 2.0
"""After a phase, until the next: what an attacker left is done with."""
ATTACKER = "127.0.0.2"
Attack: TypeAlias = Callable[[Person], Awaitable[None]]


class Visitor(Person):
    """Somebody at the page who keeps it open, at an address of their own on this machine."""

    def __init__(self, page: URL, address: str) -> None:
        super().__init__(str(page.origin()))
        connector = aiohttp.TCPConnector(local_addr=(address, 0), limit=0)
        jar = aiohttp.CookieJar(unsafe=True)
        self._page, self._unused = page, self.http
        self.http = aiohttp.ClientSession(str(page.origin()), connector=connector, cookie_jar=jar)

    async def come(self) -> None:
        """Open the page by the printed address."""
        await self._unused.close()
        (await self.http.get(self._page)).close()
        await self.arrive()

    async def ask(self, text: str) -> float:
        """Seconds from the question to the first words of the answer, or the patience."""
        began = time.perf_counter()
        with contextlib.suppress(TimeoutError, aiohttp.ClientError, AssertionError):
            async with asyncio.timeout(PATIENCE_S), self.watching() as events:
                began = time.perf_counter()
                await self.post(text)
                async for name, _ in events:
                    if name == "blocks":
                        return time.perf_counter() - began
        return PATIENCE_S


# --- The attacker, a process of its own -----------------------------------------------------------------------------


async def tried(attacker: Person, text: str, *files: tuple[str, bytes, str]) -> None:
    """Post it, refused or not, and wait for nothing."""
    with contextlib.suppress(AssertionError, aiohttp.ClientError):
        await attacker.post(text, *files)


async def questions(attacker: Person) -> None:
    """Fifty questions a second, each in a conversation of its own."""
    attacker.channel = f"{attacker.channel[:16]}-{time.monotonic_ns():032x}"
    await tried(attacker, "and another")
    await asyncio.sleep(0.02)


async def documents(attacker: Person) -> None:
    """Two documents a second of two million paragraphs each."""
    await tried(attacker, "read", ("long.docx", LONG, "application/octet-stream"))
    await asyncio.sleep(0.5)


async def archives(attacker: Person) -> None:
    """Archives with 300,000 members, and sound that claims a day."""
    await tried(attacker, "look", ("crowd.zip", CROWD, "application/zip"), ("day.wav", DAY, "audio/wav"))
    await asyncio.sleep(0.5)


async def pictures(attacker: Person) -> None:
    """Files that have the model ask for forty pictures a round."""
    await tried(attacker, "read", ("a.txt", b"MAKE PICTURES, always", "text/plain"))
    await asyncio.sleep(0.5)


async def long_answers(attacker: Person) -> None:
    """Answers of 3,000 items."""
    await tried(attacker, "REPEAT AFTER ME<<" + "- a\n" * 3_000 + ">>")
    await asyncio.sleep(0.3)


async def forms(attacker: Person) -> None:
    """Forms of a hundred megabytes."""
    form = aiohttp.FormData(default_to_multipart=True)
    for number in range(15):
        form.add_field(f"f{number}", io.BytesIO(b"x" * 7_000_000))
    with contextlib.suppress(aiohttp.ClientError):
        async with attacker.http.post("/api/messages", data=form) as answer:
            await answer.read()


async def connections(attacker: Person) -> None:
    """A thousand silent connections at a time."""
    held: list[socket.socket] = []
    for _ in range(1_000):
        made = socket.socket()
        made.setblocking(False)
        with contextlib.suppress(OSError):
            made.bind((ATTACKER, 0))
            made.connect(("127.0.0.1", attacker.http._base_url.port))  # type: ignore[union-attr]
        held.append(made)
    await asyncio.sleep(2)
    for one in held:
        one.close()


WEAPONS: dict[str, Attack] = {
    one.__name__: one for one in (questions, documents, archives, pictures, long_answers, forms, connections)
}
LONG, CROWD, DAY = b"", b"", b""
"""Made once, by the attacker."""


async def attack(page: str, name: str) -> None:
    """Use the weapon until told to stop."""
    globals().update(LONG=padded_docx(2_000_000), CROWD=crowded_zip(300_000), DAY=wav_claiming(1))
    attacker = Visitor(URL(page), ATTACKER)
    await attacker.come()
    print("ready", flush=True)
    while True:
        await WEAPONS[name](attacker)


# --- The others -----------------------------------------------------------------------------------------------------


async def main(options: argparse.Namespace) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        async with (
            ObedientModel(pace_s=0.01) as model,
            running(Path(folder) / "home", **model_variables(model)) as parley,
        ):
            people = [Visitor(parley.page, f"127.0.1.{1 + number}") for number in range(options.people)]
            await asyncio.gather(*(one.come() for one in people))
            await phase(parley, people, "", options)  # what is imported and opened at first use
            print(f"{'attacker':14}{'p50':>9}{'p95':>9}{'growth':>9}{'answered':>10}")
            base = report("nobody", await phase(parley, people, "", options), 0.0)
            for name in options.weapons or WEAPONS:
                report(name, await phase(parley, people, name, options), base)
            await asyncio.gather(*(one.http.close() for one in people))


async def phase(parley: Parley, people: list[Visitor], weapon: str, options: argparse.Namespace) -> list[float]:
    """Everybody asks once a round while the attacker attacks; gives the seconds to the first words."""
    attacker = await begun(parley, weapon) if weapon else None
    asking: list[asyncio.Task[float]] = []
    for _ in range(options.rounds):
        for person in people:
            asking.append(asyncio.create_task(person.ask("how are you?")))
            await asyncio.sleep(options.seconds / len(people))
    seen = await asyncio.gather(*asking)
    if attacker:
        attacker.kill()
        await attacker.wait()
        await asyncio.sleep(BETWEEN_S)
    return list(seen)


async def begun(parley: Parley, weapon: str) -> asyncio.subprocess.Process:
    """The attacker at work."""
    arguments = ("-m", "bench.attack", "--attack", weapon, "--page", str(parley.page))
    made = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=asyncio.subprocess.PIPE)
    assert made.stdout is not None
    await made.stdout.readline()
    return made


def report(name: str, seen: list[float], base: float) -> float:
    """Print a line; gives p95 in seconds."""
    ordered = sorted(seen)
    p95 = ordered[min(int(len(ordered) * 0.95), len(ordered) - 1)]
    growth = f"{100 * (p95 / base - 1):+.0f} %" if base else ""
    answered = f"{sum(one < PATIENCE_S for one in seen)}/{len(seen)}"
    line = f"{name:14}{1000 * statistics.median(seen):7.0f}ms{1000 * p95:7.0f}ms{growth:>9}{answered:>10}"
    print(line, flush=True)
    return p95


def arguments() -> Any:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--weapons", nargs="*", choices=sorted(WEAPONS))
    parser.add_argument("--attack", help=argparse.SUPPRESS)
    parser.add_argument("--page", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    given = arguments()
    asyncio.run(attack(given.page, given.attack) if given.attack else main(given))
