"""The composition root: a Config in, a wired App out, and the order in which things start and stop."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from functools import partial
from typing import Any, TypeAlias

import adapters as adapter_folders
from bot import telemetry
from bot.background import keep_listening, keep_pruning, warm_up
from bot.clock import SystemClock
from bot.config import Config, limits_of, secrets_of
from bot.database import migrated, serving, store_url
from bot.engine import run_job
from bot.engine.commands import SPECS
from bot.engine.personas import personas
from bot.engine.runtime import Models, Runtime
from bot.host import make_host
from bot.inbox import Inbox
from bot.jobs.inline import InlineJobs
from bot.jobs.recorded import RecordedJobs
from bot.loop_watch import LoopWatch
from bot.models_chosen import choose_models, create_providers, hints
from bot.policy.limits import Limits
from bot.ports import Adapter, Clock, Host, Jobs, Provider, Step
from bot.ports.plugins import AdapterPlugin
from bot.readiness import Readiness
from bot.redaction import Secrets
from bot.store import Store, open_store, tenants
from bot.store.bus import MemoryBus, open_bus
from bot.store.outcomes import StoreStepJournal
from bot.store.workers import StoreWorkerRegistry
from bot.types import Accepted, Inbound, Modality

STALE_AFTER = timedelta(seconds=30)
"""A turn that was asked for so long ago, and that nobody works on, is handed over again, which is harmless if it was before."""
SWEEP_S = 5.0
"""Between two looks for what dead processes left, where many processes work."""
Background: TypeAlias = Callable[[], Coroutine[Any, Any, None]]


class App:
    """One Parley. `running` gives it life; what is documented below exists while it runs."""

    store: Store
    bus: MemoryBus
    inbox: Inbox
    jobs: Jobs
    runtime: Runtime
    host: Host
    readiness: Readiness
    adapters: dict[str, Adapter]
    providers: dict[str, Provider]
    models: dict[Modality, str]
    """The model chosen for each modality; empty when it is off."""
    port: int = 0
    """Where the page is served, while it is."""
    url: str = ""
    """The same for a program on this machine."""
    page_url: str = ""
    """Where a person on this machine enters the page. It may hold a key that lets them in, so it is for the terminal alone."""

    def __init__(
        self,
        config: Config,
        only: Collection[str] | None = None,
        *,
        clock: Clock | None = None,
        name: str = "main",
        durable: bool = True,
        sweep_s: float = SWEEP_S,
        more: Mapping[str, Adapter] | None = None,
        plugins: Mapping[str, AdapterPlugin[Any]] | None = None,
        limits: Limits | None = None,
    ) -> None:
        """only: the adapters to have, None for all that are set up. name: of this process, when the environment names none.

        durable: False keeps jobs in memory alone, for tests. sweep_s: between looks for what dead processes left.
        more: adapters made elsewhere. plugins: by name, in place of those that the folders hold.
        limits: in place of those that the configuration gives.
        """
        self.config = config
        self.clock: Clock = clock or SystemClock()
        key = config.parley_secret_key
        self.seal = tenants.Seal(key.get_secret_value() if key else "")
        self._only = only
        self._more = dict(more or {})
        self._plugins = dict(plugins or {})
        self._name = name
        self._durable = durable
        self._sweep_s = sweep_s
        self._limits = limits
        self._secrets = Secrets()
        self._sockets: Sequence[socket.socket] = ()
        self._entrance_key = secrets.token_urlsafe(16)

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
            self._secrets.learn(*secrets_of(self.config), self._entrance_key)
            stack.callback(self._secrets.close)
            if serve:
                self._bind(stack)
            await self._open_store(stack, serves=take_over)
            self._create_parts(stack, take_over=take_over)
            self._create_adapters(stack)
            await self._start_jobs(stack, work=work)
            for start in self._background(listen=listen, work=work, serve=serve, take_over=take_over):
                stack.push_async_callback(_cancel, asyncio.create_task(start()))
            if serve:
                await self._serve(stack)
            self.readiness.is_started = True
            stack.callback(setattr, self.readiness, "is_started", False)
            yield self

    def _bind(self, stack: AsyncExitStack) -> None:
        """Take the port before anything is begun: that it is taken is the commonest failure of a second start."""
        from bot.web import bind, close

        self._sockets = bind(self.config.host, self.config.port)
        stack.callback(close, self._sockets)

    async def _open_store(self, stack: AsyncExitStack, *, serves: bool) -> None:
        self.store = open_store(store_url(self.config))
        stack.push_async_callback(self.store.close)
        if serves:
            stack.enter_context(serving(self.store))
        await migrated(self.store)
        self.bus = open_bus(self.store)
        stack.push_async_callback(self.bus.close)
        await self.bus.start()

    def _create_parts(self, stack: AsyncExitStack, *, take_over: bool) -> None:
        """Everything but the adapters, which are lent what is made here."""
        self.adapters = {}
        self.providers = create_providers(self.config)
        for provider in self.providers.values():
            stack.push_async_callback(provider.close)
        self.models = choose_models(self.config, self.providers)
        hinted = hints(self.config)
        self.jobs = self._make_jobs(StoreWorkerRegistry(self.store), take_over=take_over)
        self.runtime = Runtime(
            store=self.store,
            bus=self.bus,
            clock=self.clock,
            jobs=self.jobs,
            adapters=self.adapters,
            models=Models(self.providers, self.models, hinted, self.config.operator_models()),
            system_prompt=self.config.system_prompt,
            personas=personas(self.config.personas),
            max_attachment_bytes=self.config.max_attachment_mb * 2**20,
            limits=self._limits or limits_of(self.config),
        )
        self.inbox = Inbox(self.store, self.jobs, self.bus, self.clock, SPECS, self.runtime.limits)
        self.readiness = Readiness(
            self.config, self.store, self.clock, self.providers, self.adapters, self.models, hinted
        )
        self.host = make_host(
            self.runtime,
            self.seal,
            self._secrets,
            self.inbox.tenant_of,
            self.readiness.diagnostics,
            self._entrance_key,
        )

    def _create_adapters(self, stack: AsyncExitStack) -> None:
        self.adapters.update(self._more)
        for name, plugin in {**adapter_folders.plugins(), **self._plugins}.items():
            if (self._only is None or name in self._only) and not plugin.missing(self.config):
                self.adapters[name] = plugin.create(self.config, self.host)
                stack.push_async_callback(self.adapters[name].close)

    async def _start_jobs(self, stack: AsyncExitStack, *, work: bool) -> None:
        stack.push_async_callback(self.inbox.close)
        await self.jobs.start(self._run_job, working=work)
        stack.push_async_callback(self.jobs.close)
        if work:
            await self.inbox.requeue_unfinished("" if self.store.is_shared else self.jobs.name)

    def _make_jobs(self, workers: StoreWorkerRegistry, *, take_over: bool) -> Jobs:
        if not self._durable:
            return InlineJobs(self.clock)
        concurrency = self.config.worker_concurrency
        if not self.store.is_shared:
            return RecordedJobs(
                StoreStepJournal(self.store, self.clock),
                workers,
                self.clock,
                name=self.config.worker_name or self._name,
                concurrency=concurrency,
                take_over=take_over,
                requeue_of_dead=self._requeue_of_dead,
            )
        from bot.jobs.durable import DurableJobs  # its library takes a while to import, and SQLite does without

        return DurableJobs(
            self.store.url.set(drivername="postgresql"),
            workers,
            self.clock,
            name=self.config.worker_name or worker_name(),
            concurrency=concurrency,
            take_over=take_over,
            requeue_stale=self._requeue_stale,
            sweep_s=self._sweep_s,
        )

    async def _requeue_of_dead(self, dead: Sequence[str]) -> None:
        """Hand over again the turns that dead processes left."""
        await self.inbox.requeue_unfinished(self.jobs.name, tuple(dead))

    async def _requeue_stale(self) -> None:
        """Hand over the turns that another process wrote down and did not live to hand over, where many processes work."""
        await self.inbox.requeue_unfinished("", before=self.clock.now() - STALE_AFTER)

    async def _run_job(self, turn_id: str, step: Step) -> None:
        await run_job(turn_id, step, self.runtime)

    def _background(self, *, listen: bool, work: bool, serve: bool, take_over: bool) -> list[Background]:
        tasks: list[Background] = [partial(self.runtime.stops.listen, self.bus)]
        if listen:
            tasks += [partial(keep_listening, one, self.accept, self.clock) for one in self.adapters.values()]
        if work:
            tasks.append(partial(self.runtime.deliveries.keep_showing, self.runtime))
        if work and take_over:
            tasks.append(partial(keep_pruning, self.store, self.jobs, self.clock))
        if self._durable:
            tasks.append(LoopWatch().watch)
        if work and (serve or listen):
            tasks.append(partial(warm_up, self.providers, self.models))
        return tasks

    async def _serve(self, stack: AsyncExitStack) -> None:
        from bot.web import MAX_BODY_BYTES, ConnectionLimits, WebServer

        limits = ConnectionLimits(
            total=self.config.max_connections,
            per_address=self.config.max_connections_per_address,
            request_bytes=self.config.max_attachment_mb * 2**20 + MAX_BODY_BYTES,
        )
        server = WebServer(
            self.config.host,
            self.config.port,
            routes=[route for adapter in self.adapters.values() for route in adapter.routes(self.accept)],
            ready=self.readiness.parts,
            render=telemetry.metrics,
            sockets=self._sockets,
            limits=limits,
            token=token.get_secret_value() if (token := self.config.metrics_token) else "",
        )
        await server.start()
        stack.push_async_callback(server.stop)
        self.port, self.url = server.port, server.url
        self.page_url = server.url + self._entrance()
        self.readiness.page_url = server.url

    def _entrance(self) -> str:
        """The path by which a person on this machine enters the page, of the first adapter that has one."""
        plugins = {**adapter_folders.plugins(), **self._plugins}
        pages = (one.entrance for name in self.adapters if (one := plugins.get(name)) and one.entrance)
        return next((enter(self.config, self._entrance_key) for enter in pages), "")


def worker_name() -> str:
    """The name of this process where the environment gives none: the host's, which is equal after a restart."""
    return socket.gethostname() or "worker"


async def _cancel(task: asyncio.Task[Any]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


__all__ = ["App", "worker_name"]
