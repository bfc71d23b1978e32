"""Socket.IO for Trio: each client is a task in a nursery.

Everything public is here. What stands in modules that begin with an underscore may move at any time.
"""

from __future__ import annotations

from trio_socketio._asgi.app import ASGIApp as ASGIApp
from trio_socketio._engine.compression import HTTPCompression as HTTPCompression
from trio_socketio._engine.config import EngineConfig as EngineConfig
from trio_socketio._engine.cookie import Cookie as Cookie
from trio_socketio._engine.cors import CORS as CORS
from trio_socketio._engine.exceptions import CloseReason as CloseReason
from trio_socketio._engine.exceptions import Disconnected as Disconnected
from trio_socketio._engine.http import Request as Request
from trio_socketio._engine.http import Response as Response
from trio_socketio._engine.proxies import TrustedProxies as TrustedProxies
from trio_socketio._engine.refusal import ConnectionRefusal as ConnectionRefusal
from trio_socketio._exceptions import ConnectionRefused as ConnectionRefused
from trio_socketio._exceptions import EventRejected as EventRejected
from trio_socketio._exceptions import RemoteProtocolError as RemoteProtocolError
from trio_socketio._exceptions import SocketIOError as SocketIOError
from trio_socketio._limits import Limits as Limits
from trio_socketio._logging import enable_debug_from_environment as _enable_debug_from_environment
from trio_socketio._serve.serve import serve as serve
from trio_socketio._serve.serving import Serving as Serving
from trio_socketio._server.adapter import Adapter as Adapter
from trio_socketio._server.adapter import Broadcaster as Broadcaster
from trio_socketio._server.adapter import LocalSockets as LocalSockets
from trio_socketio._server.answers import Answers as Answers
from trio_socketio._server.answers import AnswerSink as AnswerSink
from trio_socketio._server.broadcast import BroadcastOperator as BroadcastOperator
from trio_socketio._server.class_based import handles as handles
from trio_socketio._server.description import SocketDescription as SocketDescription
from trio_socketio._server.event_stream import EventStream as EventStream
from trio_socketio._server.event_stream import ReceivedEvent as ReceivedEvent
from trio_socketio._server.flagged_socket import FlaggedSocket as FlaggedSocket
from trio_socketio._server.handshake import Handshake as Handshake
from trio_socketio._server.local_adapter import LocalAdapter as LocalAdapter
from trio_socketio._server.namespace import Namespace as Namespace
from trio_socketio._server.open_namespace import OpenNamespace as OpenNamespace
from trio_socketio._server.recovery import ConnectionStateRecovery as ConnectionStateRecovery
from trio_socketio._server.remote_socket import RemoteSocket as RemoteSocket
from trio_socketio._server.server import Server as Server
from trio_socketio._server.socket import Socket as Socket
from trio_socketio._server.statistics import ServerStatistics as ServerStatistics
from trio_socketio._server.target import Target as Target
from trio_socketio._socket.acks import TooManyPendingAcks as TooManyPendingAcks
from trio_socketio._socket.contract import InvalidAnswer as InvalidAnswer
from trio_socketio._socket.contract import event_name as event_name
from trio_socketio._types import Data as Data
from trio_socketio._types import Room as Room
from trio_socketio._util import show_as_members_of as _show_as_members_of
from trio_socketio._version import __version__ as __version__
from trio_socketio._wire.checked_packet import checked_packet as checked_packet
from trio_socketio._wire.json_parser import JSONParser as JSONParser
from trio_socketio._wire.msgpack_parser import MessagePackParser as MessagePackParser
from trio_socketio._wire.parser import Decoder as Decoder
from trio_socketio._wire.parser import Parser as Parser
from trio_socketio._wire.socket_packet import Ack as Ack
from trio_socketio._wire.socket_packet import Connect as Connect
from trio_socketio._wire.socket_packet import ConnectError as ConnectError
from trio_socketio._wire.socket_packet import Disconnect as Disconnect
from trio_socketio._wire.socket_packet import Event as Event
from trio_socketio._wire.socket_packet import SocketPacket as SocketPacket

_enable_debug_from_environment()
_show_as_members_of(__name__, globals())
