"""A reply at Slack as its plan sees it: events in, actions out, results in; no socket, no clock, no waiting."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.shared import markdown
from adapters.slack import render
from adapters.slack.reply import DEFAULT_LIMITS, ReplyLimits
from adapters.slack.reply.actions import (
    Allowed,
    Append,
    Delete,
    Edit,
    Ending,
    Post,
    SetStatus,
    Showing,
    StartStream,
    StopStream,
    Update,
    Way,
)
from adapters.slack.reply.plan import Phase, Plan
from bot.types import Reply, Status, Text, TextDelta, TextReset

EVERY: tuple[Way, ...] = ("status", "stream", "edit")
EDITS: tuple[Way, ...] = ("edit",)
NO_STREAMS: tuple[Way, ...] = ("status", "edit")
SMALL = ReplyLimits(rotate_at=40, rotate_now_at=60, end_room=10)
"""Streams that rotate after a line or two."""


@dataclass
class Slack:
    """What stands in the messages of one reply, as far as its plan has them written."""

    plan: Plan
    shown: dict[str, str] = field(default_factory=dict)
    status: str = ""
    _count: int = 0

    def round(
        self, now: float, ways: Collection[Way] = EVERY, *, busy: Collection[type] = (), refused: Collection[type] = ()
    ) -> list[Showing]:
        """One round; gives what the plan asked for. busy: actions that have to wait. refused: those that Slack refuses."""
        asked: list[Showing] = []
        allowed = Allowed(frozenset(ways))
        if text := self.plan.unrendered(now, allowed):
            self.plan.on_rendered(text, render.rendered(text).pieces)
        while action := self.plan.next_action(now, allowed):
            asked.append(action)
            assert len(asked) < 20, "a round ends"
            if type(action) in refused:
                self.plan.on_refused(action, now)
            elif type(action) not in busy:
                self.carry_out(action, now)
            allowed = allowed.without(action.way)
        return asked

    def carry_out(self, action: Showing | Ending, now: float = 0.0) -> None:
        """Do it and tell the plan."""
        ts = getattr(action, "ts", "")
        match action:
            case SetStatus(text):
                self.status = text
            case StartStream(text) | Post(_, render.Piece(markdown=text)):
                self._count += 1
                ts = f"{self._count}.0"
                self.shown[ts] = text
            case Append(_, text) | StopStream(_, _, text):
                self.shown[ts] += text
            case Update(_, piece):
                self.shown[ts] = piece.markdown
            case Delete():
                del self.shown[ts]
            case Edit(writes):
                for write in writes:
                    self.carry_out(write, now)
        self.plan.on_done(action, now, ts)

    def finish(self, text: str) -> list[Ending]:
        """The end of the reply; gives what it took."""
        self.plan.close()
        reply = Reply((Text(text),))
        whole = render.rendered(text)
        actions = self.plan.last_of_stream(reply, whole, None)
        if actions is None:
            stop, writes = self.plan.rewrite(whole.pieces)
            actions = (*stop, *writes)
        for action in actions:
            self.carry_out(action)
        return list(actions)


def begun(*events: Any, limits: ReplyLimits = DEFAULT_LIMITS, **more: Any) -> Slack:
    """A reply to which these events came at the time 0; a text stands for its words."""
    plan = Plan(limits=limits, **more)
    plan.begin()
    for event in events:
        plan.on_event(TextDelta(event) if isinstance(event, str) else event, 0.0)
    return Slack(plan)


def more(slack: Slack, words: str, now: float = 0.0) -> None:
    """Further words came."""
    slack.plan.on_event(TextDelta(words), now)


def kinds(actions: Sequence[object]) -> list[str]:
    """The actions by their names."""
    return [type(one).__name__ for one in actions]


# --- Waiting ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ways", "now", "expected"),
    [
        (EVERY, 0.1, []),
        (EVERY, 0.2, ["StartStream"]),
        (("status", "edit"), 0.2, []),
        (("status", "edit"), 1.1, ["Edit"]),
        (("edit",), 1.1, ["Edit"]),
        (("status",), 9.0, []),
        ((), 9.0, []),
    ],
)
def test_the_first_words_are_shown_by_what_slack_takes(ways: tuple[Way, ...], now: float, expected: list[str]) -> None:
    """By a stream after a moment; else by a message of its own a little later; else not before the end."""
    assert kinds(begun("hello there").round(now, ways)) == expected


def test_a_reply_that_is_whole_at_once_is_posted_by_its_end() -> None:
    """No stream is begun for words that have all come before they were shown."""
    slack = begun("hello there")
    slack.plan.on_end()
    assert slack.round(0.5) == []
    assert kinds(slack.finish("hello there")) == ["Post"] and list(slack.shown.values()) == ["hello there"]


def test_blank_words_are_not_shown() -> None:
    """An empty message helps nobody."""
    assert begun("\n \n").round(5.0) == []


@pytest.mark.parametrize("how", ["busy", "refused"])
def test_where_a_stream_cannot_begin_an_edit_does_in_the_same_round(how: str) -> None:
    """Whether its budget is used up or Slack refuses it."""
    slack = begun("hello")
    assert kinds(slack.round(2.0, **{how: [StartStream]})) == ["StartStream", "Edit"]  # type: ignore[arg-type]
    assert slack.plan.phase is Phase.EDITING and list(slack.shown.values()) == ["hello"]


def test_what_had_to_wait_is_asked_for_again() -> None:
    """A round in which nothing may be done changes nothing."""
    slack = begun("hello")
    first = slack.round(2.0, busy=[StartStream, Edit])
    assert slack.round(3.0, busy=[StartStream, Edit]) == first and slack.plan.phase is Phase.WAITING


# --- Streams ---------------------------------------------------------------------------------------------------------


def test_a_stream_gets_what_is_new() -> None:
    """Each append holds the words since the last one; without any, nothing is asked for."""
    slack = begun("one ")
    slack.round(1.0)
    more(slack, "two ")
    assert slack.round(2.0) == [Append("1.0", "two ")] and slack.round(3.0) == []
    assert kinds(slack.finish("one two three")) == ["StopStream"] and slack.shown == {"1.0": "one two three"}


def test_half_a_mention_is_not_streamed() -> None:
    """A stream cannot take back what it showed: a call is held back until it is whole, and then calls nobody."""
    slack = begun("hey <@U1")
    slack.round(1.0)
    assert slack.shown == {"1.0": "hey "}
    more(slack, "23> you")
    slack.round(2.0)
    assert "<@U123>" not in slack.shown["1.0"] and slack.shown["1.0"].endswith("U123 you")


@pytest.mark.parametrize(
    ("size", "added", "age", "expected"),
    [
        (10, "short", 0, ("Append", "short")),
        (30, "a line\nand some more", 0, ("StopStream", "a line\n")),
        (30, "no line ends here", 0, ("Append", "no line ends ")),
        (30, "oneverylongword", 0, None),
        (35, "words that go on and on and on", 0, ("StopStream", "words that go on and on ")),
        (35, "anunbrokenwordofsomelength", 0, ("StopStream", "anunbrokenwordofsomelengt")),
        (50, "oneverylongword", 0, ("StopStream", "")),
        (10, "a line\nmore", 226, ("StopStream", "a line\n")),
        (10, "some words", 226, ("Append", "some ")),
        (10, "some words", 256, ("StopStream", "some ")),
        (10, "", 256, ("StopStream", "")),
    ],
)
def test_a_stream_is_ended_before_it_dies(size: int, added: str, age: float, expected: tuple[str, str] | None) -> None:
    """At a line's end if one comes in time, else between words, else anywhere."""
    slack = begun("x" * (size - 1) + " ", limits=SMALL)
    slack.round(1.0)
    more(slack, added)
    action = slack.plan.next_action(1.0 + age, Allowed(frozenset(EVERY)))
    assert (action and (type(action).__name__, getattr(action, "text", ""))) == expected


def test_after_a_rotation_the_reply_goes_on_in_another_message() -> None:
    """In the same round, with what was not shown yet; where that has to wait, a later round does it."""
    slack = begun("x" * 30 + " ", limits=SMALL)
    slack.round(1.0)
    more(slack, "the end of a line\nthe next one")
    assert kinds(slack.round(2.0, busy=[StartStream])) == ["StopStream", "StartStream"]
    assert len(slack.shown) == 1 and not slack.plan.has_open_stream
    assert kinds(slack.round(3.0)) == ["StartStream"]
    assert list(slack.shown.values()) == ["x" * 30 + " the end of a line\n", "the next one"]


def test_a_code_block_that_is_cut_is_closed_and_opened_again() -> None:
    """Each message of a rotated stream renders alone."""
    slack = begun("Look:\n```python\nfirst = 1\nsecond = 22\n", limits=SMALL)
    slack.round(1.0)
    more(slack, "third = 333\nfourth = 4444\n```\nDone")
    slack.round(2.0)
    first, second = slack.shown.values()
    assert first.startswith("Look:\n```python\n") and first.endswith("\n```")
    assert second.startswith("```python\n") and second.count("```") == 2 and second.endswith("Done")


def test_words_beyond_the_last_segment_are_posted() -> None:
    """When the next stream had to wait until the end, the rest is a message of its own."""
    slack = begun("x" * 30 + " ", limits=SMALL)
    slack.round(1.0)
    text = "x" * 30 + " the end of a line\nthe next one"
    more(slack, text[31:])
    slack.round(2.0, busy=[StartStream])
    assert kinds(slack.finish(text)) == ["Post"]
    assert list(slack.shown.values()) == ["x" * 30 + " the end of a line\n", "the next one"]


def test_what_was_streamed_of_an_earlier_text_is_void() -> None:
    """A stream takes nothing back: nothing is added to it, and the end writes its message anew."""
    slack = begun("a wrong beginning")
    slack.round(1.0)
    slack.plan.on_event(TextReset(), 2.0)
    more(slack, "the right words")
    assert slack.round(3.0) == []
    assert kinds(slack.finish("the right words")) == ["StopStream", "Update"] and slack.shown == {
        "1.0": "the right words"
    }


def test_an_answer_given_again_begins_anew() -> None:
    """When the model is asked again after an interruption, its words take the place of those that came before."""
    slack = begun("half an ans")
    slack.round(1.0)
    slack.plan.begin()
    more(slack, "a whole answer")
    assert slack.round(2.0) == []
    slack.finish("a whole answer")
    assert slack.shown == {"1.0": "a whole answer"}


@pytest.mark.parametrize("text", ["other words", "a streamed text\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"])
def test_a_stream_that_does_not_hold_the_reply_is_written_anew(text: str) -> None:
    """The words that stay may differ from those that were streamed; a table has to become one."""
    slack = begun("a streamed text")
    slack.round(1.0)
    assert kinds(slack.finish(text)) == ["StopStream", "Update"] and slack.shown["1.0"].strip() == text.strip()


@pytest.mark.parametrize("kind", [Append, StopStream])
def test_the_message_of_a_stream_that_died_is_edited(kind: type) -> None:
    """Nothing is lost, and no stream is tried again for this reply."""
    slack = begun("x" * 30 + " ", limits=SMALL)
    slack.round(1.0)
    more(slack, "one" if kind is Append else "a line that is longer\nanother")
    assert kinds(slack.round(2.0, refused=[kind]))[0] == kind.__name__
    assert slack.plan.phase is Phase.EDITING and not slack.plan.has_open_stream
    more(slack, " two")
    assert kinds(slack.round(9.0)) == ["Edit"] and slack.shown["1.0"].endswith(" two")


# --- Edits -----------------------------------------------------------------------------------------------------------


def test_edits_keep_slack_s_pace_and_write_what_changed() -> None:
    """No more than one in three seconds, with Stop under the last message; unchanged messages are left alone."""
    stop = render.button_blocks(render.Buttons("1.1", ("stop",)))
    slack = begun("one", stop_button=stop)
    slack.round(2.0, EDITS)
    more(slack, " two")
    assert slack.round(4.9, EDITS) == []
    (edit,) = slack.round(5.0, EDITS)
    assert isinstance(edit, Edit) and edit.writes[-1].piece.blocks[-1] == stop[0]
    assert slack.shown == {"1.0": "one two"} and slack.round(9.0, EDITS) == []


def test_a_reply_of_several_messages_grows_at_its_end() -> None:
    """Only the message that changed is edited, and what does not fit is posted behind it."""
    long = "\n\n".join("word " * 1_000 for _ in range(4))
    slack = begun(long[:9_000])
    slack.round(2.0, EDITS)
    more(slack, long[9_000:])
    (edit,) = slack.round(9.0, EDITS)
    assert isinstance(edit, Edit) and kinds(edit.writes) == ["Update", "Post"]
    more(slack, "\n\nand the end")
    (edit,) = slack.round(20.0, EDITS)
    assert isinstance(edit, Edit) and kinds(edit.writes) == ["Update"] and len(slack.shown) == 2


def test_an_earlier_reply_s_messages_are_written_over() -> None:
    """A revised reply takes the messages of the one before it, and deletes those that it does not need."""
    slack = begun("new words", posted=("0.1", "0.2"))
    slack.shown = {"0.1": "old", "0.2": "older"}
    assert kinds(slack.round(9.0)) == ["Edit"]
    assert kinds(slack.finish("new words")) == ["Update", "Delete"] and slack.shown == {"0.1": "new words"}


# --- The status line -------------------------------------------------------------------------------------------------


def test_a_status_is_set_once_and_again_before_it_vanishes() -> None:
    """Slack takes a status line away after two minutes."""
    slack = begun(Status("Searching"))
    assert slack.round(0.0) == [SetStatus("Searching")] and slack.round(80.0) == []
    assert slack.round(91.0) == [SetStatus("Searching")]
    more(slack, "words", 92.0)
    assert kinds(slack.round(93.0)) == ["StartStream"]


def test_a_new_message_takes_the_status_line_away() -> None:
    """Then it is set again, if there is still something to say."""
    slack = begun(Status("Searching"))
    slack.round(0.0, NO_STREAMS)
    more(slack, "Let me see.")
    assert kinds(slack.round(2.0, NO_STREAMS)) == ["Edit"]
    slack.plan.on_event(Status("Searching"), 3.0)
    assert slack.round(3.0, NO_STREAMS) == [SetStatus("Searching")]


@pytest.mark.parametrize(
    ("status", "ways", "expected"),
    [
        ("Searching", ("edit",), ["Edit"]),
        ("Searching", (), []),
        ("Thinking\u2026", ("edit",), []),
        ("Thinking\u2026", ("status", "edit"), ["SetStatus"]),
    ],
)
def test_without_a_status_line_a_message_says_what_is_done(
    status: str, ways: tuple[Way, ...], expected: list[str]
) -> None:
    """But not that there is thinking: that is worth no message."""
    slack = begun(Status(status))
    assert kinds(slack.round(1.0, ways)) == expected and slack.round(2.0, ways) == []


def test_a_status_that_has_to_wait_is_no_message_instead() -> None:
    """A used-up budget is over in a minute; a message would stay."""
    assert kinds(begun(Status("Searching")).round(1.0, busy=[SetStatus])) == ["SetStatus"]


# --- The end ---------------------------------------------------------------------------------------------------------


def test_nothing_is_shown_beside_the_end() -> None:
    """Once closed, a plan asks for nothing; given again, it shows again."""
    slack = begun("hello")
    slack.round(1.0)
    more(slack, " you")
    slack.plan.close()
    assert slack.round(9.0) == []
    slack.plan.begin()
    more(slack, "hello again")
    assert kinds(slack.round(9.0)) == ["Edit"]


lines = st.sampled_from(
    ["a few words", "x = 1", "```python", "```", "", "one more line of some length here", "unbrokenwordthatislong" * 4]
)


@given(
    st.lists(lines, max_size=14).map("\n".join),
    st.lists(st.integers(1, 40), min_size=1, max_size=12),
    st.lists(st.sampled_from([None, StartStream, Append, SetStatus, Edit]), max_size=12),
)
def test_however_it_grows_the_messages_hold_the_reply_in_the_end(
    text: str, cuts: list[int], busy: list[type | None]
) -> None:
    """All words, in order, none twice, in messages that each render alone."""
    slack, at = begun(limits=SMALL), 0
    for number, size in enumerate(cuts):
        if text[at:]:
            more(slack, text[at : at + size] if number < len(cuts) - 1 else text[at:], float(number))
        at += size
        slack.round(number * 4.0, busy=[kind for kind in busy[number : number + 1] if kind])
    slack.plan.on_end()
    slack.round(100.0)
    slack.finish(text)
    shown = [message for message in slack.shown.values() if message]
    assert _words("\n".join(shown)) == _words(text)
    assert all(not markdown.open_fence(message) for message in shown)


def _words(text: str) -> str:
    """The characters that are said, without fences and blanks."""
    return "".join(text.replace("```python", "").replace("```", "").split())
