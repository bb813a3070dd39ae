"""How much: every number that bounds what people, models and strangers may cause, in one table.

What the core bounds is a field of `Limits`, with what it bounds, for whom, why, and what a person reads who reaches it. Numbers
that a folder keeps for itself are named in `ELSEWHERE` (`bot/policy/limits_elsewhere.py`). docs/limits.md is made from both.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, TypeAlias, TypeVar

from bot.errors import LimitError

Number = TypeVar("Number", int, float)
Whose: TypeAlias = Literal[
    "person",
    "channel",
    "workspace",
    "process",
    "turn",
    "round",
    "message",
    "file",
    "search",
    "request",
    "connection",
    "address",
]
"""Whom or what a limit is counted for."""
Unit: TypeAlias = Literal["", "s", "bytes", "tokens", "characters", "pixels"]
"""What a limit is counted in; empty for plain counts."""
MINUTE_S, DAY_S = 60.0, 86_400.0
DURATIONS = ((3_600, "hour"), (60, "minute"), (1, "second"))
SIZES = ((2**30, "GB"), (2**20, "MB"), (2**10, "kB"), (1, "bytes"))


@dataclass(frozen=True)
class Limit:
    """One row of the table."""

    name: str
    whose: Whose
    bounds: str
    """What is counted, as in "questions in a minute"."""
    why: str
    unit: Unit = ""
    said: str = ""
    """What a person reads at the limit, with `{limit}` for the number in words; empty where nobody is told."""
    variable: str = ""
    """The variable by which the operator changes it; 0 there means no limit."""
    at: str = ""
    """Where the number stands that is no field of `Limits`: its dotted name."""


def _limit(value: Number, whose: Whose, bounds: str, why: str, **more: Any) -> Number:
    """A field of `Limits` with its row, whose name the field gives."""
    row = Limit("", whose, bounds, why, **more)
    return field(default=value, metadata={"row": row})


@dataclass(frozen=True)
class Limits:
    """The numbers of the core. 0 is no limit where the row names a variable. Tests hand in others."""

    # --- what a person, a channel and a workspace may ask for ---

    questions_per_minute: int = _limit(
        20,
        "person",
        "questions in a minute: messages, edits, buttons and commands that a model answers",
        "Nobody reads more answers; each is paid for and keeps others waiting.",
        said="That is more than {limit} questions in a minute, so I did not take up this one. Please ask again {when}.",
        variable="QUESTIONS_PER_MINUTE",
    )
    waiting_questions: int = _limit(
        5,
        "person",
        "questions that wait to be begun",
        "What waits has to be kept, and is often asked anew before its turn comes.",
        said="{limit} questions of yours are waiting already. Please ask again {when}.",
        variable="WAITING_QUESTIONS",
    )
    commands_per_minute: int = _limit(
        60,
        "person",
        "commands in a minute that no model answers, such as /help and /forget",
        "They cost nothing but a post and some rows of the database.",
        said="That is more than {limit} commands in a minute. Please try again {when}.",
    )
    channel_questions_per_minute: int = _limit(
        120,
        "channel",
        "questions in a minute",
        "Platforms take about a post a second there; answers to more could not be shown.",
        said="More than {limit} questions were asked in this channel within a minute. Please ask again {when}.",
        variable="CHANNEL_QUESTIONS_PER_MINUTE",
    )
    channel_waiting_questions: int = _limit(
        50,
        "channel",
        "questions that wait to be begun",
        "A channel without threads is one conversation, which is answered in order.",
        said="{limit} questions are waiting in this channel already. Please ask again {when}.",
    )
    workspace_questions_per_minute: int = _limit(
        600,
        "workspace",
        "questions in a minute",
        "One workspace of several, or one that was installed to spend, does not take all there is.",
        said="This workspace asked more than {limit} questions within a minute. Please ask again {when}.",
        variable="WORKSPACE_QUESTIONS_PER_MINUTE",
    )
    workspace_waiting_questions: int = _limit(
        500,
        "workspace",
        "questions that wait to be begun",
        "So many take minutes to answer: whoever comes after them is better told at once.",
        said="{limit} questions are waiting in this workspace already. Please ask again {when}.",
    )
    paid_calls_per_minute: int = _limit(
        60,
        "person",
        "calls of models in a minute, over all processes: answers, sound heard, speech, pictures",
        "One question may cause many calls; this is what one person can spend at most, whatever models and files say.",
        said="Your questions have called models {limit} times within a minute, so I stopped here. Please try again {when}.",
        variable="PAID_CALLS_PER_MINUTE",
    )
    sound_s_per_day: float = _limit(
        6 * 3_600.0,
        "person",
        "of sound heard in 24 hours",
        "Listening is paid by the minute, and holds a processor where it is done on this machine.",
        unit="s",
        said="I listen to {limit} of sound a day for each person, and {name} would be more than that. Please send it {when}.",
        variable="SOUND_MINUTES_PER_DAY",
    )
    stored_bytes: int = _limit(
        2**30,
        "person",
        "of files kept: what they sent, and pictures and speech that were made for them",
        "The database and its backups hold them until they are forgotten.",
        unit="bytes",
        said="I keep {limit} of files for each person, and {name} would be more than that. "
        "/forget deletes the files of a conversation, and makes room.",
        variable="STORED_MB_PER_PERSON",
    )

    # --- what one question may cause ---

    attachments: int = _limit(
        20,
        "message",
        "files read",
        "Platforms take ten in a message; a page takes as many as one drops there.",
        said="Only the first {limit} attachments were read.",
    )
    unread_attachments: int = _limit(
        5,
        "turn",
        "files of earlier messages that are read along",
        "The question may be about them, and whoever asks waits for each.",
    )
    history_messages: int = _limit(
        200,
        "turn",
        "earlier messages read from the store for a prompt",
        "What of them fits the model is for `compose` to say.",
    )
    ocr_pages: int = _limit(
        5,
        "file",
        "pages of a scanned document whose text is read",
        "A page takes seconds of a processor.",
        said="I read the text in the first {limit} of its scanned pages.",
    )
    recording_s: float = _limit(
        2 * 3_600.0,
        "message",
        "of sound in all its files",
        "Transcribing is paid by the minute, and a small file can hold, or claim, a day.",
        unit="s",
        said="{name} is {long} long{heard}, and I listen to {most} at most. Please send a part of it.",
        variable="MAX_RECORDING_MINUTES",
    )
    video_frames: int = _limit(
        4,
        "file",
        "pictures of a video that a model gets to see",
        "Enough to tell scenes apart; each costs as much as a picture.",
    )
    spoken_chars: int = _limit(
        3_000,
        "turn",
        "of an answer that are spoken",
        "About three minutes: nobody listens to more of what can be read.",
        unit="characters",
        said="The voice message holds the beginning of the answer.",
    )
    rounds: int = _limit(
        8,
        "turn",
        "calls of the chat model",
        "A model that still wants tools in the last of them is asked to answer without any.",
    )
    tool_calls_per_round: int = _limit(
        8,
        "round",
        "tools that a model may run",
        "A model can be talked into asking for a thousand by a file that it reads.",
        said="Not run, nor what was called after it: one answer may call {limit} tools at a time, and {total} in all.",
    )
    tool_calls_per_turn: int = _limit(
        20,
        "turn",
        "tools that a model may run",
        "As above, over all rounds.",
        said="Not run, nor what was called after it: one answer may call {limit} tools at a time, and {total} in all.",
    )
    pictures_per_turn: int = _limit(
        4,
        "turn",
        "pictures asked of the image model",
        "The dearest thing that a few words can cause.",
        said="No further picture: one answer may have {limit}. The person can ask for more afterwards.",
    )
    tool_seconds: float = _limit(
        300.0,
        "turn",
        "that one tool may take",
        "Large pictures take two minutes where the server is busy.",
        unit="s",
        said="The tool took too long and was stopped.",
    )
    search_results: int = _limit(10, "search", "messages shown", "As many as one reads in a message.")
    search_words: int = _limit(
        20,
        "search",
        "words looked for",
        "Each is looked for in every message.",
        said="That is {count} words; search for at most {limit} at a time.",
    )
    search_page: int = _limit(
        100,
        "search",
        "matches looked at in a step",
        "Of them those are shown that the asker may read.",
    )
    search_pages: int = _limit(
        10,
        "search",
        "steps",
        "Who may read little would otherwise have everything read for them.",
    )
    search_places: int = _limit(
        100,
        "search",
        "places about which the platform is asked who may read them",
        "Its own limits are shared with all answers.",
    )

    def for_operator(self) -> Limits:
        """The same without what bounds a person over time: for the terminal, where whoever asks is who runs it."""
        return replace(self, **dict.fromkeys(OVER_TIME, 0))

    def said(self, row_name: str, /, **facts: str) -> str:
        """What a person reads who reached that limit. facts: what else the sentence names."""
        row = ROWS[row_name]
        return row.said.format(limit=in_words(getattr(self, row_name), row.unit), **facts)

    def error(self, row_name: str, /, *, wait_s: float | None = None, **facts: str) -> LimitError:
        """The refusal to raise. wait_s: until trying again may help; None where that is not a matter of time."""
        said = self.said(row_name, when=when_in_words(wait_s), **facts)
        return LimitError(said, limit=row_name, retry_after_s=wait_s)


def in_words(value: float, unit: Unit = "") -> str:
    """The number as a person reads it, such as "20", "2 hours" or "1 GB"."""
    match unit:
        case "s":
            return duration_in_words(value)
        case "bytes":
            size, name = next(one for one in SIZES if value >= one[0] or one[0] == 1)
            return f"{round(value / size, 1):,g} {name}"
    return f"{value:,.12g}{f' {unit}' if unit else ''}"


def duration_in_words(seconds: float) -> str:
    """A time as a person says it, rounded up: "40 seconds", "2 minutes", "6 hours"."""
    whole = max(math.ceil(seconds), 1)
    size, name = next(one for one in DURATIONS if whole >= 2 * one[0] or whole == one[0] or one[0] == 1)
    count = math.ceil(whole / size)
    return f"{count:,} {name}{'s' if count > 1 else ''}"


def when_in_words(wait_s: float | None) -> str:
    """When to try again, as the end of a sentence."""
    return "when I have answered some" if wait_s is None else f"in {duration_in_words(wait_s)}"


ROWS: Mapping[str, Limit] = {one.name: replace(one.metadata["row"], name=one.name) for one in fields(Limits)}
"""The rows of the fields of `Limits`, by name."""
OVER_TIME = (
    *("questions_per_minute", "waiting_questions", "commands_per_minute", "paid_calls_per_minute"),
    *("channel_questions_per_minute", "channel_waiting_questions"),
    *("workspace_questions_per_minute", "workspace_waiting_questions"),
    *("sound_s_per_day", "stored_bytes"),
)
"""The limits of what people do over time; each may be 0, which is none."""
LIMITS = Limits()
"""What holds unless the configuration or a test says otherwise."""
UNRATED = LIMITS.for_operator()
"""The same where nobody counts what people do over time."""
