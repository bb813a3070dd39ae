"""Weights of models that run here: what `parley models` lists and fetches, whichever provider keeps them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class PullProgress:
    """How far the download of one file is."""

    model: str
    file: str
    done_bytes: int
    total_bytes: int
    note: str = ""
    """A remark for the person, such as why another source is tried."""


class Weights(Protocol):
    """All files of one model."""

    @property
    def name(self) -> str: ...
    @property
    def purpose(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def licence(self) -> str: ...
    @property
    def size_bytes(self) -> int: ...


class WeightsItem(Protocol):
    """One line of `parley models list`."""

    @property
    def weights(self) -> Weights: ...
    @property
    def is_there(self) -> bool:
        """All its files are on this machine."""

    @property
    def is_wanted(self) -> bool:
        """`parley models pull` without names would fetch it."""


class WeightsLibrary(Protocol):
    """The weights that one provider knows, and the folder they are kept in."""

    def items(self) -> Sequence[WeightsItem]:
        """Every known model, and whether it is here."""

    def pull(self, tell: Callable[[PullProgress], None], only: Collection[str] | None = None) -> Sequence[Weights]:
        """Fetch what is missing, or the models of these names; returns the models that are here afterwards.

        Raises UnavailableError, ProviderError, StoreError.
        """
