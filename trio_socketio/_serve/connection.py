"""One connection of the front: requests in order, until it becomes a WebSocket, is passed on, or ends.

    waiting for a head --(ours)--> answering --(keep-alive)--> waiting for a head
          |                            +--(close, or the body was not read)--> the last word, closed
          +--(ours, Upgrade: websocket)--> a WebSocket, closed
          +--(anybody else's)------------> passed on, with all bytes that were read
          +--(no head, or not in time)---> 400, 408, 414, 431, ..., closed

Whatever goes wrong ends this connection and nothing else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import TypeVar, final

import trio

from trio_socketio._engine.exceptions import CloseReason
from trio_socketio._engine.http import ClientGone, Request, Response
from trio_socketio._engine.server import Admission
from trio_socketio._engine.transport import FAREWELL
from trio_socketio._logging import scope_logger, show_error
from trio_socketio._serve.http1 import BadRequest, Head, encode_answer, encode_refusal
from trio_socketio._serve.inbound import Inbound
from trio_socketio._serve.link import Link
from trio_socketio._serve.site import Site
from trio_socketio._serve.websocket_stream import NativeStream
from trio_socketio._serve.websocket_writer import FlushedWriter
from trio_socketio._wire import websocket_handshake

_logger = scope_logger("serve")

T = TypeVar("T")

HTTP_2 = "h2"
"""Its name in ALPN."""

_NOT_FOUND = Response(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_FOUND.phrase.encode(), "text/plain; charset=utf-8")
"""What ``encode_refusal`` makes of it, for the log."""


@final
class FrontConnection:
    """Serves one link.

    Args:
        site: what it is a connection of.
        link: its bytes.
    """

    __slots__ = ("_inbound", "_is_idle", "_is_late", "_is_passed_on", "_link", "_scope", "_site", "_timers")

    def __init__(self, site: Site, link: Link) -> None:
        self._site = site
        self._link = link
        self._inbound = Inbound(link, site.engine.limits)
        self._scope = trio.CancelScope()
        self._timers = site.engine.new_timers(self._fail)
        self._is_idle = False
        self._is_late = False
        self._is_passed_on = False

    async def run(self) -> None:
        """Serve it to its end, and close it."""
        self._site.connections.add(self)
        self._site.engine.counters.connections += 1
        try:
            with self._scope:
                admission = await self._serve()
                # From here, so that a WebSocket does not keep for life what its handshake needed.
                if admission is not None:
                    await self._carry(admission)
        except trio.BrokenResourceError:
            pass  # The client has gone.
        except Exception as error:
            # A fault of ours: it may cost one client, not all.
            _logger.exception("a connection ended by a fault of the server")
            show_error(error, "a connection of the server")
        finally:
            self._site.connections.discard(self)
            self._site.engine.counters.connections -= 1
            self._timers.end()
            if not self._is_passed_on:
                with trio.move_on_after(2 * FAREWELL, shield=True):
                    await self._close()

    async def _close(self) -> None:
        if self._is_late:
            # It may not even be there any more.
            with trio.move_on_after(FAREWELL), suppress(trio.BrokenResourceError):
                await self._link.send_all(self._refusal(HTTPStatus.REQUEST_TIMEOUT))
        await self._link.aclose()

    def close_when_idle(self) -> None:
        """Take no further request."""
        if self._is_idle:
            self._scope.cancel()

    def _fail(self, error: Exception) -> None:
        _logger.error("a timer of a connection failed", exc_info=error)
        self._scope.cancel()

    # Requests

    async def _serve(self) -> Admission | None:
        """Serve requests; return the WebSocket that was accepted in the end, if one was."""
        if await self._begin() == HTTP_2:
            self._pass_on(b"")
            return None
        while (head := await self._next_head()) is not None:
            path = self._site.own_path(head.path)
            if path is None:
                if self._site.has_app:
                    self._pass_on(head.raw + self._inbound.pending)
                else:
                    self._log(head, _NOT_FOUND, self._begins())
                    await self._refuse(HTTPStatus.NOT_FOUND)
                return None
            request = head.request(path, self._link)
            # "A server MUST ignore an Upgrade header field that is received in an HTTP/1.0 request."
            if "upgrade" in head.headers and not head.is_old and websocket_handshake.wants_websocket(head.headers):
                return await self._websocket(head, request)
            if not await self._exchange(head, request):
                return None
        return None

    async def _begin(self) -> str:
        self._is_idle = True
        self._timers.set("head", trio.current_time() + self._site.engine.limits.head_deadline, self._scope.cancel)
        try:
            return await self._link.begin()
        finally:
            self._timers.clear("head")

    async def _next_head(self) -> Head | None:
        if self._site.is_closing:
            return None
        self._is_idle = True
        self._timers.set("idle", trio.current_time() + self._site.keep_alive, self._scope.cancel)
        try:
            return await self._inbound.head(self._expect_head)
        except BadRequest as error:
            refusal = error
        finally:
            self._is_idle = False
            self._timers.clear("idle")
            self._timers.clear("head")
        await self._refuse(refusal.status)
        return None

    def _expect_head(self) -> None:
        self._timers.clear("idle")
        self._timers.set("head", trio.current_time() + self._site.engine.limits.head_deadline, self._be_late)

    def _be_late(self) -> None:
        self._is_late = True
        self._scope.cancel()

    async def _exchange(self, head: Head, request: Request) -> bool:
        """Answer a request; say whether there may be another one."""
        engine, body, began = self._site.engine, self._inbound.body(head), self._begins()
        handling = partial(engine.handle_http, request, body.read, self._inbound.new_hold, body.read_nowait())
        try:
            response = await self._asked(request, handling)
        except (ClientGone, BadRequest) as error:
            engine.undelivered(request, None, CloseReason.TRANSPORT_ERROR)
            self._log(head, error.status if isinstance(error, BadRequest) else None, began)
            if isinstance(error, BadRequest):
                await self._refuse(error.status)
            return False
        keep_alive = head.keep_alive and body.is_complete and head.chunks is None and not self._site.is_closing
        failure = await self._answer(head, response, closing=not keep_alive)
        self._log(head, response, began)
        if failure is not None:
            engine.undelivered(request, response, failure)
        elif not keep_alive:
            await self._link.aclose_after_last_word()
        return keep_alive and failure is None

    async def _answer(self, head: Head, response: Response, *, closing: bool) -> CloseReason | None:
        headers = response.header_list()
        if head.is_old and not closing:
            headers.append(("connection", "keep-alive"))
        body = b"" if head.method == "HEAD" else response.body
        return await self._send(encode_answer(response.status, headers, body, closing=closing, date=self._site.date))

    async def _refuse(self, status: int) -> None:
        if await self._send(self._refusal(status)) is None:
            await self._link.aclose_after_last_word()

    def _refusal(self, status: int, headers: Sequence[tuple[str, str]] = ()) -> bytes:
        self._site.engine.counters.refused_by_http[status] += 1
        return encode_refusal(status, headers)

    async def _send(self, data: bytes) -> CloseReason | None:
        """Send under the write deadline; say why it did not go out."""
        try:
            sent = self._link.send_nowait(data)
            if sent < len(data):
                engine = self._site.engine
                with trio.move_on_after(engine.limits.write_deadline) as writing, engine.counters.waiting_write():
                    await self._link.send_rest(memoryview(data)[sent:])
                if writing.cancelled_caught:
                    return CloseReason.SLOW_CONSUMER
        except trio.BrokenResourceError:
            return CloseReason.TRANSPORT_ERROR
        return None

    def _asked(self, request: Request, function: Callable[[], Awaitable[T]]) -> Awaitable[T]:
        """Call; watched, if that may take the application's time."""
        return self._unless_gone(function) if self._site.engine.asks_application(request) else function()

    async def _unless_gone(self, function: Callable[[], Awaitable[T]]) -> T:
        """Call, and watch whether the client leaves meanwhile: the application may take its time.

        Raises:
            ClientGone: it has left.
        """
        results: list[T] = []

        async def watch() -> None:
            await self._inbound.wait_gone()
            nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch)
            results.append(await function())
            nursery.cancel_scope.cancel()
        if not results:
            raise ClientGone
        return results[0]

    def _begins(self) -> float:
        return 0.0 if self._site.log_access is None else trio.current_time()

    def _log(self, head: Head, answer: Response | int | None, began: float) -> None:
        if self._site.log_access is None:
            return
        status, headers = (answer.status, answer.header_list()) if isinstance(answer, Response) else (answer, [])
        self._site.log_access(head, self._link, status, headers, trio.current_time() - began)

    # What is no plain request

    def _pass_on(self, data: bytes) -> None:
        self._site.pass_on(self._link.as_stream(), data + self._link.receive_nowait())
        self._is_passed_on = True

    async def _websocket(self, head: Head, request: Request) -> Admission | None:
        engine, began = self._site.engine, self._begins()
        try:
            admission = await self._asked(request, partial(engine.admit, request))
        except ClientGone:
            return None
        if isinstance(admission, Response):
            self._log(head, admission, began)
            if await self._answer(head, admission, closing=True) is None:
                await self._link.aclose_after_last_word()
            return None
        answer = websocket_handshake.answer(head.method, head.headers)
        if isinstance(answer, websocket_handshake.Refused):
            self._log(head, answer.status, began)
            await self._send(self._refusal(answer.status, answer.headers))
            await self._link.aclose_after_last_word()
            return None
        self._log(head, HTTPStatus.SWITCHING_PROTOCOLS, began)
        headers = [*answer.headers, *admission.headers]
        failure = await self._send(encode_answer(HTTPStatus.SWITCHING_PROTOCOLS, headers, date=False))
        return admission if failure is None else None

    async def _carry(self, admission: Admission) -> None:
        limits = self._site.engine.limits
        stream = NativeStream(
            self._link,
            self._inbound.pending,
            timers=self._timers,
            limits=limits,
            counters=self._site.engine.counters,
            abort=self._scope.cancel,
        )
        await self._site.engine.carry(admission, stream, partial(FlushedWriter, stream, self._site.flusher))
        if not stream.is_over:
            await self._link.aclose_after_last_word()
