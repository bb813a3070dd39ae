"""What rides in a form of ours and comes back from somebody's client: sealed, for one person of one workspace, for a while.

A form's state says which message, channel and question it is about. Sealed, it can be neither read nor made by a client.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from adapters.slack.client import SlackClient
from adapters.slack.parse_interactions import modal_state
from adapters.slack.parse_parts import Payload, scope_of
from adapters.slack.ref import TokenScope

OPEN_FOR = timedelta(hours=24)
"""A form that was left open longer is told to be too old."""
LENT_FOR = timedelta(minutes=30)
"""A response_url takes answers for so long. Source: Slack, Handling user interaction."""
MAX_STATE = 3_000
"""Characters of a view's state. Source: Slack, views, `private_metadata`."""
TOO_OLD = {"response_action": "errors", "errors": {"words": "This form is too old. Please open it once more."}}


class Forms:
    """Seals what rides in forms, and opens what comes back."""

    def __init__(self, client: SlackClient) -> None:
        self._lent, self._clock = client.lent, client.host.clock

    def lend(self, response_url: str) -> str:
        """An address to answer at, sealed for as long as Slack takes answers there; what is sealed already stays."""
        is_plain = response_url.startswith(("https://", "http://"))
        return self._lent.seal(response_url, self._clock.now() + LENT_FOR) if is_plain else response_url

    def seal(self, scope: TokenScope, user: str, state: str) -> str:
        """The state for this person alone."""
        return self._lent.seal("\n".join((scope.team, user, state)), self._clock.now() + OPEN_FOR)

    def seal_target(self, scope: TokenScope, user: str, target: Mapping[str, Any]) -> str:
        """A shortcut's target, cut to what fits."""
        lent = {**target, "url": self.lend(str(target.get("url") or ""))}
        state = modal_state(lent, lambda text: len(self.seal(scope, user, text)) <= MAX_STATE)
        return self.seal(scope, user, state)

    def open(self, body: Payload) -> str | None:
        """The state of the view that a delivery is about; None when it is too old, somebody else's, or not ours."""
        view, person = body.get("view") or {}, body.get("user") or {}
        opened = self._lent.open(str(view.get("private_metadata") or ""))
        if opened is None or not isinstance(person, Mapping):
            return None
        team, user, state = opened.split("\n", 2)
        return state if (team, user) == (scope_of(body).team, str(person.get("id") or "")) else None
