"""How much: the numbers that bound what people and models may cause, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What one question may cause. Tests hand in smaller ones."""

    attachments: int = 20
    """Of one message that are read. Platforms take ten in a message; a page takes as many as one drops there."""
    unread_attachments: int = 5
    """Of earlier messages that one question has read: it may be about them, and whoever asks waits for each."""
    history_messages: int = 200
    """Read from the store for a prompt; what of them fits the model is for `compose` to say."""
    ocr_pages: int = 5
    """Of a scanned document whose text is read: a page takes seconds of a processor."""
    recording_s: float = 2 * 3_600.0
    """Of sound in one attachment: transcribing it is paid by the minute, and a small file can hold, or claim, a day."""
    video_frames: int = 4
    """Of a video that a model gets to see: enough to tell scenes apart, each costs as much as a picture."""
    spoken_chars: int = 3_000
    """Of an answer that are spoken, about three minutes: nobody listens to more of what can be read."""
    rounds: int = 8
    """Calls of the model in one answer. A model that still wants tools in the last of them is asked to answer without any."""
    tool_calls_per_round: int = 8
    """Tools that a model may run at a time: a model can be talked into asking for a thousand by a file that it reads."""
    tool_calls_per_turn: int = 20
    """Tools in one answer, over all its rounds."""
    pictures_per_turn: int = 4
    """Pictures that are paid for in one answer: the dearest thing that a few words can cause."""
    tool_seconds: float = 300.0
    """One tool may take. Large pictures take two minutes where the server is busy."""
    search_results: int = 10
    """That `/search` shows: as many as one reads in a message."""
    search_words: int = 20
    """Of one search: each is looked for in every message."""
    search_page: int = 100
    """Matches that are looked at in a step, of which those are shown that the asker may read."""
    search_pages: int = 10
    """Steps of one search. Who may read little would otherwise have everything read for them."""
    search_places: int = 100
    """Places about which one search asks the platform who may read them."""


LIMITS = Limits()
"""What holds unless a test says otherwise."""
