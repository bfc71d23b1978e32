"""The task of one socket: middlewares, CONNECT, events in order, the end.

Theory of operation
-------------------
``run`` is a task of the session's nursery. Its scope is cancelled by the end, and by nothing else of ours:

    middlewares --(one refuses)--> CONNECT_ERROR, rooms left, done
        | all passed: enter the namespace, queue CONNECT
        v
    the connection handlers' tasks; inside, socket.nursery and the loop that takes events from the queue
        | end(reason): the scope is cancelled; ``finally`` blocks of handlers run, rooms still readable
        v
    on_disconnect handlers, shielded, for ``Limits.disconnect_timeout`` --> rooms left

``end`` is synchronous: from the moment it returns no broadcast reaches the socket, questions to it have failed, and its
namespace may be joined again by the same client; what remains is only clean-up. Errors of the application are contained
(see ``containment.py``). Ctrl-C is raised in the application's code, so that an endless loop there can be ended, but not
in ours.

With connection state recovery (see ``recovery.py``) a socket whose connection is lost stays in its rooms. Either its
worker ends like any other, and another worker *claims* it when the client is back: it takes over id, rooms, data and what
was missed. Or, with ``handler="keep"``, the worker is a task of the server's and not of the session's; it is LOST for a
while, then ``run_return`` asks the middlewares, and the worker is tied to its client's new connection.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, final

import trio

from trio_socketio._engine.config import TransportName
from trio_socketio._engine.exceptions import CloseReason, Disconnected
from trio_socketio._engine.session import Session, SessionState
from trio_socketio._exceptions import ConnectionRefused
from trio_socketio._limits import Limits
from trio_socketio._server.behaviour import AsyncFunction, Behaviour, Functions
from trio_socketio._server.containment import Containment
from trio_socketio._server.dispatcher import Dispatcher
from trio_socketio._server.event_stream import EventStream
from trio_socketio._server.handshake import Handshake
from trio_socketio._server.home import Home
from trio_socketio._server.replay import Replay
from trio_socketio._server.socket import Socket, SocketState, show_outgoing
from trio_socketio._server.tenant import AWAY, Client, Tenant
from trio_socketio._socket.contract import name_of
from trio_socketio._socket.event_methods import EventName
from trio_socketio._socket.peer import Peer
from trio_socketio._types import Room
from trio_socketio._util import plain_exceptions
from trio_socketio._wire.socket_packet import Connect, ConnectError

SOCKET_ID_BYTES = 15
"""Random bytes of a socket's id: 20 URL-safe characters, unrelated to the session's id."""

_ADMISSION = frozenset({SocketState.JOINING, SocketState.RETURNING})
"""The middlewares are being asked."""


@final
class SocketWorker:
    """Runs one socket.

    Args:
        home: its namespace.
        client: its connection.
        auth: what the client said when it joined.
        limits: the server's.
        claimed: the worker of a lost socket, whose place this one takes.
        socket_id: the id that the client knows already; then there is no recovery for it.
    """

    def __init__(
        self,
        home: Home,
        client: Client,
        auth: Mapping[str, Any] | None,
        limits: Limits,
        *,
        claimed: Tenant | None = None,
        socket_id: str | None = None,
    ) -> None:
        self.state: SocketState = SocketState.JOINING
        """How far it is; set by nobody else."""
        self.session: Session = client.session
        self.nursery: trio.Nursery | None = None
        self.finished: trio.Event = trio.Event()
        """Nothing of it runs any more."""
        self._reason: CloseReason | None = None
        self._home = home
        self._client = client
        self._limits = limits
        self._recovery = home.recovery if socket_id is None else None
        self._claimed = claimed
        self.pid: str = ""
        """The secret by which the client may claim it, with recovery."""
        self.replay: Replay | None = None
        if claimed is not None:
            socket_id, self.pid, self.replay = claimed.socket.id, claimed.pid, claimed.replay
        elif self._recovery is not None:
            self.pid, self.replay = self._recovery.new_pid(), home.new_replay()
        self.peer: Peer = Peer(
            home.name,
            # With recovery, what a middleware sends is kept until CONNECT, as all that is missed.
            client.session if self.replay is None else AWAY,
            home.parser,
            max_pending_acks=limits.max_pending_acks,
            ack_ids=home.ack_ids,
            journal=self.replay,
            names=home.names,
            owner=self,
        )
        self.socket: Socket = Socket._create(
            socket_id=secrets.token_urlsafe(SOCKET_ID_BYTES) if socket_id is None else socket_id,
            namespace=home.name,
            parameters=home.parameters,
            handshake=Handshake.of(client.session.request, auth, time.time()),
            adapter=home.adapter,
            peer=self.peer,
            limits=limits,
            life=self,
        )
        if claimed is not None:
            self.socket.data = claimed.socket.data
            self.socket.recovered = True
        home.begin()
        self.dispatcher: Dispatcher = Dispatcher(
            self.socket, home.behaviour, self.peer, limits, client.session.counters
        )
        self._containment = Containment(self.socket, self._behaviour, self._is_leaving, limits.disconnect_timeout)
        # Shielded: only the end cancels them, so that handlers always know why. Whatever ends a session ends its sockets.
        self._scope = trio.CancelScope(shield=True)
        self._return_scope: trio.CancelScope | None = None
        self.is_expiring: bool = False
        """It can't come back any more, and the application is still to be told."""

    # What the socket asks

    @property
    def transport(self) -> TransportName:
        """The client's transport."""
        transport = self.session.transport
        return "polling" if transport is None else transport.name

    def is_foreign_id(self, room: Room) -> bool:
        """Say whether the name is another socket's id."""
        return room != self.socket.id and self._home.is_socket_id(room)

    @property
    def reason(self) -> str | None:
        """Why it ended, or was lost, once it has."""
        return None if self._reason is None else str(self._reason)

    @property
    def behaviour(self) -> Behaviour:
        """What is registered for the socket."""
        return self.dispatcher.behaviour

    def own_behaviour(self) -> Behaviour:
        """What is registered for this socket alone."""
        if self.dispatcher.behaviour is self._home.behaviour:
            self.dispatcher.behaviour = Behaviour(self._home.behaviour, partial(self._home.watch, self))
        return self.dispatcher.behaviour

    def check_can_ask(self) -> None:
        """Refuse a question that the client can't answer.

        Raises:
            RuntimeError: it has not joined yet.
            Disconnected: it is gone; events are kept for it, questions are not: it can't be asked what it was asked in
                another connection.
        """
        if self.state is SocketState.JOINING:
            msg = "a middleware can't ask: the client has not joined yet, and could not answer"
            raise RuntimeError(msg)
        if self.state in {SocketState.LOST, SocketState.RETURNING}:
            raise Disconnected(self.reason or "")

    def emitted(self, event: EventName, args: Sequence[Any]) -> None:
        """Show an event that was queued for the client to who wants to see it."""
        behaviour = self.dispatcher.behaviour
        if behaviour.has_outgoing:
            show_outgoing(behaviour.outgoing, self.socket, name_of(event), args)

    def open_stream(self, names: frozenset[str]) -> EventStream:
        """Open a stream of the socket's events."""
        return self.dispatcher.open_stream(names)

    # The end, from whichever side: synchronous.

    @property
    def namespace(self) -> str:
        """The namespace's name."""
        return self._home.name

    @property
    def is_kept(self) -> bool:
        """Its handlers live on while its client is gone."""
        return self._recovery is not None and self._recovery.settings.handler == "keep"

    def end(self, reason: CloseReason) -> None:
        """End the socket; or lose it, if there is recovery and neither side has wished its end."""
        recovery = self._recovery
        if recovery is None or not recovery.may_lose(reason) or self.state is SocketState.ENDED:
            if recovery is not None and self.state is SocketState.RETURNING:
                recovery.end(self.pid)
            self._end(reason)
        elif self.state is SocketState.RETURNING and recovery.give_back(self):
            self._lose(reason)
        elif self.state is SocketState.CONNECTED:
            if self.is_kept:
                self._lose(reason)
            else:
                self._end(reason)
            self._home.park(self)
            recovery.lost(self)
        else:
            self._end(reason)

    def _end(self, reason: CloseReason) -> None:
        if self.state is SocketState.ENDED:
            return
        self.state = SocketState.ENDED
        # One that does not come back has ended when it was lost.
        self._reason = self._reason or reason
        self.peer.leave(str(self._reason))
        self.dispatcher.close()
        self._detach()
        if self._recovery is not None:
            self._recovery.forget(self)
            if self._claimed is not None:
                self._recovery.give_back(self._claimed)
        self._scope.cancel()

    def _lose(self, reason: CloseReason) -> None:
        self.state = SocketState.LOST
        self.socket.recovered = False
        self._reason = reason
        self.peer.acks.fail_all(str(reason))
        self.peer.link = AWAY
        self.dispatcher.forget_questions()
        self._detach()

    def _detach(self) -> None:
        self._home.leave(self)
        self._client.ended(self)
        if self._return_scope is not None:
            self._return_scope.cancel()

    def give_up(self) -> None:
        """End a lost socket: it can't come back any more."""
        self.is_expiring = True
        if self.finished.is_set():
            assert self._recovery is not None  # noqa: S101 - it is who calls
            # It has something to say yet: its namespace is in use until then.
            self._home.begin()
            self._home.unpark(self)
            self._recovery.start_task(self._expire)
        else:
            # Its task tells, behind on_disconnect.
            self._home.unpark(self)
            self._end(CloseReason.FORCED_CLOSE)

    def time_out(self) -> None:
        """Refuse a client whose middlewares take too long."""
        self._refuse("Connection timed out")

    def disconnect(self, *, close: bool = False, reason: CloseReason = CloseReason.SERVER_NAMESPACE_DISCONNECT) -> None:
        """End the socket by telling its client to leave; a lost one, by forgetting it."""
        if close and not self._home.is_parked(self):
            self._client.disconnect_all()
        elif self.state is SocketState.CONNECTED:
            self._client.tell_to_leave(self._home.name)
            self._end(reason)
        elif self.state in _ADMISSION:
            self._refuse("Forbidden")
        elif self._recovery is not None:
            self._recovery.end(self.pid)

    # The task

    @trio.lowlevel.enable_ki_protection
    async def run(self) -> None:
        """Live; returns when the socket is gone and cleaned up after."""
        was_connected = False
        try:
            with self._scope:
                if self._claimed is not None:
                    await self._claimed.finished.wait()
                was_connected = await self._is_admitted() and self._connect()
                if was_connected:
                    await self._serve()
        finally:
            self.nursery = None
            self._end(CloseReason.SERVER_SHUTTING_DOWN)
            self._containment.end_by = trio.current_time() + self._limits.disconnect_timeout
            with self._containment.last_words():
                if was_connected:
                    await self._tell(self.behaviour.disconnect, "disconnect", self.reason)  # noqa: ASYNC102 - shielded
            self.finished.set()
            self._client.finished(self)
            await self._expire()  # noqa: ASYNC102 - shielded

    def claim(self, client: Client, auth: Mapping[str, Any] | None) -> None:
        """Begin to return from being lost: ``run_return`` goes on."""
        self.state = SocketState.RETURNING
        self.socket.recovered = True
        self._client = client
        self.session = client.session
        self.socket.handshake = Handshake.of(client.session.request, auth, time.time())
        self._return_scope = trio.CancelScope(shield=True)

    @trio.lowlevel.enable_ki_protection
    async def run_return(self, client: Client) -> None:
        """Let the client in again, or not; a task of its new session."""
        if self._is_asking_for(client):
            assert self._return_scope is not None  # noqa: S101 - see claim
            with self._return_scope:
                if await self._is_admitted():
                    self._connect()

    def _is_asking_for(self, client: Client) -> bool:
        # The client may be gone, and back in another connection, which asks for itself: all in one step.
        return self.state in _ADMISSION and self._client is client

    @trio.lowlevel.disable_ki_protection
    async def _is_admitted(self) -> bool:
        client = self._client
        if not self._skips_middlewares():
            for middleware in self._home.behaviour.middlewares:
                if not await self._passes(middleware, client):
                    return False
        # A session that is closing answers nobody any more: its client would never learn that it has joined.
        return self._is_asking_for(client) and client.session.state is SessionState.OPEN

    def _skips_middlewares(self) -> bool:
        is_back = self._claimed is not None or self.state is SocketState.RETURNING
        return is_back and self._recovery is not None and self._recovery.settings.skip_middlewares

    async def _passes(self, middleware: AsyncFunction, client: Client) -> bool:
        try:
            try:
                with plain_exceptions():
                    await middleware(self.socket)
            except ConnectionRefused as refusal:
                self._refuse(refusal.message, refusal.data, client)
                return False
        except (Exception, BaseExceptionGroup) as raised:  # noqa: BLE001 - whatever a middleware raises
            await self._containment.contain(raised, "middleware")
            self._refuse("Internal server error", None, client)
            return False
        return True

    def _refuse(self, message: str, data: object = None, client: Client | None = None) -> None:
        if not self._is_asking_for(client or self._client):
            return
        answer = {"message": message} if data is None else {"message": message, "data": data}
        self._client.send(ConnectError(self._home.name, answer))
        if self._recovery is not None:
            # It was its one chance: who is refused does not come back by trying again.
            self._recovery.end(self.pid)
        self._end(CloseReason.SERVER_NAMESPACE_DISCONNECT)

    def _connect(self) -> bool:
        missed = () if self.replay is None else self.replay.missed(None)
        if self._claimed is not None and not self._home.is_parked(self._claimed):
            # It was disconnected while the middlewares were asked.
            self._refuse("Forbidden")
            return False
        if missed is None:
            self._begin_anew()
            return False
        self._home.adapter.add(self.socket.id, (self.socket.id,))
        self._home.enter(self)
        # Queued before any handler runs: the client learns that it is connected before anything else.
        answer = {"sid": self.socket.id} if self._recovery is None else {"sid": self.socket.id, "pid": self.pid}
        # Its neighbours on the connection may have filled the queue with what they have missed.
        send = self._client.send_anyway if self.socket.recovered else self._client.send
        send(Connect(self._home.name, answer))
        # Behind the CONNECT: clients keep what comes in front of it, also if the connection ends there, and would have
        # it twice when it comes again.
        for batch in missed:
            self.session.send_anyway(batch)
        # A client that has no room for it is closed by that: it has never been here.
        if self.state not in _ADMISSION:
            return False
        self.state = SocketState.CONNECTED
        self.peer.link = self.session
        self._reason = self._claimed = self._return_scope = None
        if self._recovery is not None:
            self._recovery.connected(self)
        self._client.joined(self)
        return True

    def _begin_anew(self) -> None:
        # More was sent while the middlewares were asked than is kept. A client whose connection is cut comes back, and gets
        # a new socket.
        assert self._recovery is not None  # noqa: S101 - else nothing can be missed
        self._recovery.end(self.pid)
        self.session.close(CloseReason.FORCED_CLOSE)

    async def _serve(self) -> None:
        async with trio.open_nursery() as handlers:
            try:
                async with trio.open_nursery() as self.nursery:
                    for handler in self._home.behaviour.connection:
                        handlers.start_soon(self._run_connection, handler)
                    # Two turns of the scheduler: each connection handler has run up to its first checkpoint before an
                    # event is handled, so what it sets up there is there.
                    await trio.lowlevel.checkpoint()
                    await trio.lowlevel.checkpoint()
                    await self.dispatcher.run(self.nursery, self._containment)
            except (Exception, BaseExceptionGroup) as raised:  # noqa: BLE001 - of tasks in socket.nursery
                await self._containment.contain(raised, "connection", first=self._fail)
            # The application may have cancelled it: here, too, the end comes first, and then the handlers.
            if self.state is not SocketState.ENDED:
                self.disconnect()

    @trio.lowlevel.disable_ki_protection
    async def _run_connection(self, handler: AsyncFunction) -> None:
        try:
            await handler(self.socket)
        except (Exception, BaseExceptionGroup) as raised:  # noqa: BLE001 - whatever a connection handler raises
            await self._containment.contain(raised, "connection", first=self._fail)
            if self.state in {SocketState.LOST, SocketState.RETURNING}:
                # It did not expect the gap, and was told by Disconnected. Its client needs one that runs: a new socket.
                self.disconnect()

    def _fail(self) -> None:
        # Not for what fails in its clean-up: a socket that is lost may come back all the same.
        if self.state is not SocketState.ENDED:
            self.disconnect()

    @trio.lowlevel.disable_ki_protection
    async def _tell(self, handlers: Functions[AsyncFunction], event: str, *args: object) -> None:
        for handler in handlers:
            try:
                await handler(self.socket, *args)
            except (Exception, BaseExceptionGroup) as raised:  # noqa: BLE001 - whatever such a handler raises
                await self._containment.contain(raised, event)

    @trio.lowlevel.enable_ki_protection
    async def _expire(self) -> None:
        """Clean up behind a socket; if it was lost and won't come back, tell the application first: at last a task for that."""
        if self.is_expiring:
            self._containment.end_by = trio.current_time() + self._limits.disconnect_timeout
            with self._containment.last_words():
                await self._tell(self.behaviour.expired, "expired")
            self.is_expiring = False
        # The id is the claimed one's: its rooms are to be seen until it is told.
        if self._claimed is None or not self._claimed.is_expiring:
            self._home.clean_up(self)
        self._home.end()

    def _is_leaving(self) -> bool:
        return self.state is SocketState.ENDED or self.session.state is not SessionState.OPEN

    def _behaviour(self) -> Behaviour:
        return self.dispatcher.behaviour
