"""The way out: an answer that is written down is shown when its platform is back, once, in order, and never paid again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import update

from bot.app import App
from bot.engine.deliveries import CLAIM
from bot.engine.turns_running import TurnsRunning
from bot.errors import OutageError, PlatformError
from bot.store import deliveries, schema, turns
from bot.types import Address, Deletion, InboundMessage, Receipt, Reply, ReplyEvent
from tests.conftest import MakeApp
from tests.fakes import HERE, FakeAdapter, FakeClock, Shown, ended
from tests.support import rows

AWAY = OutageError("The platform cannot be reached.", detail="503")
GONE = PlatformError("The channel is gone.")


class Flaky(FakeAdapter):
    """A platform that fails as it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.failure: PlatformError | None = None
        self.never = ""
        """Words of an answer that it never takes."""
        self.tried = 0
        self.shown: list[str] = []
        """The final texts in the order in which they were shown."""

    async def open(self, turn: object) -> Receipt:
        """Not while it is away."""
        self.tried += 1
        if self.failure:
            raise self.failure
        return await super().open(turn)  # type: ignore[arg-type]

    async def stream(self, receipt: Receipt, events: AsyncIterator[ReplyEvent]) -> None:
        """Not while it is away."""
        if self.failure:
            raise self.failure
        await super().stream(receipt, events)

    async def finish(self, receipt: Receipt, reply: Reply) -> Receipt:
        """Not while it is away."""
        self.tried += 1
        if self.failure or (self.never and self.never in reply.text):
            raise self.failure or AWAY
        self.shown.append(reply.text)
        return await super().finish(receipt, reply)


@pytest.fixture
def platform() -> Flaky:
    """A platform that can be away."""
    return Flaky()


async def asked_while_away(
    app: App, platform: Flaky, text: str, failure: PlatformError = AWAY, at: Address = HERE
) -> InboundMessage:
    """A question whose answer begins, and cannot be finished."""
    message, opened = platform.says(text, address=at), len(platform.opened)
    accepted = await app.accept(message)
    while len(platform.opened) == opened:
        await asyncio.sleep(0)
    platform.failure = failure
    await ended(app, accepted.turn_id)
    return message


async def come_back(app: App, platform: Flaky, clock: FakeClock) -> None:
    """The platform is back, and it is time to try again."""
    platform.failure = None
    clock.at += timedelta(seconds=61)
    await app.runtime.deliveries.show_due(app.runtime)


async def test_an_answer_waits_for_its_platform(
    make_app: MakeApp, platform: Flaky, clock: FakeClock, store_url: str
) -> None:
    """Away for however long: the turn has ended, its answer is history, and it is shown once when the platform is back."""
    async with make_app(database_url=store_url) as app:
        await asked_while_away(app, platform, "first")
        for _ in range(3):
            clock.at += timedelta(hours=1)
            await app.runtime.deliveries.show_due(app.runtime)
        assert platform.shown == []
        await come_back(app, platform, clock)
        await app.runtime.deliveries.show_due(app.runtime)
        assert platform.shown == ["You said: first"]
        assert await rows(app, schema.deliveries) == []
        [call] = await rows(app, schema.calls)
        [turn] = await rows(app, schema.turns)
    assert (call.state, turn.state, turn.error) == ("settled", "done", "")


async def test_the_next_answer_does_not_stand_above_it(app: App, platform: Flaky, clock: FakeClock) -> None:
    """A question asked when the platform is back, before anybody tried again, is answered below the answer that waits."""
    await asked_while_away(app, platform, "first")
    platform.failure = None
    accepted = await app.accept(platform.says("second"))
    await ended(app, accepted.turn_id)
    assert [text.splitlines()[0] for text in platform.shown] == ["You said: first", "You said: second"]


async def test_it_waits_over_a_restart(make_app: MakeApp, platform: Flaky, clock: FakeClock, store_url: str) -> None:
    """What waits is in the database: another process shows it, and asks no model."""
    async with make_app(database_url=store_url) as app:
        await asked_while_away(app, platform, "first")
    platform.failure = None
    async with make_app(database_url=store_url) as app:
        await come_back(app, platform, clock)
        assert platform.shown == ["You said: first"]
        assert len(await rows(app, schema.calls)) == 1


async def test_what_nobody_waits_for_is_not_shown_late(app: App, platform: Flaky, clock: FakeClock) -> None:
    """A question that was deleted meanwhile has no answer to show."""
    message = await asked_while_away(app, platform, "first")
    await app.accept(Deletion("X", message.message_id, message.address, message.author))
    await come_back(app, platform, clock)
    assert platform.shown == [] and await rows(app, schema.deliveries) == []


async def test_what_waiting_does_not_mend_is_not_waited_for(app: App, platform: Flaky, clock: FakeClock) -> None:
    """A platform that refuses ends the wait, at once or later; the turn says so."""
    await asked_while_away(app, platform, "first", GONE)
    assert await rows(app, schema.deliveries) == []
    [turn] = await rows(app, schema.turns)
    assert turn.error == "platform"
    platform.failure = None
    await asked_while_away(app, platform, "second")
    platform.failure = GONE
    clock.at += timedelta(seconds=61)
    await app.runtime.deliveries.show_due(app.runtime)
    assert await rows(app, schema.deliveries) == []


async def test_those_behind_it_do_not_try_in_vain(app: App, platform: Flaky, clock: FakeClock) -> None:
    """Of ten answers that wait for one platform, one finds out whether it is back; its pauses grow to a minute."""
    for number in range(3):
        platform.failure = None
        await asked_while_away(app, platform, f"question {number}")
    clock.at += timedelta(seconds=61)
    before = platform.tried
    await app.runtime.deliveries.show_due(app.runtime)
    assert platform.tried == before + 1
    await app.runtime.deliveries.show_due(app.runtime)
    assert platform.tried == before + 1
    await come_back(app, platform, clock)
    assert [text.splitlines()[0] for text in platform.shown] == [f"You said: question {number}" for number in range(3)]


async def test_an_answer_that_is_never_taken_holds_up_no_other(app: App, platform: Flaky, clock: FakeClock) -> None:
    """A file that the platform never takes looks like an outage: the answers of other conversations are shown all the same."""
    await asked_while_away(app, platform, "never")
    platform.failure = None
    await asked_while_away(app, platform, "other", at=Address("fake", "W1", "D-other"))
    platform.failure, platform.never = None, "never"
    for _ in range(3):
        clock.at += timedelta(seconds=61)
        await app.runtime.deliveries.show_due(app.runtime)
    assert platform.shown == ["You said: other"]
    assert len(await rows(app, schema.deliveries)) == 1


async def test_what_another_process_shows_is_left_to_it(app: App, platform: Flaky, clock: FakeClock) -> None:
    """A claim holds for two minutes, also against a question of the same conversation; a process that dies loses it."""
    await asked_while_away(app, platform, "first")
    [waiting] = await deliveries.list_deliveries(app.store)
    assert await deliveries.claim(app.store, waiting, clock.now() + CLAIM)
    assert not await deliveries.claim(app.store, waiting, clock.now() + CLAIM)
    platform.failure = None
    accepted = await app.accept(platform.says("second"))
    await ended(app, accepted.turn_id)
    assert [text.splitlines()[0] for text in platform.shown] == ["You said: second"]
    clock.at += CLAIM
    await app.runtime.deliveries.show_due(app.runtime)
    assert platform.shown[-1] == "You said: first"


async def test_a_question_waits_for_its_sign_of_life(app: App, platform: Flaky) -> None:
    """Nothing can be shown at all: the question is not lost, nor paid, and answered when the platform is back."""
    platform.failure = AWAY
    accepted = await app.accept(platform.says("hello"))
    while platform.tried < 20:
        await asyncio.sleep(0)
    platform.failure = None
    shown: Shown = await platform.answered(accepted.turn_id)
    assert shown.text == "You said: hello"


# --- turns that end their process ---


async def interrupted(app: App, times: int) -> None:
    """A turn that was under way each time when the process died."""
    async with app.store.connect(write=True) as connection:
        await connection.execute(update(schema.turns).values(state="running", interruptions=times - 1, ended_at=None))


async def test_a_turn_that_keeps_ending_its_process_is_given_up(
    make_app: MakeApp, platform: Flaky, store_url: str
) -> None:
    """After five interruptions the person is told, once, and no model is asked any more."""
    async with make_app(database_url=store_url) as app:
        accepted = await app.accept(platform.says("hello"))
        await ended(app, accepted.turn_id)
        await interrupted(app, 5)
    async with make_app(database_url=store_url) as app:
        await ended(app, accepted.turn_id)
        [turn] = await rows(app, schema.turns)
        assert turn.error == "failed" and platform.shown[-1].startswith("I tried to answer this several times")
        assert len(await rows(app, schema.calls)) == 1


async def test_an_interrupted_turn_is_tried_again(make_app: MakeApp, platform: Flaky) -> None:
    """Up to four times it is answered as if nothing had been."""
    async with make_app() as app:
        accepted = await app.accept(platform.says("hello"))
        await ended(app, accepted.turn_id)
        await interrupted(app, 4)
    async with make_app() as app:
        await ended(app, accepted.turn_id)
        assert platform.shown == ["You said: hello"] * 2


async def test_a_suspect_waits_until_no_other_turn_runs() -> None:
    """It may take others down with it: so it begins when they have ended, one suspect at a time."""
    running, order, others_end = TurnsRunning(), list[str](), asyncio.Event()

    async def other() -> None:
        async with running.joined():
            await others_end.wait()
            order.append("other")

    async def suspect(name: str) -> None:
        async with running.joined(is_suspect=True):
            order.append(f"{name} begins")
            await asyncio.sleep(0)
            order.append(f"{name} ends")

    work = [asyncio.create_task(one) for one in (other(), suspect("a"), suspect("b"))]
    for _ in range(5):
        await asyncio.sleep(0)
    assert order == []
    others_end.set()
    await asyncio.gather(*work)
    assert order == ["other", "a begins", "a ends", "b begins", "b ends"]


async def test_a_suspect_does_not_wait_for_ever() -> None:
    """On a busy day others always run: after a while it begins all the same."""
    running, begun = TurnsRunning(quiet_s=0.01), False
    async with running.joined(), asyncio.timeout(5), running.joined(is_suspect=True):
        begun = True
    assert begun


async def test_interruptions_are_counted(app: App, platform: Flaky) -> None:
    """Each restart that finds a turn under way counts one."""
    accepted = await app.accept(platform.says("hello"))
    await ended(app, accepted.turn_id)
    async with app.store.begin(1) as tx:
        assert [await turns.count_interruption(tx, accepted.turn_id) for _ in range(2)] == [1, 2]
