"""The whole stack: starts, inspects, kills and stops its servers."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self

from devstack.addresses import Addresses
from devstack.databases import ROLES, ensure_databases
from devstack.kafka import Kafka
from devstack.keys import ensure_key, key_file, scopes_of
from devstack.mail import Mail
from devstack.ports import free_port, is_free
from devstack.postgres import ADMIN, Postgres
from devstack.processes import Running, find, last_line, spawn
from devstack.profile import profile_of
from devstack.reporting import Reporter, SilentReporter
from devstack.servers import Context, Server
from devstack.services import NUMBERS, Service
from devstack.state import Home, SavedState
from devstack.topics import ensure_topics
from premium.database import transaction
from premium.errors import CommandError
from premium.profile import SERVICES, Profile, read_profile
from shared.basics.clock import elapsed_s
from shared.platform.api_keys import SCOPES, Keyed

__all__ = ["Stack", "State"]

_POSTGRES: Final = Postgres()
_KAFKA: Final = Kafka()
_MAIL: Final = Mail()
_SERVICES: Final[dict[str, Service]] = {name: Service(name) for name in SERVICES}
_SERVERS: Final[dict[str, Server]] = {
    _POSTGRES.name: _POSTGRES,
    _KAFKA.name: _KAFKA,
    _MAIL.name: _MAIL,
    **_SERVICES,
}
"""All servers, in the order of starting."""

_READY_S: Final = 120
_POLL_S: Final = 0.05
_TRIES: Final = 3


@dataclass(frozen=True)
class State:
    """The state of one server. ``reason`` says why it is not ready; None: it is ready."""

    name: str
    title: str
    pid: int | None
    reason: str | None


class Stack:
    """A stack in its data folder. Several stacks may run at once, each in its own folder."""

    def __init__(
        self,
        home: Path,
        *,
        kafka_bootstrap: str | None = None,
        postgres_dsn: str | None = None,
        postgres_pooler: str | None = None,
        report: Reporter | None = None,
    ) -> None:
        """Describe a stack; start nothing yet.

        An external server is used instead of one that the stack starts: Kafka at
        ``kafka_bootstrap``, PostgreSQL at ``postgres_dsn`` (an admin's). ``postgres_pooler``
        (host:port) is where services connect to their databases; this class connects directly.
        """
        self._home = Home(home)
        self._kafka_bootstrap = kafka_bootstrap
        self._postgres_dsn = postgres_dsn
        self._postgres_pooler = postgres_pooler
        self._report = report or SilentReporter()

    @classmethod
    def attach(cls, home: Path, report: Reporter | None = None) -> Self:
        """Return the stack of a folder. Raises CommandError if `up` never ran there."""
        folder = Home(home)
        if not folder.exists:
            raise CommandError(f"no stack in {folder.folder}: run `premium up`")
        saved = folder.load()
        return cls(
            home,
            kafka_bootstrap=saved.kafka_bootstrap,
            postgres_dsn=saved.postgres_dsn,
            postgres_pooler=saved.postgres_pooler,
            report=report,
        )

    @property
    def folder(self) -> Path:
        """The data folder."""
        return self._home.folder

    @property
    def addresses(self) -> Addresses:
        """The addresses of all servers."""
        return Addresses(self._home.load())

    @property
    def profile(self) -> Profile:
        """The profile with which operators' commands reach this stack."""
        return read_profile(self._home.profile)

    def log(self, name: str) -> Path:
        """Return the path of a server's log."""
        return self._home.logs / f"{_server(name).name}.log"

    async def up(self, services: bool | Iterable[str] = True) -> Addresses:  # noqa: FBT002 - reads
        """Start what does not run: all services, some, or PostgreSQL and Kafka alone.

        If anything fails, what this call started is stopped again.
        """
        chosen = _SERVICES if services is True else {n: _SERVICES[n] for n in services or ()}
        self._home.make()
        async with self._context() as context:
            self._prepare_state(context.saved)
            started: list[Server] = []
            try:
                await self._start_servers(context, started, list(chosen.values()))
                await _run_all(*(_start(context, started, s) for s in chosen.values()))
                _show_addresses(context)
            except BaseException:
                await _stop(replace(context, report=SilentReporter()), started)
                raise
        return self.addresses

    async def down(self, *, wipe: bool = False) -> None:
        """Stop everything, services first; with ``wipe``, delete the data as well."""
        if not self._home.exists:
            return
        async with self._context() as context:
            await _stop(context, list(_SERVERS.values()))
            if wipe:
                self._home.wipe()

    async def start(self, name: str) -> None:
        """Start one server unless it runs, and wait until it is ready."""
        async with self._context() as context:
            await _start(context, [], _server(name))
            _show_addresses(context)

    async def stop(self, name: str) -> None:
        """Stop one server gracefully; its data and the other servers stay."""
        async with self._context() as context:
            await _stop_one(context, _server(name))

    def kill(self, name: str) -> None:
        """Kill one server by SIGKILL. Raises CommandError if it does not run."""
        running = find(self._home.run, _server(name).name)
        if running is None:
            raise CommandError(f"{name} does not run")
        running.kill()

    async def states(self) -> list[State]:
        """Return the state of every server that the stack starts itself."""
        context = Context(self._home, self._home.load(), self._report)
        return await asyncio.gather(*(_state_of(context, server) for server in self._own_servers()))

    def running(self) -> tuple[list[str], list[str]]:
        """Return the names of the stack's servers that run, and of those that do not."""
        runs = {s.name: find(self._home.run, s.name) is not None for s in self._own_servers()}
        return [n for n in runs if runs[n]], [n for n in runs if not runs[n]]

    def _own_servers(self) -> list[Server]:
        external = {
            _KAFKA.name: self._kafka_bootstrap is not None,
            _POSTGRES.name: self._postgres_dsn is not None,
        }
        return [server for name, server in _SERVERS.items() if not external.get(name)]

    @asynccontextmanager
    async def _context(self) -> AsyncIterator[Context]:
        async with self._home.locked(self._report) as lock:
            yield Context(self._home, self._home.load(), self._report, lock)

    def _prepare_state(self, saved: SavedState) -> None:
        """Choose and save ports and passwords before a server needs them."""
        saved.kafka_bootstrap = self._kafka_bootstrap
        saved.postgres_dsn = self._postgres_dsn
        saved.postgres_pooler = self._postgres_pooler
        saved.generate_passwords((ADMIN, *ROLES, NUMBERS))
        for server in _SERVERS.values():
            _choose_ports(saved, [port for port in server.ports if port not in saved.ports])
        self._home.save(saved)

    async def _start_servers(
        self, context: Context, started: list[Server], services: list[Service]
    ) -> None:
        await _run_all(
            self._database_side(context, started, services),
            self._kafka_side(context, started),
            *([_start(context, started, _MAIL)] if services else []),
        )

    async def _database_side(
        self, context: Context, started: list[Server], services: list[Service]
    ) -> None:
        if self._postgres_dsn is None:
            await _start(context, started, _POSTGRES)
        await ensure_databases(Addresses(context.saved).admin_dsn, context.saved)
        idle = [service for service in services if find(context.home.run, service.name) is None]
        await _run_all(*(service.migrate(context) for service in idle))
        for name in SCOPES:
            if _SERVICES[name] in services:
                await _ensure_keys(context, name)

    async def _kafka_side(self, context: Context, started: list[Server]) -> None:
        if self._kafka_bootstrap is None:
            await _start(context, started, _KAFKA)
        await ensure_topics(Addresses(context.saved).kafka_bootstrap)


async def _ensure_keys(context: Context, service: Keyed) -> None:
    """Make the stack's own keys valid before their service starts."""
    owner = Addresses(context.saved).dsn(service, owner=True)
    async with transaction(owner, service) as tx:
        for admin in (False, True):
            if scopes_of(service, admin=admin):
                file = key_file(service, admin=admin)
                key = await ensure_key(tx, service, context.saved.keys.get(file), admin=admin)
                context.saved.keys[file] = key
                context.home.write_key(file, key)
    context.home.save(context.saved)


def _show_addresses(context: Context) -> None:
    """Write the file of addresses for shells, and the profile; ports are final only now."""
    addresses = Addresses(context.saved)
    apis: dict[str, str] = {name: addresses.http(name) for name in SCOPES}
    context.home.write_addresses(apis | {"kafka": addresses.kafka_bootstrap})
    context.home.write_profile(profile_of(context.saved))


def _server(name: str) -> Server:
    try:
        return _SERVERS[name]
    except KeyError:
        raise CommandError(f"there is no {name}: choose one of {', '.join(_SERVERS)}") from None


async def _run_all(*works: Coroutine[None, None, None]) -> None:
    """Run all concurrently; the first failure cancels the others and is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            for work in works:
                group.create_task(work)
    except* CommandError as failures:
        raise failures.exceptions[0] from None


async def _start(context: Context, started: list[Server], server: Server) -> None:
    """Start a server, or restart it if its settings changed; return when it is ready."""
    running = find(context.home.run, server.name)
    if running is not None and running.fingerprint == server.command(context).fingerprint:
        await _until_ready(context, server, running)
        context.report.line(f"{server.title} already runs")
        return
    if running is not None:
        context.report.line(f"{server.title} ran with other settings: restarting it")
        await running.stop(server.stop_by, server.stop_wait_s)
    started.append(server)
    for tries_left in reversed(range(_TRIES)):
        try:
            await _start_once(context, server)
        except _EndedError:
            if tries_left == 0 or all(map(is_free, _ports(context, server))):
                raise
        else:
            return


class _EndedError(CommandError):
    """A server ended while it started: perhaps another program took its port."""


async def _start_once(context: Context, server: Server) -> None:
    ports = context.saved.ports
    busy = {name: ports[name] for name in server.ports if not is_free(ports[name])}
    _choose_ports(context.saved, busy)
    for name, port in busy.items():
        context.report.line(
            f"{server.title} moves to port {ports[name]}: another program has {port}"
        )
    context.home.save(context.saved)
    await server.prepare(context)
    running = spawn(context.home.run, server.name, server.command(context))
    await _until_ready(context, server, running)
    context.report.line(f"{server.title} is ready")


async def _until_ready(context: Context, server: Server, running: Running) -> None:
    since_s = elapsed_s()
    log = context.home.logs / f"{server.name}.log"
    while (reason := await _fault_of(context, server, running)) is not None:
        if await running.ended(_POLL_S):
            raise _EndedError(
                f"{server.title} ended while it started: {last_line(log)} (see {log})"
            )
        if elapsed_s(since_s) > _READY_S:
            raise CommandError(f"{server.title} is not ready in {_READY_S} s: {reason} (see {log})")


async def _fault_of(context: Context, server: Server, running: Running) -> str | None:
    """Return why a server is not ready, such as another program on its port; None if it is."""
    ports = _ports(context, server)
    if any(map(is_free, ports)):
        return "it does not listen"
    if not running.listens_on(ports):
        return "another program listens on its port"
    return await server.probe(context)


def _ports(context: Context, server: Server) -> list[int]:
    return [context.saved.ports[name] for name in server.ports]


def _choose_ports(saved: SavedState, names: Iterable[str]) -> None:
    for name in names:
        saved.ports[name] = next(
            port for port in iter(free_port, None) if port not in saved.ports.values()
        )


async def _stop(context: Context, servers: Iterable[Server]) -> None:
    """Stop those of these servers that run: services first, then what they depend on."""
    stopping = set(servers)
    await asyncio.gather(*(_stop_one(context, s) for s in _SERVICES.values() if s in stopping))
    for server in (_MAIL, _KAFKA, _POSTGRES):
        if server in stopping:
            await _stop_one(context, server)


async def _stop_one(context: Context, server: Server) -> None:
    running = find(context.home.run, server.name)
    if running is not None:
        in_time = await running.stop(server.stop_by, server.stop_wait_s)
        context.report.line(f"{server.title} is stopped" + ("" if in_time else ", killed"))
    await server.clean_up(context)


async def _state_of(context: Context, server: Server) -> State:
    running = find(context.home.run, server.name)
    if running is None:
        return State(server.name, server.title, None, "does not run")
    reason = await _fault_of(context, server, running)
    return State(server.name, server.title, running.pid, reason)
