"""The composition root: a Config in, a wired App out, and the order in which things start and stop."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import socket
import time
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy.engine import URL

import adapters as adapter_folders
from bot import config as configuration
from bot import providers as provider_folders
from bot import telemetry
from bot.config import Config
from bot.engine import run_job
from bot.engine.commands import SPECS, choose, usage_table
from bot.engine.personas import personas
from bot.engine.runtime import CANNOT, VARIABLE, Models, Runtime
from bot.errors import BotError, ConfigError, StoreError
from bot.inbox import Inbox
from bot.jobs.inline import InlineJobs
from bot.jobs.recorded import RecordedJobs
from bot.ports import Adapter, Blobs, Bus, Clock, Installation, Jobs, Provider
from bot.store import Store, conversations, open_store, tenants, timeline
from bot.store.blobs import TenantBlobs, drop_unused_everywhere
from bot.store.bus import MemoryBus, open_bus
from bot.store.migrate import migrate
from bot.store.outcomes import StoreStepJournal
from bot.store.workers import StoreWorkerRegistry
from bot.types import (
    MODALITIES,
    Accepted,
    Address,
    Blob,
    CommandSpec,
    Conversation,
    Diagnostic,
    Inbound,
    Modality,
    ModelProfile,
    ResumePoint,
    Scope,
    Settings,
    TimelineEntry,
)

LEVELS = ("ok", "off", "warning", "error")
"""Of findings, the worst last."""
POSTGRES_PORT = 5432
TIDY_S = 3_600
KEEP_STEPS = timedelta(days=1)
"""What a turn's steps gave is needed until the turn has ended; a day more helps to look into trouble."""
NOT_HANDED_OVER = timedelta(seconds=30)
"""A turn that was asked for so long ago is handed over again, which is harmless if it was before."""
LISTEN_AGAIN_S = (1, 5, 30, 120)
WARN_BEFORE = timedelta(days=180)
log = logging.getLogger(__name__)


class SystemClock:
    """Time as it is."""

    def now(self) -> datetime:
        """The time in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds from some fixed moment."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


def store_url(config: Config) -> str:
    """Where the database is: as configured, or a SQLite file in the home folder."""
    if config.database_url:
        return config.database_url.get_secret_value()
    return URL.create("sqlite", database=str(config.parley_home / "parley.db")).render_as_string()


class _AddressBlobs:
    """The bytes of the tenant that an address belongs to, found out when they are asked for."""

    def __init__(self, app: App, address: Address) -> None:
        self._app = app
        self._address = address

    async def _blobs(self) -> TenantBlobs:
        return TenantBlobs(self._app.store, await self._app.inbox.tenant_of(self._address))

    async def read(self, blob: Blob) -> bytes:
        """The bytes."""
        return await (await self._blobs()).read(blob)

    async def write(self, data: bytes, mime_type: str) -> Blob:
        """Keep the bytes."""
        return await (await self._blobs()).write(data, mime_type)


class AppHost:
    """The `Host` port: what adapters and providers are lent."""

    def __init__(self, app: App) -> None:
        self._app = app

    @property
    def clock(self) -> Clock:
        """Time."""
        return self._app.clock

    @property
    def bus(self) -> Bus:
        """News between processes."""
        return self._app.bus

    @property
    def commands(self) -> Mapping[str, CommandSpec]:
        """Every slash command by its name."""
        return SPECS

    @property
    def models(self) -> Mapping[Modality, str]:
        """The configured model of each modality."""
        return self._app.models

    def chat_models(self) -> Sequence[str]:
        """The chat models that a person may choose, as `provider:model`."""
        return self._app.runtime.models.available()

    def personas(self) -> Sequence[str]:
        """The names that `/persona` knows."""
        return tuple(self._app.runtime.personas)

    def diagnostics(self) -> Sequence[Diagnostic]:
        """What is on and what is off."""
        return self._app.diagnostics()

    def blobs(self, address: Address) -> Blobs:
        """The bytes of the tenant that this place belongs to."""
        return _AddressBlobs(self._app, address)

    async def timeline(self, address: Address, limit: int = 200) -> Sequence[TimelineEntry]:
        """The newest messages of the conversation held there, oldest first."""
        async with self._app.store.read(await self._app.inbox.tenant_of(address)) as tx:
            held = await conversations.find_open(tx, address)
            return await timeline.load_timeline(tx, held, limit) if held is not None else []

    async def conversations(
        self, platform: str, workspace: str, author_id: str, limit: int = 100
    ) -> Sequence[Conversation]:
        """The conversations in which this person takes part, newest first."""
        tenant_id = await self._app.inbox.tenant_of(Address(platform, workspace, ""))
        async with self._app.store.read(tenant_id) as tx:
            return await conversations.by_author(tx, platform, workspace, author_id, limit)

    async def settings(self, address: Address, author_id: str) -> Settings:
        """What holds for this person at this place."""
        async with self._app.store.read(await self._app.inbox.tenant_of(address)) as tx:
            return await tenants.effective_settings(tx, address, author_id)

    async def usage(self, address: Address, author_id: str) -> str:
        """What this person's calls used in the last 30 days, as Markdown."""
        async with self._app.store.read(await self._app.inbox.tenant_of(address)) as tx:
            return await usage_table(tx, author_id, self.clock.now(), 30)

    async def set_setting(self, address: Address, author_id: str, scope: Scope, name: str, value: str) -> str:
        """Set or reset a setting; gives the sentence for the person."""
        async with self._app.store.begin(await self._app.inbox.tenant_of(address)) as tx:
            return await choose(tx, self._app.runtime, address, author_id, scope, name, value)

    async def resume_points(self, platform: str, since: datetime) -> Sequence[ResumePoint]:
        """The newest message of each conversation in which something happened since then."""
        return await conversations.resume_points(self._app.store, platform, since)

    async def installation(self, platform: str, workspace: str) -> Installation | None:
        """What was kept when Parley was installed there."""
        return await tenants.installation(self._app.store, self._app.seal, platform, workspace)

    async def keep_installation(self, installation: Installation) -> None:
        """Keep it, its secrets sealed."""
        await tenants.keep_installation(self._app.store, self._app.seal, installation, self.clock.now())

    async def drop_installation(self, platform: str, workspace: str) -> None:
        """Forget it and its secrets."""
        await tenants.drop_installation(self._app.store, platform, workspace)


class App:
    """One Parley. `running` gives it life; what is documented below exists while it runs."""

    store: Store
    bus: MemoryBus
    inbox: Inbox
    jobs: Jobs
    runtime: Runtime
    adapters: dict[str, Adapter]
    providers: dict[str, Provider]
    models: dict[Modality, str]
    """The model chosen for each modality; empty when it is off."""
    port: int = 0
    """Where the page is served, while it is."""
    url: str = ""
    """The same for a browser on this machine."""

    def __init__(
        self,
        config: Config,
        only: Collection[str] | None = None,
        *,
        clock: Clock | None = None,
        name: str = "main",
        durable: bool = True,
        more: Mapping[str, Adapter] | None = None,
    ) -> None:
        """only: the adapters to have, None for all that are set up. name: of this process, when the environment names none.

        durable: False keeps jobs in memory alone, for tests. more: adapters made elsewhere.
        """
        self._more = dict(more or {})
        self.config = config
        self.clock: Clock = clock or SystemClock()
        self.seal = tenants.Seal(_secret(config, "parley_secret_key"))
        self.host = AppHost(self)
        self._only = only
        self._name = name
        self._durable = durable
        self._ready = False
        self._sockets: Sequence[socket.socket] = ()

    async def accept(self, inbound: Inbound) -> Accepted:
        """The only way in."""
        return await self.inbox.accept(inbound)

    @asynccontextmanager
    async def running(
        self, *, listen: bool = False, work: bool = True, serve: bool = False, take_over: bool = True
    ) -> AsyncIterator[App]:
        """Start in order, stop in the opposite one. Raises ConfigError, StoreError.

        listen: hold the platforms' sockets. work: answer turns here. serve: the web server. take_over: finish what dead processes
        of the same installation left.
        """
        async with AsyncExitStack() as stack:
            if serve:
                self._bind(stack)
            await self._open_store(stack)
            self._create(stack)
            await self._start_work(stack, work=work, take_over=take_over)
            background: list[Callable[[], Coroutine[Any, Any, None]]] = [partial(self.runtime.stops.listen, self.bus)]
            if listen:
                background += [partial(self._listen, adapter) for adapter in self.adapters.values()]
            if work and take_over:
                background.append(self._tidy)
            if work and (serve or listen):
                background.append(self._warm_up)
            for start in background:
                stack.push_async_callback(_cancel, asyncio.create_task(start()))
            if serve:
                await self._serve(stack)
            self._ready = True
            stack.callback(setattr, self, "_ready", False)
            yield self

    def _bind(self, stack: AsyncExitStack) -> None:
        """Take the port before anything is begun: that it is taken is the commonest failure of a second start."""
        from bot.web import bind, close

        self._sockets = bind(self.config.host, self.config.port)
        stack.callback(close, self._sockets)

    async def _open_store(self, stack: AsyncExitStack) -> None:
        self.store = open_store(store_url(self.config))
        stack.push_async_callback(self.store.close)
        await migrated(self.store)
        self.bus = open_bus(self.store)
        stack.push_async_callback(self.bus.close)
        await self.bus.start()

    def _create(self, stack: AsyncExitStack) -> None:
        self.providers = {}
        for name, plugin in provider_folders.plugins().items():
            is_wanted = not plugin.only_when_named or self._is_named(name)
            if is_wanted and not plugin.missing(self.config):
                self.providers[name] = plugin.create(self.config)
                stack.push_async_callback(self.providers[name].close)
        self.models = {modality: self._choose(modality) for modality in MODALITIES}
        self.adapters = dict(self._more)
        for name, folder in adapter_folders.plugins().items():
            wanted = self._only is None or name in self._only
            if wanted and not folder.missing(self.config):
                self.adapters[name] = folder.create(self.config, self.host)
                stack.push_async_callback(self.adapters[name].close)

    def _is_named(self, provider: str) -> bool:
        return any(self.config.named_model(modality).startswith(f"{provider}:") for modality in MODALITIES)

    def _choose(self, modality: Modality) -> str:
        named = self.config.named_model(modality)
        if named == "none":
            return ""
        if named:
            provider, _, model = named.partition(":")
            plugin = provider_folders.load(provider)
            if problem := plugin.validate(modality, model):
                raise ConfigError(f"{VARIABLE[modality]}={named}: {problem}.")
            if provider not in self.providers:
                lacking = ", ".join(plugin.missing(self.config)) or provider
                raise ConfigError(f"{VARIABLE[modality]}={named}: {provider} is not set up here; it needs {lacking}.")
            return named
        for name in self._preferred():
            if name in self.providers and (model := self.providers[name].default(modality)):
                return f"{name}:{model}"
        return ""

    def _preferred(self) -> list[str]:
        """The providers whose models are taken unasked, the preferred first."""
        plugins = provider_folders.plugins()
        return sorted(
            (one for one in plugins if not plugins[one].only_when_named), key=lambda one: plugins[one].preference
        )

    async def _start_work(self, stack: AsyncExitStack, *, work: bool, take_over: bool) -> None:
        config = self.config
        workers = StoreWorkerRegistry(self.store)
        self.jobs = self._make_jobs(workers, take_over=take_over)
        self.runtime = Runtime(
            store=self.store,
            bus=self.bus,
            clock=self.clock,
            jobs=self.jobs,
            adapters=self.adapters,
            models=Models(self.providers, self.models, {modality: self._way(modality) for modality in MODALITIES}),
            system_prompt=config.system_prompt,
            personas=personas(config.personas),
            max_attachment_bytes=config.max_attachment_mb * 2**20,
        )
        self.inbox = Inbox(self.store, self.jobs, self.bus, self.clock, SPECS)
        stack.push_async_callback(self.inbox.close)
        await self.jobs.start({"turn": self._run_job}, working=work)
        stack.push_async_callback(self.jobs.close)
        if work:
            await self.inbox.requeue_unfinished("" if self.store.is_shared else self.jobs.name)

    def _make_jobs(self, workers: StoreWorkerRegistry, *, take_over: bool) -> Jobs:
        if not self._durable:
            return InlineJobs(self.clock)
        if not self.store.is_shared:
            return RecordedJobs(
                StoreStepJournal(self.store, self.clock),
                workers,
                self.clock,
                name=self.config.worker_name or self._name,
                concurrency=self.config.worker_concurrency,
                take_over=take_over,
                adopt=self._adopt,
            )
        from bot.jobs.durable import DurableJobs  # its library takes a while to import, and SQLite does without

        url = self.store.url.set(drivername="postgresql")
        name, concurrency = self.config.worker_name or worker_name(), self.config.worker_concurrency
        return DurableJobs(
            url, workers, self.clock, name=name, concurrency=concurrency, take_over=take_over, mend=self._mend
        )

    async def _adopt(self, dead: Sequence[str]) -> None:
        """What dead processes left is handed over again."""
        await self.inbox.requeue_unfinished(self.jobs.name, tuple(dead))

    async def _mend(self) -> None:
        """Where many processes work: what one wrote down and did not live to hand over is handed over by another."""
        await self.inbox.requeue_unfinished("", before=self.clock.now() - NOT_HANDED_OVER)

    async def _run_job(self, turn_id: str, step: Any) -> None:
        await run_job(turn_id, step, self.runtime)

    async def _listen(self, adapter: Adapter) -> None:
        """Hold a platform's socket; one platform's trouble is no other's."""
        failures = 0
        while True:
            began = self.clock.monotonic()
            try:
                await adapter.listen(self.accept)
                return
            except BotError as error:
                log.error("%s: %s", adapter.name, error.text)
            except Exception:  # the edge of the listen loop
                log.exception("%s stopped listening", adapter.name)
            failures = 0 if self.clock.monotonic() - began > LISTEN_AGAIN_S[-1] else failures + 1
            await self.clock.sleep(LISTEN_AGAIN_S[min(failures, len(LISTEN_AGAIN_S)) - 1])

    async def _tidy(self) -> None:
        while True:
            with suppress(BotError):
                await drop_unused_everywhere(self.store, self.clock.now())
                await self.jobs.prune(self.clock.now() - KEEP_STEPS)
            await self.clock.sleep(TIDY_S)

    async def _serve(self, stack: AsyncExitStack) -> None:
        from bot.web import WebServer

        server = WebServer(
            self.config.host,
            self.config.port,
            routes=[route for adapter in self.adapters.values() for route in adapter.routes(self.accept)],
            ready=self.readiness,
            render=telemetry.metrics,
            sockets=self._sockets,
        )
        await server.start()
        stack.push_async_callback(server.stop)
        self.port, self.url = server.port, server.url

    async def _warm_up(self) -> None:
        """Import the models' libraries now, beside the loop, rather than on the first question."""
        for modality, name in self.models.items():
            if name:
                with suppress(BotError):
                    await asyncio.to_thread(self._profile, modality, name)

    async def readiness(self) -> dict[str, str]:
        """The parts that must work before traffic should come; an empty text where all is well."""
        try:
            await self.store.ping()
        except BotError as error:
            return {"store": error.text}
        return {"store": "", "jobs": "" if self._ready else "starting"}

    def diagnostics(self) -> list[Diagnostic]:
        """What is on, and what is off with the setting that brings it; asks nobody outside."""
        backend = self.store.url.get_backend_name()
        findings = [
            Diagnostic("store", "ok", self.store.url.set(drivername=backend).render_as_string(), "DATABASE_URL")
        ]
        for modality in MODALITIES:
            findings.append(self._model_finding(modality))
        for name, plugin in adapter_folders.plugins().items():
            if not plugin.is_listed:
                continue
            lacking = ", ".join(plugin.missing(self.config))
            on = f"on at {self.url}" if self.url and plugin.has_page else "on"
            findings.append(Diagnostic(name, "off" if lacking else "ok", f"set {lacking}" if lacking else on, lacking))
        return findings

    def _model_finding(self, modality: Modality) -> Diagnostic:
        name, variable = self.models[modality], VARIABLE[modality]
        if not name:
            return Diagnostic(modality, "off", f"cannot {CANNOT[modality]}: {self._way(modality)}", variable)
        try:
            profile = self._profile(modality, name)
        except BotError as error:
            return Diagnostic(modality, "error", f"{name}: {error.text}", variable)
        if profile.shutdown_at is None or profile.shutdown_at - self._today() > WARN_BEFORE:
            return Diagnostic(modality, "ok", name, variable)
        verb = "was shut down" if profile.shutdown_at <= self._today() else "will be shut down"
        text = f"{name} {verb} on {profile.shutdown_at}; its successor is {profile.successor or 'not named yet'}"
        return Diagnostic(modality, "warning", text, variable)

    def _way(self, modality: Modality) -> str:
        """What brings a model that is off: what each provider knows of it, the nearest first."""
        if self.config.named_model(modality) == "none":
            return f"set {VARIABLE[modality]} to something else than none"
        plugins = [provider_folders.load(name) for name in reversed(self._preferred())]
        return ", or ".join(hint for plugin in plugins if (hint := plugin.hint(modality, self.config)))

    def _profile(self, modality: Modality, name: str) -> ModelProfile:
        provider, _, model = name.partition(":")
        maker = self.providers[provider]
        makers: Mapping[Modality, Callable[[str], Any]] = {
            "chat": maker.chat,
            "transcribe": maker.speech_to_text,
            "speech": maker.text_to_speech,
            "image": maker.image_generator,
            "embedding": maker.embedder,
        }
        made: ModelProfile = makers[modality](model).profile
        return made

    def _today(self) -> date:
        return self.clock.now().date()

    async def findings(self) -> list[Diagnostic]:
        """What `doctor` says: the overview, and what each provider and adapter finds when it asks outside."""
        found: list[Diagnostic] = []
        for name, provider in self.providers.items():
            mine = {
                modality: model.partition(":")[2]
                for modality, model in self.models.items()
                if model.partition(":")[0] == name
            }
            found += await provider.check(mine)
        for adapter in self.adapters.values():
            found += await adapter.check()
        return _each_once(self.diagnostics(), found)


def _each_once(overview: Sequence[Diagnostic], checked: Sequence[Diagnostic]) -> list[Diagnostic]:
    """One fault is one row: what a check says about a subject stands in place of the overview's row, unless that is worse."""
    worse = {one.subject for one in overview if LEVELS.index(one.level) > _worst(checked, one.subject)}
    kept = [one for one in checked if one.subject not in worse]
    rows: list[Diagnostic] = []
    for one in overview:
        rows += [found for found in kept if found.subject == one.subject] or [one]
    known = {one.subject for one in overview}
    return rows + [one for one in kept if one.subject not in known]


def _worst(findings: Sequence[Diagnostic], subject: str) -> int:
    return max((LEVELS.index(one.level) for one in findings if one.subject == subject), default=len(LEVELS))


async def migrated(store: Store) -> None:
    """Bring the database to this version. Raises ConfigError when a server is named that does not let us in, StoreError."""
    try:
        await migrate(store)
    except StoreError as error:
        if not store.is_shared:
            raise
        raise ConfigError(_no_database(store.url, error.detail), detail=error.detail) from error


def _no_database(url: URL, cause: str) -> str:
    """Names the variable and the server, never the password. cause: the driver's words, of which the last line says why."""
    at = f"{url.host or 'localhost'}:{url.port or POSTGRES_PORT}"
    why = re.sub(r"^.*(failed|FATAL|ERROR): +", "", cause.strip().partition("\n")[0]).rstrip(".")
    if any(word in why.lower() for word in ("refused", "timeout", "time out", "timed out", "resolve", "unreachable")):
        return f"DATABASE_URL: no PostgreSQL answers at {at} ({why}); start it, or set DATABASE_URL to where it is."
    return f"DATABASE_URL: the PostgreSQL at {at} lets us not in: {why}."


def worker_name() -> str:
    """A name that is equal after a restart: the platform's own for this process, or the host's."""
    return os.environ.get("DYNO") or socket.gethostname() or "worker"


def _secret(config: Config, name: str) -> str:
    value = getattr(config, name, None)
    return value.get_secret_value() if value else ""


async def _cancel(task: asyncio.Task[Any]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


__all__ = ["App", "AppHost", "SystemClock", "configuration", "store_url", "worker_name"]
