"""Transcripts as text, subtitles and JSON. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable

from bot.types import Audio, Segment


def written(heard: Audio, name: str, shape: str) -> str:
    """The transcript in one of the shapes text, srt, vtt and json (one line). name: of the file it was heard in."""
    match shape:
        case "srt":
            return srt(segments(heard))
        case "vtt":
            return vtt(segments(heard))
        case "json":
            return as_json(heard, name)
    return heard.transcript.strip()


def segments(heard: Audio) -> tuple[Segment, ...]:
    """Its stretches; all of it as one where the model gave no times."""
    text = heard.transcript.strip()
    return heard.segments or ((Segment(0.0, heard.duration_s, text),) if text else ())


def srt(cues: Iterable[Segment]) -> str:
    """SubRip subtitles: numbered cues, a comma before the milliseconds, a blank line between; no standard says so, players do."""
    blocks = [
        f"{number}\n{_clock(cue.start_s, ',')} --> {_clock(cue.end_s, ',')}\n{_words(cue)}\n"
        for number, cue in enumerate(cues, start=1)
    ]
    return "\n".join(blocks)


def vtt(cues: Iterable[Segment]) -> str:
    """WebVTT subtitles. Source: W3C WebVTT, sections 4.1 (file structure) and 4.2.2 (`<v>` names the speaker; `&`, `<` escaped)."""
    blocks = ["WEBVTT\n"]
    for cue in cues:
        words = cue.text.strip().replace("&", "&amp;").replace("<", "&lt;").replace("-->", "--&gt;")
        speaker = f"<v {cue.speaker}>" if cue.speaker else ""
        blocks.append(f"{_clock(cue.start_s, '.')} --> {_clock(cue.end_s, '.')}\n{speaker}{words}\n")
    return "\n".join(blocks)


def as_json(heard: Audio, name: str) -> str:
    """One object on one line: file, text, language, duration_s, segments."""
    cues = [
        {"start_s": one.start_s, "end_s": one.end_s, "text": one.text.strip(), "speaker": one.speaker}
        for one in heard.segments
    ]
    data = {
        "file": name,
        "text": heard.transcript.strip(),
        "language": heard.language,
        "duration_s": heard.duration_s,
        "segments": cues,
    }
    return json.dumps(data, ensure_ascii=False)


def _words(cue: Segment) -> str:
    words = " ".join(cue.text.split())
    return f"{cue.speaker}: {words}" if cue.speaker else words


def _clock(seconds: float, point: str) -> str:
    """HH:MM:SS,mmm"""
    ms = max(round(seconds * 1000), 0)
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}{point}{ms % 1000:03}"
