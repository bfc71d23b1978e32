"""The server: namespaces on an engine."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from os import PathLike
from pathlib import Path
from typing import TypeVar, final
from weakref import WeakValueDictionary

import trio

from trio_socketio._engine.config import EngineConfig
from trio_socketio._engine.server import EngineServer
from trio_socketio._engine.session import Session
from trio_socketio._limits import Limits
from trio_socketio._server.adapter import AdapterFactory
from trio_socketio._server.client_files import ClientFiles
from trio_socketio._server.connection import Connection
from trio_socketio._server.family import Family, NamespaceRule
from trio_socketio._server.local_adapter import LocalAdapter
from trio_socketio._server.members import Members
from trio_socketio._server.namespace import Place
from trio_socketio._server.namespaces import Namespaces
from trio_socketio._server.open_namespace import OpenNamespace
from trio_socketio._server.recovery import ConnectionStateRecovery, Recovery
from trio_socketio._server.socketio2 import OldClient, OldParser
from trio_socketio._server.statistics import ServerStatistics, statistics_of
from trio_socketio._socket.contract import Contract, agreed
from trio_socketio._socket.handlers import check_listener
from trio_socketio._wire.engine_handshake import OLD_REVISION
from trio_socketio._wire.json_parser import JSONParser
from trio_socketio._wire.parser import Parser

NamespaceHookT = TypeVar("NamespaceHookT", bound=Callable[[OpenNamespace], object])


@final
class Server(OpenNamespace, is_ours=True):
    """A Socket.IO server. It needs no event loop to be made; ``serve`` or ``running`` give it one.

    The server itself is the namespace ``/``.

    Args:
        config: how it behaves: path, heartbeat, origins, hooks.
        limits: what one client may cost.
        parser: how packets look on the wire; clients must use the same.
        adapter: makes the adapter of each namespace.
        client_files: a folder with the official client's bundles, to be served at ``/socket.io/socket.io.js``.
        recovery: lets clients come back to their sockets after their connection was lost; ``None`` for not.
        cleanup_empty_child_namespaces: remove a namespace of a pattern or function when nobody is in it any more.

    Raises:
        ValueError: no bundle in ``client_files``.
    """

    def __init__(
        self,
        config: EngineConfig | None = None,
        *,
        limits: Limits | None = None,
        parser: Parser | None = None,
        adapter: AdapterFactory = LocalAdapter,
        client_files: str | PathLike[str] | None = None,
        recovery: ConnectionStateRecovery | None = None,
        cleanup_empty_child_namespaces: bool = True,
    ) -> None:
        self._config = config if config is not None else EngineConfig()
        self._limits = limits if limits is not None else Limits()
        self._parser = parser if parser is not None else JSONParser()
        self._recovery = None if recovery is None else Recovery(recovery)
        self._handed_out: WeakValueDictionary[str, OpenNamespace] = WeakValueDictionary()
        self._hooks: list[Callable[[OpenNamespace], object]] = []
        self._namespaces = Namespaces(
            self._limits,
            self._parser,
            adapter,
            self._recovery,
            cleanup=cleanup_empty_child_namespaces,
            made=self._call_hooks,
        )
        files = None if client_files is None else ClientFiles(Path(client_files), self._config.path)
        answer_file = None if files is None else files.answer
        self._engine = EngineServer(self._config, self._limits, self._accept, answer_file, self._recovering)
        super().__init__(self, "/")

    @property
    def config(self) -> EngineConfig:
        """The settings."""
        return self._config

    @property
    def limits(self) -> Limits:
        """The limits."""
        return self._limits

    @property
    def engine(self) -> EngineServer:
        """The Engine.IO server below: what ``ASGIApp`` and ``serve`` hand their requests to."""
        return self._engine

    def namespace(self, name: str | re.Pattern[str] | NamespaceRule, *, contract: type | None = None) -> OpenNamespace:
        """Return the namespace of a name, or make a family of namespaces that clients bring into being by joining them.

        Args:
            name: a name: its namespace is made when it is asked for first; a missing leading slash is added. Or a pattern
                that matches whole names, such as ``re.compile(r"/shop/(?P<shop>[a-z]+)")``; its named groups are the
                sockets' ``parameters``. Or ``async def rule(name, auth)``, which says whether that namespace exists for a
                client with this ``auth``; it takes no longer than ``Limits.connect_timeout``, and if it raises, that is
                logged and the client is refused. Of several patterns and functions the first one counts. Names that are
                there are not asked about, but for those that such a function has let come into being: it is asked about
                each client.
            contract: a ``Protocol`` or another class whose methods are the events that may be emitted: any other name is
                then a ``ValueError``. Give it before clients join.

        Returns:
            The namespace; or one that stands for the whole family: what is registered there counts for each of them, what
            is sent reaches the sockets of all.

        Raises:
            TypeError: neither text nor a pattern of text nor such a function; or the contract has no events, or methods
                that are none.
            ValueError: a name that is too long, or has a comma or a control character in it; or the pattern or function,
                or another contract, is there already.
        """
        if contract is not None:
            Contract(contract)  # else a family would be there before it is refused
        if isinstance(name, re.Pattern) or callable(name):
            return OpenNamespace(_FamilyPlaces(self._namespaces.add_family(name)), "", contract=contract)
        if contract is None:
            place = self._namespaces.by_name(name)
        else:
            place = self._namespaces.keep(name)
            place.names = agreed(place.names, contract)
        name = place.name
        if name == self.name:
            return self
        namespace = self._handed_out.get(name)
        if namespace is None:
            namespace = self._handed_out[name] = OpenNamespace(self, name)
        return namespace

    def on_new_namespace(self, function: NamespaceHookT) -> NamespaceHookT:
        """Register ``def hook(namespace)``, called when a namespace is made, before anybody is in it.

        By name or by a client that joins one of a family; not for ``/``, nor for those that are there already. It may
        register handlers. It is no async function. What it raises is raised where the namespace is made: for a client
        that joins, it is logged, and the client is refused.

        Raises:
            TypeError: another kind of function.
        """
        check_listener(function, 1, "hook(namespace)")
        self._hooks.append(function)
        return function

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Server]:
        """Own the tasks of all clients while the block runs; ``serve`` and the ASGI lifespan enter it for you.

        Leaving the block ends all clients at once, with the reason "server shutting down". An exception of the block
        comes out as it is, not in a group.

        Raises:
            RuntimeError: it is running already.
        """
        async with self._engine.running():
            yield self

    @contextmanager
    def _recovering(self) -> Iterator[None]:
        if self._recovery is None:
            yield
            return
        self._recovery.open(self._engine.new_timers, self._engine.start_with_sessions)
        try:
            yield
        finally:
            self._recovery.close()

    async def drain(self, *, spread: float = 5.0) -> None:
        """Refuse new clients, deliver what waits for those that are here, and close them so that they come back later.

        Returns when all are gone; how long that may take is the caller's to say, with a cancel scope. Cancelled, it has
        told those whom it has told; the others stay until ``running`` is left.

        Args:
            spread: seconds over which many clients are told to go, in batches of random order, lest they come back in one
                moment. It is a bound: the first 500 are told at once, and each further batch takes about 0.25 seconds.

        Raises:
            ValueError: it is below 0.
        """
        await self._engine.drain(spread)

    def statistics(self) -> ServerStatistics:
        """Take a snapshot of the server in numbers. It looks at each session: about a millisecond for a thousand."""
        return statistics_of(self._engine, {members.name: len(members) for members in self._namespaces})

    def _accept(self, session: Session) -> Connection:
        start_lasting = self._engine.start_with_sessions
        if session.revision == OLD_REVISION:
            parser, old = OldParser(self._parser), OldClient(session.sid)
            return Connection(session, self._namespaces, parser, self._limits, start_lasting=start_lasting, old=old)
        return Connection(session, self._namespaces, self._parser, self._limits, start_lasting=start_lasting)

    def _place(self, name: str) -> Place:
        return self._namespaces.by_name(name)

    def _place_to_stay(self, name: str) -> Place:
        return self._namespaces.keep(name)

    def _place_if_there(self, name: str) -> Place | None:
        return self._namespaces.get(name)

    @trio.lowlevel.disable_ki_protection
    def _call_hooks(self, members: Members) -> None:
        for hook in self._hooks:
            hook(self.namespace(members.name))


@final
class _FamilyPlaces:
    """Stands for a server where a family is the only place."""

    def __init__(self, family: Family) -> None:
        self._family = family

    def _place(self, name: str) -> Place:
        del name
        return self._family

    _place_to_stay = _place_if_there = _place
