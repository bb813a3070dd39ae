"""What platforms share: background tasks, replies under way, names of uploads, windows of calls."""

from __future__ import annotations

import asyncio
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.shared.live import LiveReplies, LiveText
from adapters.shared.pacing import SlidingWindow
from adapters.shared.rights import RightsCache
from adapters.shared.tasks import TaskSet, cancel
from adapters.shared.uploads import code_extension, extension_of, upload_name
from bot.errors import PlatformError
from bot.store.bus import MemoryBus
from bot.types import Address, Audio, Blob, Done, File, Image, Receipt, Reply, Status, TextDelta, TextReset
from tests.fakes import FakeClock

LOG = logging.getLogger("tests.shared")


class Rights:
    """A platform whose answers are counted; it answers when the test lets it."""

    def __init__(self) -> None:
        self.asked = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def ask(self) -> int:
        """How often it was asked."""
        self.asked += 1
        count = self.asked
        await self.may_answer.wait()
        return count


async def test_rights_are_kept_for_a_minute_at_most() -> None:
    """The platform is asked once a minute for each key."""
    clock, rights = FakeClock(), Rights()
    cache = RightsCache[int](MemoryBus(), clock, "test")
    assert [await cache.get(("W", "ann"), rights.ask) for _ in range(3)] == [1, 1, 1]
    assert await cache.get(("W", "ben"), rights.ask) == 2
    await clock.sleep(59)
    assert await cache.get(("W", "ann"), rights.ask) == 1
    await clock.sleep(1)
    assert await cache.get(("W", "ann"), rights.ask) == 3


async def test_rights_that_changed_are_asked_for_anew_in_every_process() -> None:
    """A change that one process hears of reaches the others; keys that it does not concern stay."""
    bus, rights = MemoryBus(), Rights()
    here, there = (RightsCache[int](bus, FakeClock(), "test") for _ in range(2))
    listening = asyncio.create_task(there.listen())
    await asyncio.sleep(0)  # it subscribes
    for key in (("W", "C1", "ann"), ("W", "C2", "ann")):
        await there.get(key, rights.ask)
    await here.drop("W", "C1")
    while await there.get(("W", "C1", "ann"), rights.ask) == 1:
        await asyncio.sleep(0)
    assert await there.get(("W", "C2", "ann"), rights.ask) == 2
    await cancel(listening)


async def test_an_answer_that_a_change_overtook_is_not_kept() -> None:
    """What the platform said before somebody left is not remembered after it."""
    cache, rights = RightsCache[int](MemoryBus(), FakeClock(), "test"), Rights()
    rights.may_answer.clear()
    asking = asyncio.create_task(cache.get(("W", "ann"), rights.ask))
    await asyncio.sleep(0)
    await cache.drop("W")
    rights.may_answer.set()
    assert await asking == 1
    assert await cache.get(("W", "ann"), rights.ask) == 2


async def test_work_that_fails_is_logged_and_disturbs_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """A failure of the platform is a line; a fault of ours comes with its traceback; what succeeds says nothing."""
    tasks, done = TaskSet(LOG, "Platform"), asyncio.Event()

    async def fail(error: Exception) -> None:
        raise error

    async def succeed() -> None:
        done.set()

    for work in (fail(PlatformError("It is closed.", detail="code 7")), fail(KeyError("x")), succeed()):
        tasks.spawn(work)
    await tasks.close(1.0)
    assert done.is_set()
    refused, fault = sorted(caplog.records, key=lambda record: record.levelno)
    assert refused.getMessage() == "Platform: It is closed. code 7" and not refused.exc_info
    assert fault.exc_info and fault.levelno == logging.ERROR


async def test_closing_waits_a_moment_and_ends_the_rest() -> None:
    """What ends in time is done; what does not is cancelled, and has ended when `close` returns."""
    tasks, ended = TaskSet(LOG, "Platform"), list[str]()

    async def work(name: str, wait: asyncio.Future[None] | None) -> None:
        try:
            await (wait or asyncio.sleep(0))
            ended.append(f"{name} done")
        finally:
            ended.append(f"{name} over")

    never = asyncio.get_running_loop().create_future()
    tasks.spawn(work("short", None))
    tasks.spawn(work("endless", never))
    await tasks.close(0.05)
    assert sorted(ended) == ["endless over", "short done", "short over"]
    await tasks.close()


async def test_cancelling_takes_what_there_is() -> None:
    """None is skipped; a task that fails while it is cancelled fails in silence."""

    async def stubborn() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise KeyError("x")

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    await cancel(None, task)
    assert task.done()


def test_events_add_up_to_what_should_be_shown() -> None:
    """Words take the status away; a reset is counted once something is void; only a change asks for a paint."""
    live = LiveText(status="Thinking…")
    assert live.take(TextDelta("a")) and live.take(TextDelta("b")) and (live.text, live.status) == ("ab", "")
    assert not live.take(Done(Reply())) and not live.take(TextDelta(""))
    assert live.take(TextReset()) and (live.text, live.resets) == ("", 1)
    assert not live.take(TextReset()) and live.resets == 1
    assert live.take(Status("Drawing…")) and not live.take(Status("Drawing…"))


def test_a_reply_is_under_way_until_it_is_finished() -> None:
    """Then its receipt is remembered, until it is begun again or too many came after it."""
    replies = LiveReplies[str](max_finished=2)
    here = Address("test", "w", "c")
    assert replies.start("1", "state") == replies.get("1") == "state" and len(replies) == 1
    receipt = replies.finish(Receipt(here, "1", ("m1",)))
    assert replies.finished("1") == receipt and replies.get("1") is None and not replies.values()
    replies.start("1", "again")
    assert replies.finished("1") is None
    for turn in ("1", "2", "3"):
        replies.finish(Receipt(here, turn))
    assert [bool(replies.finished(turn)) for turn in ("1", "2", "3")] == [False, True, True]


def test_a_process_knows_the_replies_it_opened() -> None:
    """Those of another one, or of itself before a restart, it has to look for."""
    ours, theirs = LiveReplies[str](), LiveReplies[str]()
    receipt = Receipt(Address("test", "w", "c"), "1", (), {"boot": ours.boot})
    assert ours.opened_here(receipt) and not theirs.opened_here(receipt)


def test_an_upload_has_the_same_name_each_time() -> None:
    """A document keeps its own; a picture and a clip are named after their content and type."""
    blob = Blob("0123456789abcdef", "image/jpeg", 3)
    assert upload_name(Image(blob)) == "picture-01234567.jpg"
    assert upload_name(Audio(Blob("0123456789abcdef", "audio/mpeg", 3))) == "answer-01234567.mp3"
    assert upload_name(File(blob, "plan.pdf")) == "plan.pdf" and upload_name(File(blob)) == "file-01234567.jpg"


@pytest.mark.parametrize(
    ("mime_type", "extension"),
    [
        ("image/png", "png"),
        ("image/svg+xml", "svg"),
        ("audio/ogg; codecs=opus", "ogg"),
        ("application/vnd.openxmlformats-officedocument", "bin"),
        ("application/../../x", "x"),
        ("", "bin"),
    ],
)
def test_a_type_gives_a_short_plain_extension(mime_type: str, extension: str) -> None:
    """Nothing that a type says gets further into a file's name than letters and digits."""
    assert extension_of(mime_type) == extension


def test_code_gets_its_language_s_extension() -> None:
    """A language that is no plain word becomes a text file."""
    assert [code_extension(one) for one in ("Python", "go", "c++", "", "a/b", "objective-c")] == [
        "py", "go", "cpp", "txt", "txt", "txt",
    ]  # fmt: skip


@given(st.lists(st.floats(0, 3), min_size=1, max_size=80), st.integers(1, 5))
def test_no_period_has_more_calls_than_its_limit(pauses: list[float], limit: int) -> None:
    """Whoever waits as long as they are told keeps every window within the limit, and waits no longer than needed."""
    window, now, sent = SlidingWindow(10.0), 0.0, list[float]()
    for pause in pauses:
        now += pause
        while wait := window.wait_s(now, limit):
            assert len([at for at in sent if at > now - 10.0]) >= limit
            now += wait
        window.count(now)
        sent.append(now)
    for at in sent:
        assert sum(at <= other < at + 9.999 for other in sent) <= limit


def test_a_limit_of_none_lets_nothing_go() -> None:
    """Where all is kept for others, one asks again in a moment."""
    assert SlidingWindow(60.0).wait_s(0.0, 0) == 1.0 and SlidingWindow(0.5).wait_s(0.0, -1) == 0.5
