"""Owns the trouble that a test orders: failing, slow, dropped and half-done calls."""

from dataclasses import dataclass, field


@dataclass
class Fault:
    """What goes wrong with the next `times` calls of a method (`*` is any)."""

    method: str
    times: int = 1
    error: str | None = None
    """An error code in an answer with `ok: false`."""
    status: int = 200
    """The HTTP status; 5xx and 429 come without being carried out."""
    retry_after_s: int | None = None
    delay_s: float = 0.0
    drop: bool = False
    """Close the connection without an answer."""
    applied: bool = False
    """Carry the call out first: with `drop`, the caller never learns that it worked."""

    @property
    def prevents(self) -> bool:
        """Whether the call is not carried out."""
        return not self.applied and (self.drop or self.error is not None or self.status != 200)


@dataclass
class Faults:
    """The faults that are still to happen, first ordered first."""

    ordered: list[Fault] = field(default_factory=list)

    def order(self, fault: Fault) -> Fault:
        """Let it happen."""
        self.ordered.append(fault)
        return fault

    def next_for(self, method: str) -> Fault | None:
        """The fault that this call meets, if any; it is used up by one."""
        for fault in self.ordered:
            if fault.method in ("*", method):
                fault.times -= 1
                if fault.times <= 0:
                    self.ordered.remove(fault)
                return fault
        return None
