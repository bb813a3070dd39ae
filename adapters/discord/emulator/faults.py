"""Owns the faults that tests ask for: refusals, delays, cut connections, and calls applied whose answer is lost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Fault:
    """What happens to the next `times` calls of a route.

    status: the answer's HTTP status, or None to cut the connection. applied: do the work first, then fail.
    delay_s: wait before anything, in real seconds. fails: False for a delay alone.
    """

    method: str
    route: str
    status: int | None = 500
    code: int = 0
    message: str = "500: Internal Server Error"
    times: int = 1
    applied: bool = False
    delay_s: float = 0.0
    fails: bool = True
    headers: dict[str, str] = field(default_factory=dict)
    retry_after_s: float | None = None

    def body(self) -> dict[str, Any]:
        """The JSON of the refusal."""
        if self.retry_after_s is not None:
            return {"message": "You are being rate limited.", "retry_after": self.retry_after_s, "global": False}
        return {"message": self.message, "code": self.code}


class Faults:
    """The faults that wait for their calls."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Let a fault meet the next calls of its route."""
        self._waiting.append(fault)

    def take(self, method: str, route: str) -> Fault | None:
        """The first fault for this call, used up by one."""
        for fault in self._waiting:
            if (fault.method, fault.route) == (method, route):
                fault.times -= 1
                if fault.times <= 0:
                    self._waiting.remove(fault)
                return fault
        return None
