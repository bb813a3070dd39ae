"""How often: questions counted by person, channel and workspace, and who is told that it was too often.

Pure: the time is handed in.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from bot.errors import LimitError
from bot.policy.limits import MINUTE_S, Limits
from bot.types import Address, Command, CommandSpec, Inbound

MAX_KEYS = 100_000
"""Of one window: so many in a minute there are only where workspaces have no limit. The longest unused is then forgotten."""


class SlidingWindow:
    """What passed within the last `period_s` seconds, by key: never more than `limit` in any such period."""

    def __init__(self, limit: int, period_s: float = MINUTE_S, *, max_keys: int = MAX_KEYS) -> None:
        """limit: 0 for none. Only what passes is kept, so the memory is bounded by the limit and the keys."""
        self._limit = limit
        self._period_s = period_s
        self._max_keys = max_keys
        self._passed: OrderedDict[Hashable, deque[float]] = OrderedDict()

    def __len__(self) -> int:
        """How many keys are remembered."""
        return len(self._passed)

    def wait_s(self, key: Hashable, now: float) -> float:
        """Seconds until one more may pass; 0 when it may now."""
        moments = self._passed.get(key)
        if not self._limit or moments is None:
            return 0.0
        while moments and moments[0] <= now - self._period_s:
            moments.popleft()
        return moments[0] + self._period_s - now if len(moments) >= self._limit else 0.0

    def count(self, key: Hashable, now: float) -> None:
        """Note that one passes now; `wait_s` was 0. Times never go back."""
        if not self._limit:
            return
        self._passed.setdefault(key, deque()).append(now)
        self._passed.move_to_end(key)
        self._forget(now)

    def take_back(self, key: Hashable, moment: float) -> None:
        """What was counted at that moment did not happen."""
        moments = self._passed.get(key)
        if moments and moment in moments:
            moments.remove(moment)

    def _forget(self, now: float) -> None:
        """Drop keys for which nothing has passed lately: those that were counted first stand first."""
        while self._passed:
            key, moments = next(iter(self._passed.items()))
            if len(self._passed) <= self._max_keys and moments and moments[-1] > now - self._period_s:
                return
            del self._passed[key]


Kind: TypeAlias = Literal["question", "command"]
"""A question may cost calls of models; a command costs nothing."""


def kind_of(inbound: Inbound, commands: Mapping[str, CommandSpec]) -> Kind:
    """What it counts as. A file that comes with a command may have to be heard, so that is a question too."""
    if not isinstance(inbound, Command) or inbound.attachments or inbound.name not in commands:
        return "question"
    return "command" if commands[inbound.name].is_free else "question"


@dataclass(frozen=True)
class Waiting:
    """How many questions wait to be begun, as far as the limits tell."""

    person: int = 0
    channel: int = 0
    workspace: int = 0


@dataclass(frozen=True)
class Decision:
    """What becomes of a question."""

    refusal: LimitError | None = None
    """Why it is not taken up; None when it is."""
    is_told: bool = False
    """Whoever asked is told: once in a minute, so that refusals flood nobody either."""


class QuestionRates:
    """One for a process: counts what is asked, and decides what is taken up."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._asked: dict[str, SlidingWindow] = {
            name: SlidingWindow(getattr(limits, name))
            for name in ("questions_per_minute", "channel_questions_per_minute", "workspace_questions_per_minute")
        }
        self._commands = {"commands_per_minute": SlidingWindow(limits.commands_per_minute)}
        self._told = SlidingWindow(1)
        self._open: dict[str, tuple[Address, str, float, Kind]] = {}

    @property
    def most_waiting(self) -> Waiting:
        """How far questions that wait have to be counted."""
        limits = self._limits
        return Waiting(limits.waiting_questions, limits.channel_waiting_questions, limits.workspace_waiting_questions)

    def decide(
        self, at: Address, person: str, now: float, kind: Kind, waiting: Waiting, delivery: str = ""
    ) -> Decision:
        """Count it if it may be taken up. now: seconds that only grow. delivery: names it until `keep` or `take_back`."""
        keys = _keys(at, person)
        error = self._too_many_waiting(waiting) if kind == "question" else None
        error = error or self._too_often(keys, now, kind)
        if error is None:
            for name, window in self._windows(kind).items():
                window.count(keys[name], now)
            if delivery:
                self._open[delivery] = (at, person, now, kind)
            return Decision()
        return Decision(error, is_told=self._tell((error.limit, keys[error.limit]), now))

    def keep(self, delivery: str) -> None:
        """What was taken up is written down."""
        self._open.pop(delivery, None)

    def take_back(self, delivery: str) -> None:
        """What was taken up could not be written down, so it does not count. Nothing happens when it was refused."""
        if (counted := self._open.pop(delivery, None)) is None:
            return
        at, person, now, kind = counted
        for name, window in self._windows(kind).items():
            window.take_back(_keys(at, person)[name], now)

    def _windows(self, kind: Kind) -> dict[str, SlidingWindow]:
        return self._asked if kind == "question" else self._commands

    def _too_many_waiting(self, waiting: Waiting) -> LimitError | None:
        counts = {
            "waiting_questions": waiting.person,
            "channel_waiting_questions": waiting.channel,
            "workspace_waiting_questions": waiting.workspace,
        }
        for name, count in counts.items():
            if 0 < getattr(self._limits, name) <= count:
                return self._limits.error(name)
        return None

    def _too_often(self, keys: dict[str, Hashable], now: float, kind: Kind) -> LimitError | None:
        for name, window in self._windows(kind).items():
            if wait_s := window.wait_s(keys[name], now):
                return self._limits.error(name, wait_s=wait_s)
        return None

    def _tell(self, key: Hashable, now: float) -> bool:
        if self._told.wait_s(key, now):
            return False
        self._told.count(key, now)
        return True


def _keys(at: Address, person: str) -> dict[str, Hashable]:
    """Whose question it is, for each limit."""
    workspace = (at.platform, at.workspace)
    whose: dict[str, Hashable] = {
        "": (*workspace, "person", person),
        "channel_": (*workspace, "channel", at.channel),
        "workspace_": workspace,
    }
    names = ("questions_per_minute", "waiting_questions")
    keys = {f"{prefix}{name}": key for prefix, key in whose.items() for name in names}
    return {**keys, "commands_per_minute": whose[""]}
