"""Discord end to end: what people do there, and what they see."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.discord_support import world


async def test_a_mention_is_answered_beneath_it(tmp_path: Path) -> None:
    """A mention brings one answer that grows by edits, replies to the question and pings nobody."""
    async with world(tmp_path) as w:
        asked = w.mention("hello there [[slow 0.3]]")
        (answer,) = await w.answers(asked)
        assert "You said: hello there" in answer.content
        assert len(answer.versions) > 2
        assert not answer.pinged
        assert w.discord.calls_to("POST", "/channels/{channel_id}/typing")
