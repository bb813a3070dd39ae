"""What is on and what is off, what `doctor` finds when it asks outside, and whether traffic may come."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import adapters as folders
from bot.config import Config
from bot.engine.runtime import CAPABILITY_TEXT, VARIABLE
from bot.errors import BotError
from bot.exposure import exposure
from bot.media import apart, jail
from bot.models_chosen import profile_of
from bot.ports import Adapter, Clock, Provider
from bot.redaction import redact
from bot.store import Store
from bot.types import MODALITIES, Diagnostic, Modality
from bot.visible import visible

LEVELS = ("ok", "off", "warning", "error")
"""Of diagnostics, the worst last."""
log = logging.getLogger(__name__)
WARN_BEFORE = timedelta(days=180)
"""How long before its shutdown date a model is warned about."""


@dataclass
class Readiness:
    """Looks at one running Parley."""

    config: Config
    store: Store
    clock: Clock
    providers: Mapping[str, Provider]
    adapters: Mapping[str, Adapter]
    models: Mapping[Modality, str]
    hints: Mapping[Modality, str]
    """What brings a model that is off."""
    page_url: str = ""
    """Where a browser finds the page, while it is served."""
    is_started: bool = False

    async def parts(self) -> dict[str, str]:
        """The parts that must work before traffic should come, each with what is wrong; an empty text where all is well."""
        try:
            await self.store.ping()
        except BotError as error:
            return {"store": error.text}
        return {"store": "", "jobs": "" if self.is_started else "starting"}

    def diagnostics(self) -> list[Diagnostic]:
        """What is on, and what is off with the setting that brings it; asks nobody outside."""
        models = (self._model(modality) for modality in MODALITIES)
        return [_shown(one) for one in (self._store(), *self._files(), *models, *self._platforms())]

    async def checked(self) -> list[Diagnostic]:
        """The same, and what each provider and adapter finds when it asks outside: what `doctor` shows."""
        found: list[Diagnostic] = []
        for name, provider in self.providers.items():
            used = [(modality, *model.partition(":")) for modality, model in self.models.items()]
            models = {modality: model for modality, owner, _, model in used if owner == name}
            found += await _checked(name, provider.check(models))
        for name, adapter in self.adapters.items():
            found += await _checked(name, adapter.check())
        found += await readers_shut_in()
        found += exposure(self.config)
        return _each_once(self.diagnostics(), [_shown(one) for one in found])

    def _store(self) -> Diagnostic:
        url = self.store.url.set(drivername=self.store.url.get_backend_name())
        return Diagnostic("store", "ok", url.render_as_string(), "DATABASE_URL")

    def _files(self) -> list[Diagnostic]:
        """A warning when other users of this machine can read what people said."""
        if not (paths := self.store.open_to_others()):
            return []
        named = " ".join(shlex.quote(str(path)) for path in paths)
        text = f"other users of this machine can get at what people said; close it with: chmod go-rwx {named}"
        return [Diagnostic("files", "warning", text, "PARLEY_HOME")]

    def _model(self, modality: Modality) -> Diagnostic:
        name, variable = self.models[modality], VARIABLE[modality]
        if not name:
            return Diagnostic(modality, "off", f"cannot {CAPABILITY_TEXT[modality]}: {self.hints[modality]}", variable)
        try:
            profile = profile_of(self.providers, modality, name)
        except BotError as error:
            return Diagnostic(modality, "error", f"{name}: {error.text}", variable)
        today = self.clock.now().date()
        if profile.shutdown_at is None or profile.shutdown_at - today > WARN_BEFORE:
            return Diagnostic(modality, "ok", name, variable)
        verb = "was shut down" if profile.shutdown_at <= today else "will be shut down"
        text = f"{name} {verb} on {profile.shutdown_at}; its successor is {profile.successor or 'not named yet'}"
        return Diagnostic(modality, "warning", text, variable)

    def _platforms(self) -> list[Diagnostic]:
        rows: list[Diagnostic] = []
        for name, plugin in folders.plugins().items():
            if not plugin.is_listed:
                continue
            lacking = ", ".join(plugin.missing(self.config))
            on = f"on at {self.page_url}" if self.page_url and plugin.entrance else "on"
            rows.append(Diagnostic(name, "off" if lacking else "ok", f"set {lacking}" if lacking else on, lacking))
        return rows


async def readers_shut_in(readers: apart.Readers = apart.DOCUMENTS) -> list[Diagnostic]:
    """A warning where the system does not shut in the processes that open strangers' files."""
    if not (lacking := await readers.run("The limits of readers", jail.lacking)):
        return []
    text = f"a file that takes over the process that reads it is not shut in here: {', and '.join(lacking)}"
    return [Diagnostic("readers", "warning", f"{text}; Linux with Landlock and seccomp shuts it in")]


async def _checked(name: str, check: Awaitable[Sequence[Diagnostic]]) -> Sequence[Diagnostic]:
    """What a check found; a check that fails is a finding, and does not keep the others from being shown."""
    try:
        return await check
    except BotError as error:
        return [Diagnostic(name, "error", error.text)]
    except Exception as error:  # the edge of a check: a server may answer with anything
        log.exception("the check of %s failed", name)
        return [Diagnostic(name, "error", f"it answers with what cannot be understood ({type(error).__name__})")]


def _shown(found: Diagnostic) -> Diagnostic:
    """As a terminal may show it: names and errors in it are a server's words."""
    return replace(found, text=visible(redact(found.text)))


def _each_once(overview: Sequence[Diagnostic], checked: Sequence[Diagnostic]) -> list[Diagnostic]:
    """One fault is one row: what a check says about a subject stands in place of the overview's row, unless that is worse."""
    worse = {one.subject for one in overview if LEVELS.index(one.level) > _worst(checked, one.subject)}
    kept = [one for one in checked if one.subject not in worse]
    rows: list[Diagnostic] = []
    for one in overview:
        rows += [found for found in kept if found.subject == one.subject] or [one]
    known = {one.subject for one in overview}
    return rows + [one for one in kept if one.subject not in known]


def _worst(diagnostics: Sequence[Diagnostic], subject: str) -> int:
    return max((LEVELS.index(one.level) for one in diagnostics if one.subject == subject), default=len(LEVELS))
