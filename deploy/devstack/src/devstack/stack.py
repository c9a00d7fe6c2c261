"""The stack as a whole: brought up, looked at, broken on purpose, taken down."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self

from devstack.addresses import Addresses
from devstack.databases import ROLES, ensure_databases
from devstack.kafka import Kafka
from devstack.keys import keep_local
from devstack.mail import Mail
from devstack.ports import free_port, is_free
from devstack.postgres import ADMIN, Postgres
from devstack.processes import Running, find, last_line, spawn
from devstack.profile import profile_of
from devstack.reporting import Reporter, Silent
from devstack.servers import Server, Site
from devstack.services import NUMBERS, Service
from devstack.state import Home, Memory
from devstack.topics import ensure_topics
from premium.errors import CommandError
from premium.keys.store import connected
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
"""Everything that may run, in the order of starting."""

_READY_S: Final = 120
_LOOK_S: Final = 0.05
_TRIES: Final = 3


@dataclass(frozen=True)
class State:
    """What became of one server. ``reason`` says why it is not ready, and is None if it is."""

    name: str
    title: str
    pid: int | None
    reason: str | None


class Stack:
    """A stack in its data folder. Any number may run at once, each in a folder of its own."""

    def __init__(
        self,
        home: Path,
        *,
        kafka_bootstrap: str | None = None,
        postgres_dsn: str | None = None,
        postgres_pooler: str | None = None,
        report: Reporter | None = None,
    ) -> None:
        """Start nothing yet. A bootstrap or an admin's DSN names a server to use, not to start.

        A pooler's host:port is where services find their databases; the command goes past it.
        """
        self._home = Home(home)
        self._kafka_bootstrap = kafka_bootstrap
        self._postgres_dsn = postgres_dsn
        self._postgres_pooler = postgres_pooler
        self._report = report or Silent()

    @classmethod
    def attach(cls, home: Path, report: Reporter | None = None) -> Self:
        """Take up a stack that was brought up before. Raises CommandError if none was."""
        folder = Home(home)
        if not folder.exists:
            raise CommandError(f"no stack in {folder.folder}: run `premium up`")
        memory = folder.recall()
        return cls(
            home,
            kafka_bootstrap=memory.kafka_bootstrap,
            postgres_dsn=memory.postgres_dsn,
            postgres_pooler=memory.postgres_pooler,
            report=report,
        )

    @property
    def folder(self) -> Path:
        """The data folder."""
        return self._home.folder

    @property
    def addresses(self) -> Addresses:
        """Where everything is."""
        return Addresses(self._home.recall())

    @property
    def profile(self) -> Profile:
        """Return the profile by which operators' commands find this stack."""
        return read_profile(self._home.profile)

    def log(self, name: str) -> Path:
        """Where a server writes what it has to say."""
        return self._home.logs / f"{_server(name).name}.log"

    async def up(self, services: bool | Iterable[str] = True) -> Addresses:  # noqa: FBT002 - reads
        """Bring everything up that is not up yet: all services, some, or the two servers alone.

        Either everything is ready in the end, or what this call started is stopped again.
        """
        chosen = _SERVICES if services is True else {n: _SERVICES[n] for n in services or ()}
        self._home.make()
        async with self._site() as site:
            self._settle(site.memory)
            started: list[Server] = []
            try:
                await self._servers(site, started, list(chosen.values()))
                await _together(*(_start(site, started, s) for s in chosen.values()))
                _show_addresses(site)
            except BaseException:
                await _stop(replace(site, report=Silent()), started)
                raise
        return self.addresses

    async def down(self, *, wipe: bool = False) -> None:
        """Stop everything, in reverse order; with ``wipe``, delete the data as well."""
        if not self._home.exists:
            return
        async with self._site() as site:
            await _stop(site, list(_SERVERS.values()))
            if wipe:
                self._home.wipe()

    async def start(self, name: str) -> None:
        """Start one server again, where it was, and wait until it is ready."""
        async with self._site() as site:
            await _start(site, [], _server(name))
            _show_addresses(site)

    async def stop(self, name: str) -> None:
        """Stop one server, as an operator would; its data stays, the others run on."""
        async with self._site() as site:
            await _stop_one(site, _server(name))

    def kill(self, name: str) -> None:
        """End one server at once, by SIGKILL. Raises CommandError if it does not run."""
        running = find(self._home.run, _server(name).name)
        if running is None:
            raise CommandError(f"{name} does not run")
        running.kill()

    async def states(self) -> list[State]:
        """Look at every server that is ours."""
        site = Site(self._home, self._home.recall(), self._report)
        return await asyncio.gather(*(_look(site, server) for server in self._own()))

    def running(self) -> tuple[list[str], list[str]]:
        """Name the servers of ours whose process is there, and those whose is not."""
        there = {s.name: find(self._home.run, s.name) is not None for s in self._own()}
        return [n for n in there if there[n]], [n for n in there if not there[n]]

    def _own(self) -> list[Server]:
        theirs = {
            _KAFKA.name: self._kafka_bootstrap is not None,
            _POSTGRES.name: self._postgres_dsn is not None,
        }
        return [server for name, server in _SERVERS.items() if not theirs.get(name)]

    @asynccontextmanager
    async def _site(self) -> AsyncIterator[Site]:
        async with self._home.locked(self._report) as lock:
            yield Site(self._home, self._home.recall(), self._report, lock)

    def _settle(self, memory: Memory) -> None:
        """Decide what is to be remembered, before anything relies on it."""
        memory.kafka_bootstrap = self._kafka_bootstrap
        memory.postgres_dsn = self._postgres_dsn
        memory.postgres_pooler = self._postgres_pooler
        memory.make_up_passwords((ADMIN, *ROLES, NUMBERS))
        for server in _SERVERS.values():
            _choose_ports(memory, [port for port in server.ports if port not in memory.ports])
        self._home.remember(memory)

    async def _servers(self, site: Site, started: list[Server], services: list[Service]) -> None:
        await _together(
            self._database_side(site, started, services),
            self._kafka_side(site, started),
            *([_start(site, started, _MAIL)] if services else []),
        )

    async def _database_side(
        self, site: Site, started: list[Server], services: list[Service]
    ) -> None:
        if self._postgres_dsn is None:
            await _start(site, started, _POSTGRES)
        await ensure_databases(Addresses(site.memory).admin_dsn, site.memory)
        idle = [service for service in services if find(site.home.run, service.name) is None]
        await _together(*(service.migrate(site) for service in idle))
        for name in SCOPES:
            if _SERVICES[name] in services:
                await _keep_key(site, name)

    async def _kafka_side(self, site: Site, started: list[Server]) -> None:
        if self._kafka_bootstrap is None:
            await _start(site, started, _KAFKA)
        await ensure_topics(Addresses(site.memory).kafka_bootstrap)


async def _keep_key(site: Site, service: Keyed) -> None:
    """Let the stack's own key count at a service's door, before the service opens it."""
    owner = Addresses(site.memory).dsn(service, owner=True)
    async with connected(owner) as connection:
        key = await keep_local(connection, service, site.memory.keys.get(service))
    site.memory.keys[service] = key
    site.home.remember(site.memory)
    site.home.show_key(service, key)


def _show_addresses(site: Site) -> None:
    """Write down, for shells and for operators' commands, where everything is.

    Only now do ports stand.
    """
    addresses = Addresses(site.memory)
    doors: dict[str, str] = {name: addresses.http(name) for name in SCOPES}
    site.home.show_addresses(doors | {"kafka": addresses.kafka_bootstrap})
    site.home.show_profile(profile_of(site.home, site.memory))


def _server(name: str) -> Server:
    try:
        return _SERVERS[name]
    except KeyError:
        raise CommandError(f"there is no {name}: choose one of {', '.join(_SERVERS)}") from None


async def _together(*works: Coroutine[None, None, None]) -> None:
    """Do all at once; the first failure ends the others and is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            for work in works:
                group.create_task(work)
    except* CommandError as failures:
        raise failures.exceptions[0] from None


async def _start(site: Site, started: list[Server], server: Server) -> None:
    """Adopt a server that runs as it should, else start it; return when it is ready."""
    running = find(site.home.run, server.name)
    if running is not None and running.fingerprint == server.command(site).fingerprint:
        await _until_ready(site, server, running)
        site.report.say(f"{server.title} was running")
        return
    if running is not None:
        site.report.say(f"{server.title} ran with other settings: starting it anew")
        await running.stop(server.stop_by, server.stop_wait_s)
    started.append(server)
    for tries_left in reversed(range(_TRIES)):
        try:
            await _start_once(site, server)
        except _EndedError:
            if tries_left == 0 or all(map(is_free, _ports(site, server))):
                raise
        else:
            return


class _EndedError(CommandError):
    """A server ended while it started: perhaps somebody took its port."""


async def _start_once(site: Site, server: Server) -> None:
    ports = site.memory.ports
    busy = {name: ports[name] for name in server.ports if not is_free(ports[name])}
    _choose_ports(site.memory, busy)
    for name, port in busy.items():
        site.report.say(f"{server.title} moves to port {ports[name]}: another program has {port}")
    site.home.remember(site.memory)
    await server.prepare(site)
    running = spawn(site.home.run, server.name, server.command(site))
    await _until_ready(site, server, running)
    site.report.say(f"{server.title} is ready")


async def _until_ready(site: Site, server: Server, running: Running) -> None:
    since_s = elapsed_s()
    log = site.home.logs / f"{server.name}.log"
    while (reason := await _ask(site, server, running)) is not None:
        if await running.gone(_LOOK_S):
            raise _EndedError(
                f"{server.title} ended while it started: {last_line(log)} (see {log})"
            )
        if elapsed_s(since_s) > _READY_S:
            raise CommandError(f"{server.title} is not ready in {_READY_S} s: {reason} (see {log})")


async def _ask(site: Site, server: Server, running: Running) -> str | None:
    """Ask a process whether it is ready, but only itself."""
    ports = _ports(site, server)
    if any(map(is_free, ports)):
        return "it does not listen"
    if not running.listens_on(ports):
        return "somebody else listens where it should"
    return await server.probe(site)


def _ports(site: Site, server: Server) -> list[int]:
    return [site.memory.ports[name] for name in server.ports]


def _choose_ports(memory: Memory, names: Iterable[str]) -> None:
    for name in names:
        memory.ports[name] = next(
            port for port in iter(free_port, None) if port not in memory.ports.values()
        )


async def _stop(site: Site, servers: Iterable[Server]) -> None:
    """Stop what runs of these: the services at once, then what they stand on, last first."""
    stopping = set(servers)
    await asyncio.gather(*(_stop_one(site, s) for s in _SERVICES.values() if s in stopping))
    for server in (_MAIL, _KAFKA, _POSTGRES):
        if server in stopping:
            await _stop_one(site, server)


async def _stop_one(site: Site, server: Server) -> None:
    running = find(site.home.run, server.name)
    if running is not None:
        in_time = await running.stop(server.stop_by, server.stop_wait_s)
        site.report.say(f"{server.title} is stopped" + ("" if in_time else ", killed"))
    await server.sweep(site)


async def _look(site: Site, server: Server) -> State:
    running = find(site.home.run, server.name)
    if running is None:
        return State(server.name, server.title, None, "does not run")
    reason = await _ask(site, server, running)
    return State(server.name, server.title, running.pid, reason)
