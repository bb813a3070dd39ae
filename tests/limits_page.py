"""Writes docs/limits.md from the table of limits and the tests that hold it: `python -m tests.limits_page`."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bot.policy.limits import LIMITS, ROWS, Limit, in_words
from bot.policy.limits_elsewhere import ELSEWHERE

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "limits.md"
PEOPLE, MEDIA, WEB = "tests/engine/test_limits.py::", "tests/unit/test_media_", "tests/unit/test_web_connections.py::"
TESTS: Mapping[str, str] = {
    "questions_per_minute": f"{PEOPLE}test_a_person_asks_so_many_questions_in_a_minute",
    "waiting_questions": f"{PEOPLE}test_questions_that_wait_are_limited",
    "commands_per_minute": f"{PEOPLE}test_commands_that_cost_nothing_have_a_looser_limit",
    "channel_questions_per_minute": f"{PEOPLE}test_a_channel_and_a_workspace_have_limits",
    "channel_waiting_questions": f"{PEOPLE}test_what_waits_in_a_channel_and_a_workspace_is_limited",
    "workspace_questions_per_minute": f"{PEOPLE}test_a_channel_and_a_workspace_have_limits",
    "workspace_waiting_questions": f"{PEOPLE}test_what_waits_in_a_channel_and_a_workspace_is_limited",
    "paid_calls_per_minute": f"{PEOPLE}test_a_persons_questions_call_models_so_often_in_a_minute",
    "sound_s_per_day": f"{PEOPLE}test_a_persons_sound_a_day_is_limited",
    "stored_bytes": f"{PEOPLE}test_what_is_kept_for_a_person_is_limited",
    "attachments": f"{PEOPLE}test_the_first_files_of_a_message_are_read",
    "unread_attachments": f"{PEOPLE}test_few_earlier_files_are_read_along",
    "history_messages": f"{PEOPLE}test_so_much_history_is_read",
    "ocr_pages": f"{PEOPLE}test_the_first_pages_of_a_scan_are_read",
    "recording_s": f"{PEOPLE}test_the_sound_of_one_message_is_counted_together",
    "video_frames": f"{PEOPLE}test_few_pictures_of_a_video_are_seen",
    "spoken_chars": f"{PEOPLE}test_the_beginning_of_an_answer_is_spoken",
    "rounds": "tests/engine/test_tools.py::test_one_message_runs_few_tools",
    "tool_calls_per_round": "tests/engine/test_tools.py::test_one_message_runs_few_tools",
    "tool_calls_per_turn": "tests/engine/test_tools.py::test_one_message_runs_few_tools",
    "pictures_per_turn": "tests/engine/test_tools.py::test_one_message_buys_few_pictures",
    "tool_seconds": f"{PEOPLE}test_a_tool_that_takes_too_long_is_stopped",
    "search_results": "tests/engine/test_visibility.py::test_who_may_read_little_finds_that_all_the_same",
    "search_words": "tests/engine/test_visibility.py::test_a_search_of_a_thousand_words_is_refused",
    "search_page": "tests/engine/test_visibility.py::test_who_may_read_little_finds_that_all_the_same",
    "search_pages": "tests/engine/test_visibility.py::test_who_may_read_little_finds_that_all_the_same",
    "search_places": "tests/engine/test_visibility.py::test_who_may_read_little_finds_that_all_the_same",
    "turns_at_once": "tests/contracts/test_jobs.py::test_one_person_does_not_hold_all_slots",
    "writers_at_once": f"{PEOPLE}test_a_flood_of_one_person_is_held_back",
    "bytes_at_once": "tests/unit/test_byte_budget.py::test_large_ones_wait_for_one_another",
    "speech_at_once": "tests/engine/test_perceive.py::test_speech_is_a_setting",
    "history_tokens": "tests/unit/test_compose.py::test_a_long_history_has_a_ceiling",
    "pictures_seen": "tests/unit/test_compose.py::test_old_pictures_are_only_named",
    "document_bytes": "tests/unit/test_compose.py::test_a_document_too_large_to_go_whole_is_said",
    "attachment_mb": "tests/engine/test_perceive.py::test_too_big_is_said_before_it_is_fetched",
    "text_reading_s": f"{MEDIA}apart.py::test_what_takes_too_long_is_ended",
    "reading_s": f"{MEDIA}apart.py::test_what_takes_too_long_is_ended",
    "sound_reading_s": f"{MEDIA}apart.py::test_what_takes_too_long_is_ended",
    "reader_bytes": f"{MEDIA}apart.py::test_memory_is_bounded",
    "text_characters": f"{MEDIA}documents.py::test_long_text_is_cut",
    "pdf_pages": f"{MEDIA}documents.py::test_a_long_pdf_is_cut_early",
    "sheet_rows": f"{MEDIA}documents.py::test_a_huge_spreadsheet_is_cut_with_a_note",
    "archive_members": f"{MEDIA}sniff.py::test_an_endless_directory_is_not_read",
    "unpacked_bytes": f"{MEDIA}documents.py::test_padding_hides_no_bomb",
    "picture_pixels": f"{MEDIA}images.py::test_only_a_jpeg_may_be_larger_than_memory_allows",
    "decoded_s": f"{MEDIA}audio.py::test_hours_are_refused",
    "connections": f"{WEB}test_silent_connections_do_not_keep_anybody_out",
    "connections_per_address": f"{WEB}test_a_full_house_of_requests_refuses_in_words",
    "head_s": f"{WEB}test_headers_that_do_not_end_are_not_waited_for",
    "keep_alive_s": f"{WEB}test_an_idle_connection_is_closed",
    "window_bytes": f"{WEB}test_a_body_that_does_not_come_is_not_waited_for",
    "body_bytes": f"{WEB}test_bodies_under_way_have_one_budget",
    "page_files": "tests/acceptance/test_playground.py::test_bad_input_ends_in_a_clear_answer",
    "page_text": "tests/acceptance/test_playground.py::test_bad_input_ends_in_a_clear_answer",
    "rendering_s": "tests/unit/test_playground_speed.py::test_what_cannot_be_rendered_in_time_is_shown_as_it_is",
}
"""The test that holds each row."""
HEAD = """# Limits

What people, models and strangers may cause, each number with the test that holds it. The table is
`bot/policy/limits.py` and `bot/policy/limits_elsewhere.py`; this page is made from it by `python -m
tests.limits_page`, and a test compares the two.

**Refusals.** Whoever asks too much reads once in a minute why their question is not taken up and when to ask again;
what they said is kept, and no model is called. Further ones within that minute are kept in silence, so that refusals
flood nobody either. Buttons and edits that ask again are questions of whoever presses or edits. A command that no
model answers counts with the commands, unless a file comes along. A delivery that a platform repeats counts once.

**Where they are counted.** Questions in a minute: in the memory of each process that hears a platform, which is one.
What waits, calls of models, sound and files kept: in the database, so that all processes hold the limit together. A
call is counted when it is begun; a recording or a voice clip that a provider takes in several requests is one call.
The terminal (`parley ask`, `chat`, `transcribe`) has no limits of what is done over time: whoever is there runs
Parley.

**Fairness.** Writing down, turns, readers of files, large files and local models go to whoever has had least lately.
Nobody gets more slots than they leave free for others: of 256 turns at once, one person has 128 at most.

Rows with a variable can be changed by the operator; 0 is no limit for those that count what people do over time.
"""


def value_of(row: Limit) -> Any:
    """The number of a row, wherever it stands. Raises AttributeError or ModuleNotFoundError when it is not there."""
    if not row.at:
        return getattr(LIMITS, row.name)
    module, names = row.at, list[str]()
    while True:
        module, _, name = module.rpartition(".")
        names.insert(0, name)
        try:
            found: Any = importlib.import_module(module)
        except ModuleNotFoundError:
            if not module:
                raise
            continue
        break
    for name in names:
        fields = getattr(found, "model_fields", {})
        found = fields[name].default if name in fields else getattr(found, name)
    return found


def rows() -> list[Limit]:
    """The whole table."""
    return [*ROWS.values(), *ELSEWHERE]


def page() -> str:
    """The page as it should be: a table for each of those for whom something is counted."""
    parts = [HEAD]
    for whose in dict.fromkeys(row.whose for row in rows()):
        lines = [_line(row) for row in rows() if row.whose == whose]
        parts.append(f"## For a {whose}\n\n| most | of what | why | variable | held by |\n|---|---|---|---|---|\n")
        parts[-1] += "\n".join(lines) + "\n"
    return "\n".join(parts).replace("For a address", "For an address")


def _line(row: Limit) -> str:
    file, _, test = TESTS[row.name].partition("::")
    variable = f"`{row.variable}`" if row.variable else ""
    return f"| {in_words(value_of(row), row.unit)} | {row.bounds} (`{row.name}`) | {row.why} | {variable} | `{file}::{test}` |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
