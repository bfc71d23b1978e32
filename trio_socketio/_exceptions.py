"""The exceptions that need nothing but Python; the ones that are also Trio's stand in ``_engine/exceptions.py``."""

from __future__ import annotations


class SocketIOError(Exception):
    """Base of every exception that this package defines."""


class RemoteProtocolError(SocketIOError):
    """The peer broke a rule of Engine.IO or Socket.IO.

    Only the session that sent the bytes pays for it: it is closed, the server goes on.
    """


class ConnectionRefused(SocketIOError):  # noqa: N818 - it is the name that the issue and the documentation use
    """Raised by a middleware (or ``allow_request``) to refuse a client.

    The peer of a middleware sees a CONNECT_ERROR packet ``{"message": message, "data": data}``; the peer of
    ``allow_request`` sees HTTP 403 with ``{"code": 4, "message": message}``.

    Args:
        message: what the client is told; the default says as little as possible.
        data: anything that can be sent as JSON; left out of the packet when ``None``.

    Raises:
        TypeError: the message is not text.
        ValueError: the message is not Unicode.
    """

    def __init__(self, message: str = "Forbidden", data: object = None) -> None:
        _check_message(type(self), message)
        super().__init__(message)
        self.message = message
        """What the client is told."""
        self.data = data
        """Details for the client, or ``None``."""


class EventRejected(SocketIOError):  # noqa: N818 - as ConnectionRefused
    """Raised by an event handler to refuse an event: no error of the application, but an answer to the client.

    A client that asked for an acknowledgement gets one argument, ``{"error": {"code": "rejected", "message": message,
    "data": data}}``; one that did not hears nothing. Nothing is logged but at DEBUG, and ``on_error`` is not told.

    Args:
        message: what the client is told; the default says as little as possible.
        data: anything that can be sent as JSON; left out of the answer when ``None``.

    Raises:
        TypeError: the message is not text.
        ValueError: the message is not Unicode.
    """

    def __init__(self, message: str = "Rejected", data: object = None) -> None:
        _check_message(type(self), message)
        super().__init__(message)
        self.message = message
        """What the client is told."""
        self.data = data
        """Details for the client, or ``None``."""


def _check_message(kind: type, message: object) -> None:
    if not isinstance(message, str):
        msg = f"{kind.__name__}(message) is the text that the client is told, not {message!r}"
        raise TypeError(msg)
    message.encode()
