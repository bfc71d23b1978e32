"""A test kit in which 25 seconds take a millisecond: server and clients in one nursery, over the real protocol.

Everything public is here; the modules may move at any time. It needs Trio and this package, and no test framework.
"""

from __future__ import annotations

from trio_socketio._util import show_as_members_of as _show_as_members_of
from trio_socketio.testing.arrivals import ClientEventStream as ClientEventStream
from trio_socketio.testing.backoff import Backoff as Backoff
from trio_socketio.testing.client_factory import ClientFactory as ClientFactory
from trio_socketio.testing.client_socket import ClientSocket as ClientSocket
from trio_socketio.testing.errors import ServerError as ServerError
from trio_socketio.testing.failures import ExpectationFailed as ExpectationFailed
from trio_socketio.testing.failures import HandshakeFailed as HandshakeFailed
from trio_socketio.testing.held_poll import HeldPoll as HeldPoll
from trio_socketio.testing.http_answer import HTTPAnswer as HTTPAnswer
from trio_socketio.testing.leftovers import Leftovers as Leftovers
from trio_socketio.testing.link import Link as Link
from trio_socketio.testing.loopback_server import LoopbackServer as LoopbackServer
from trio_socketio.testing.loopback_server import open_server as open_server
from trio_socketio.testing.memory_server import MemoryServer as MemoryServer
from trio_socketio.testing.memory_server import open_memory_server as open_memory_server
from trio_socketio.testing.raw_client import RawClient as RawClient
from trio_socketio.testing.raw_websocket import RawWebSocket as RawWebSocket

_show_as_members_of(__name__, globals())
