"""The interfaces between a session and the way its bytes travel."""

from __future__ import annotations

from tests.support.client import MemoryStream, open_polling, settle
from tests.support.engine import message, running_engine
from trio_socketio import CloseReason, RemoteProtocolError
from trio_socketio._asgi.websocket import ASGIMessageStream
from trio_socketio._engine import transport as transport_module
from trio_socketio._engine.polling import PollingTransport
from trio_socketio._engine.session import SessionState
from trio_socketio._engine.transport import MessageStream, StreamFailure, Transport
from trio_socketio._engine.websocket import WebSocketTransport


def names(protocol: type) -> set[str]:
    return {name for name in vars(protocol) if not name.startswith("_")}


def test_ours_have_the_shape():
    assert names(Transport) == {"name", "writable", "wake", "flush", "end"}
    assert names(MessageStream) == {"receive", "pump", "send", "aclose"}
    for ours in (PollingTransport, WebSocketTransport):
        assert names(Transport) <= set(vars(ours))
    for ours in (ASGIMessageStream, MemoryStream):
        assert names(MessageStream) <= set(vars(ours))
    assert transport_module.TransportName.__args__ == ("polling", "websocket")


def test_a_message_that_is_too_big_is_the_peers_fault():
    assert issubclass(StreamFailure, RemoteProtocolError)


class SynchronousTransport:
    """Writes in ``wake``, as whoever owns its socket may."""

    name = "websocket"

    def __init__(self, session) -> None:
        self.session = session
        self.writable = True
        self.written: list = []
        self.said_goodbye = False

    def wake(self) -> None:
        self.written += self.session.outbox.take()
        if self.session.state is SessionState.CLOSING:
            self.session.close(CloseReason.FORCED_CLOSE)

    def end(self) -> None:
        self.said_goodbye = True


async def test_a_transport_may_write_at_once_and_share_the_packets(autojump_clock):
    async with running_engine() as engine:
        transports = []
        for _ in range(2):
            _, session = await open_polling(engine)
            session.send([message("waits")])
            transports.append(SynchronousTransport(session))
            session.attach(transports[-1])
        first, second = transports
        assert [packet.data for packet in first.written] == ["waits"]
        shared = message("for all")
        for transport in transports:
            transport.session.send([shared])
            # It went out within the call, and the encoded form is made once for all.
            assert transport.written[-1] is shared
        assert first.written[-1].payload_form is second.written[-1].payload_form
        first.session.send_volatile([message("volatile")])
        second.writable = False
        second.session.send_volatile([message("volatile")])
        assert [len(transport.written) for transport in transports] == [3, 2]
        first.session.close_gracefully(CloseReason.SERVER_SHUTTING_DOWN)
        assert first.said_goodbye
        second.session.close(CloseReason.TRANSPORT_CLOSE)
        assert second.said_goodbye
        await settle()
        assert not engine.sessions
