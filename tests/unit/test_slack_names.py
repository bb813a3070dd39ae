"""Names for Slack's ids are looked up once, kept for a while, and never told to another workspace."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from adapters.slack.entities import KEEP_S, Directory
from adapters.slack.ref import TokenScope
from tests.fakes import FakeClock


class FakeSlack:
    """Answers `users.info`: everybody is named after their workspace."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.host = SimpleNamespace(clock=self.clock)
        self.asked: list[tuple[str, str]] = []

    async def call(self, scope: TokenScope, method: str, **given: Any) -> dict[str, Any]:
        """One call."""
        self.asked.append((scope.team, given["user"]))
        return {"user": {"name": f"ada of {scope.team}"}}


async def test_no_workspace_learns_the_names_of_another() -> None:
    """The same id means somebody else there, or nobody: each workspace is asked itself."""
    slack = FakeSlack()
    directory = Directory(slack, None)  # type: ignore[arg-type]
    for team in ("T1", "T2", "T1"):
        names = await directory.names(TokenScope(team), "hi <@U1>", set())
        assert names.people == {"U1": f"ada of {team}"}
    assert slack.asked == [("T1", "U1"), ("T2", "U1")]


async def test_a_name_is_asked_for_again_after_a_while() -> None:
    """People rename themselves."""
    slack = FakeSlack()
    directory = Directory(slack, None)  # type: ignore[arg-type]
    await directory.names(TokenScope("T1"), "<@U1>", set())
    await slack.clock.sleep(KEEP_S / 8)
    await directory.names(TokenScope("T1"), "<@U1>", set())
    assert len(slack.asked) == 1
    for _ in range(9):
        await slack.clock.sleep(KEEP_S / 8)
    await directory.names(TokenScope("T1"), "<@U1>", set())
    assert len(slack.asked) == 2
