"""Slack end to end: what people do there, and what they see."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.slack_support import world


@pytest.mark.parametrize("http", [False, True], ids=["socket", "http"])
async def test_a_mention_is_answered_in_its_thread(tmp_path: Path, http: bool) -> None:
    """A mention brings one streamed answer in the thread, though it arrives as two events."""
    async with world(tmp_path, http=http) as w:
        asked = w.mention("hello there [[slow 0.15]]")
        (answer,) = await w.answers(asked)
        assert "You said: hello there" in answer.shown
        assert answer.thread_ts == asked.ts
        assert len(w.slack.calls_to("chat.startStream")) == 1
        assert w.slack.calls_to("chat.appendStream")
        assert w.slack.status("general", asked.ts) == ""
        assert [call.error for call in w.slack.calls if call.error] == []
