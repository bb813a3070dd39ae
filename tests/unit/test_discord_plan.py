"""How an answer at Discord grows and ends, by tables: events and results in, the next action out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.discord.reply.plan import (
    Action,
    Delete,
    Draft,
    Edit,
    Ending,
    Phase,
    Plan,
    Post,
    PostVoice,
    Wait,
)
from bot.types import Done, PartReady, Reply, ReplyEvent, Status, Text, TextDelta, TextReset

START_S, RETRY_S = 1.0, 5.0
STOP = Draft("hello", "stop")


def plan_of(**values: Any) -> Plan:
    """The plan of an answer that begins at second 0."""
    return Plan(START_S, RETRY_S, **{"has_stop": True, **values})


def take(plan: Plan, *events: ReplyEvent, now: float = 0.0) -> Plan:
    """The plan after these events."""
    for event in events:
        plan.on_event(event, now)
    return plan


def carry_out(plan: Plan, now: float = 100.0, first_id: int = 1) -> list[Action]:
    """Do all that the plan wants, with every write a success; gives what was done."""
    done: list[Action] = []
    while (action := plan.next_action(now)) is not None:
        done.append(action)
        match action:
            case Post():
                plan.on_posted(action, f"m{first_id}")
                first_id += 1
            case Edit():
                plan.on_edited(action)
            case Delete():
                plan.on_deleted(action)
            case PostVoice():
                plan.on_voice("voice")
            case Wait(until):
                now = until
        assert len(done) < 100
    return done


# --- While it grows --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "now", "expected"),
    [
        ((), 0.0, None),
        ((Status("Reading"),), 0.0, Post(0, Draft("-# Reading", "stop"))),
        ((TextDelta("hello"),), 0.0, Wait(START_S)),
        ((TextDelta("hello"),), START_S, Post(0, STOP)),
        ((Status("Reading"), TextDelta("hello")), START_S, Post(0, STOP)),
        ((TextDelta("gone"), TextReset()), START_S, None),
        ((TextDelta("gone"), TextReset(), TextDelta("hello")), START_S, Post(0, STOP)),
        ((TextDelta("  \n"),), START_S, None),
        ((Done(Reply()), PartReady(Text("hello"))), START_S, None),
    ],
)
def test_what_comes_first(events: tuple[ReplyEvent, ...], now: float, expected: Action | None) -> None:
    """A status is shown at once, text after a moment: an answer that is whole by then is posted whole."""
    assert take(plan_of(), *events).next_action(now) == expected


def test_each_result_leads_to_the_next_write() -> None:
    """Posted, it rests; with more words it is edited; the words of the moment count, not those of when it was asked."""
    plan = take(plan_of(), TextDelta("hel"))
    post = plan.next_action(START_S)
    assert isinstance(post, Post)
    take(plan, TextDelta("lo"))
    newest = plan.write_of(post.part)
    assert newest == Post(0, STOP)
    plan.on_posted(newest, "m1")  # type: ignore[arg-type]
    assert plan.next_action(START_S) is None and plan.shows_words
    take(plan, TextDelta(" you"))
    assert plan.next_action(START_S) == Edit(0, "m1", Draft("hello you", "stop"))


def test_a_long_text_takes_further_messages() -> None:
    """Pieces are posted in order, with Stop under the last alone; the token of an interaction shows the first alone."""
    words = "word " * 1_000
    plan = take(plan_of(), TextDelta(words))
    done = carry_out(plan)
    posts = [action for action in done if isinstance(action, Post)]
    assert [post.part for post in posts] == [0, 1, 2] and plan.posted == ["m1", "m2", "m3"]
    assert [post.draft.buttons for post in posts] == ["none", "none", "stop"]
    alone = take(plan_of(shows_one_piece=True), TextDelta(words))
    assert [action.part for action in carry_out(alone) if isinstance(action, Post)] == [0]


def test_a_part_that_is_no_more_is_not_written() -> None:
    """Whoever waited for a turn to write the third piece of a text that began anew writes nothing."""
    plan = take(plan_of(), TextDelta("word " * 1_000))
    assert plan.write_of(2) is not None
    take(plan, TextReset(), TextDelta("short"))
    assert plan.write_of(2) is None


def test_a_deleted_message_is_replaced() -> None:
    """Somebody deleted it: another is posted in its place, under a name of its own."""
    plan = take(plan_of(posted=["m1"]), TextDelta("hello"))
    edit = plan.next_action(START_S)
    assert edit == Edit(0, "m1", STOP)
    plan.on_gone(edit)  # type: ignore[arg-type]
    again = plan.next_action(START_S)
    assert again == Post(0, STOP, is_replacement=True) and again.key == "0+"
    plan.on_posted(again, "m2")
    assert plan.posted == ["m2"] and plan.next_action(START_S) is None


def test_a_busy_discord_is_asked_again_and_a_refusal_is_not() -> None:
    """Until the end, which is tried whatever was refused before."""
    plan = take(plan_of(), TextDelta("hello"))
    plan.on_failed(10.0, is_busy=True)
    assert plan.next_action(10.0) == Wait(10.0 + RETRY_S) and plan.next_action(15.0) == Post(0, STOP)
    plan.on_failed(15.0, is_busy=False)
    assert plan.phase is Phase.REFUSED and plan.next_action(100.0) is None and plan.write_of(0) is None
    plan.finish(Ending(("hello",)))
    assert plan.next_action(100.0) == Post(0, Draft("hello", "final"))


def test_an_answer_given_again_takes_the_place_of_its_words() -> None:
    """A further stream begins anew with its first text; a status before it leaves what is shown."""
    plan = take(plan_of(), TextDelta("first"))
    carry_out(plan)
    plan.begin()
    take(plan, Status("Speaking"), now=50.0)
    assert plan.next_action(50.0) is None
    take(plan, TextDelta("second"), now=50.0)
    assert plan.next_action(50.0) == Edit(0, "m1", Draft("second", "stop"))


def test_a_further_stream_may_try_again() -> None:
    """What was refused once is tried once more when the answer is given again."""
    plan = take(plan_of(), TextDelta("hello"))
    plan.on_failed(1.0, is_busy=False)
    plan.begin()
    assert plan.next_action(2.0) == Post(0, STOP)


# --- In the end ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "ending", "expected"),
    [
        ({}, Ending(("a",)), [Post(0, Draft("a", "final"))]),
        ({"posted": ["m1"]}, Ending(("a",)), [Edit(0, "m1", Draft("a", "final"))]),
        (
            {"posted": ["m1"]},
            Ending(("a", "b"), has_files=True),
            [Edit(0, "m1", Draft("a")), Post(1, Draft("b", "final", "attached"))],
        ),
        (
            {"posted": ["m1", "m2", "m3"]},
            Ending(("a",)),
            [Edit(0, "m1", Draft("a", "final")), Delete("m2"), Delete("m3")],
        ),
        ({"posted": ["m1"], "had_files": True}, Ending(("a",)), [Edit(0, "m1", Draft("a", "final", "none"))]),
        (
            {"posted": ["m1"], "had_files": True},
            Ending(("a",), has_files=True),
            [Edit(0, "m1", Draft("a", "final", "attached"))],
        ),
        (
            {"posted": ["m1"], "voice_ids": ["v1"]},
            Ending(("a",), has_voice=True),
            [Edit(0, "m1", Draft("a", "final")), Delete("v1"), PostVoice()],
        ),
        ({"posted": ["m1"], "voice_ids": ["v1"]}, Ending(("a",)), [Edit(0, "m1", Draft("a", "final")), Delete("v1")]),
    ],
)
def test_the_end_leaves_exactly_the_answer(state: dict[str, Any], ending: Ending, expected: list[Action]) -> None:
    """Each piece once, buttons and files under the last, what an earlier version had beyond that deleted, sound below."""
    plan = plan_of(**state)
    plan.finish(ending)
    assert carry_out(plan) == expected
    assert plan.phase is Phase.CLOSED and len(plan.posted) == len(ending.pieces)
    assert plan.voice_ids == (["voice"] if ending.has_voice else [])


def test_the_end_writes_what_is_shown_already() -> None:
    """For Stop stands under it."""
    plan = take(plan_of(), TextDelta("hello"))
    carry_out(plan)
    plan.finish(Ending(("hello",)))
    assert carry_out(plan) == [Edit(0, "m1", Draft("hello", "final"))]


def test_refused_files_are_told_of_once() -> None:
    """Their place takes a remark, for which there is room, and the end goes on."""
    plan = plan_of()
    plan.finish(Ending(("a", "b" * 1_995), has_files=True))
    first = plan.next_action(0.0)
    plan.on_posted(first, "m1")  # type: ignore[arg-type]
    assert isinstance(last := plan.next_action(0.0), Post) and last.draft.files == "attached"
    plan.on_files_refused("-# Not attached.")
    assert isinstance(last := plan.next_action(0.0), Post) and last.draft.files == "as they are"
    assert last.draft.content.endswith("\n-# Not attached.") and len(last.draft.content) <= 2_000
    assert last.draft.buttons == "final"


def test_an_end_that_broke_off_begins_anew() -> None:
    """Repeated after a failure it writes every piece again, and posts none twice."""
    plan = plan_of(voice_ids=["v1"])
    plan.finish(Ending(("a", "b"), has_voice=True))
    plan.on_posted(plan.next_action(0.0), "m1")  # type: ignore[arg-type]
    plan.finish(Ending(("a", "b"), has_voice=True))
    done = carry_out(plan, first_id=2)
    assert done == [Edit(0, "m1", Draft("a")), Post(1, Draft("b", "final")), Delete("v1"), PostVoice()]


@given(
    st.lists(
        st.sampled_from(
            [TextDelta("word " * 300), TextDelta("a"), TextReset(), Status("Looking"), "begin", "busy", "no"]
        ),
        max_size=12,
    ),
    st.integers(1, 4),
)
def test_whatever_happens_the_end_is_the_answer(events: list[Any], pieces: int) -> None:
    """After any growth, with any trouble, the messages are the answer's pieces in order and nothing else."""
    plan = plan_of()
    written: dict[str, str] = {}
    for number, event in enumerate(events):
        match event:
            case "begin":
                plan.begin()
            case "busy" | "no":
                plan.on_failed(float(number), is_busy=event == "busy")
            case _:
                plan.on_event(event, float(number))
        action = plan.next_action(number + 100.0)
        if isinstance(action, Post):
            plan.on_posted(action, f"m{number}")
            written[f"m{number}"] = action.draft.content
    plan.finish(Ending(tuple(f"piece {number}" for number in range(pieces))))
    for action in carry_out(plan, first_id=1_000):
        match action:
            case Post(part, draft):
                written[plan.posted[part]] = draft.content
            case Edit(_, message_id, draft):
                written[message_id] = draft.content
            case Delete(message_id):
                del written[message_id]
    assert [written[one] for one in plan.posted] == [f"piece {number}" for number in range(pieces)]
    assert set(written) == set(plan.posted)
