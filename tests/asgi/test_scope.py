"""The engine's request out of a scope, headers back into bytes, and the drain of what nobody wants."""

from __future__ import annotations

import logging

import pytest
import trio

from tests.support.asgi import GONE, Call, body, http_scope, websocket_scope
from tests.support.client import settle
from trio_socketio._asgi.scope import drain, raw, request_of


def headers_of(*headers: tuple[bytes, bytes]) -> dict[str, str]:
    return dict(request_of(http_scope(headers=headers), "/").headers)


class TestHeaders:
    def test_names_in_lower_case_values_as_they_are(self):
        assert headers_of((b"X-Mixed-CASE", b"Value")) == {"x-mixed-case": "Value"}

    def test_repeated_ones_are_joined_in_order(self):
        repeated = [(b"accept", b"a"), (b"host", b"h"), (b"Accept", b"b"), (b"ACCEPT", b"c")]
        assert headers_of(*repeated) == {"accept": "a, b, c", "host": "h"}

    def test_repeated_ones_that_are_empty(self):
        assert headers_of((b"x", b""), (b"x", b"")) == {"x": ", "}

    def test_cookies_that_http_2_has_cut_are_joined_as_cookies(self):
        assert headers_of((b"cookie", b"a=1"), (b"Cookie", b"b=2")) == {"cookie": "a=1; b=2"}

    def test_any_byte_is_a_character(self):
        every = bytes(range(256))
        assert headers_of((b"x", every))["x"].encode("latin-1") == every
        assert headers_of((b"\xd6", b"v")) == {"ö": "v"}


class TestRequest:
    def test_http(self):
        scope = http_scope("EIO=4&x=%C3%A9", "POST", path="/mounted/socket.io/", headers=[(b"host", b"h")])
        request = request_of(scope, "/socket.io/")
        assert (request.method, request.path, request.query_string) == ("POST", "/socket.io/", "EIO=4&x=%C3%A9")
        assert (request.headers, request.client, request.secure) == ({"host": "h"}, "192.0.2.1", False)

    def test_a_query_of_any_bytes(self):
        assert request_of(http_scope() | {"query_string": b"a=\xff"}, "/").query_string == "a=ÿ"

    def test_a_websocket_is_a_get(self):
        assert request_of(websocket_scope(), "/").method == "GET"

    def test_the_client_of_a_unix_socket(self):
        assert request_of(http_scope(client=None), "/").client is None

    @pytest.mark.parametrize(("scheme", "secure"), [("http", False), ("https", True), ("ws", False), ("wss", True)])
    def test_secure(self, scheme, secure):
        assert request_of(http_scope(scheme=scheme), "/").secure is secure

    @pytest.mark.parametrize("optional", ["scheme", "query_string", "client"])
    def test_what_a_host_may_leave_out(self, optional):
        scope = websocket_scope("EIO=4", scheme="wss")
        del scope[optional]
        request = request_of(scope, "/")
        expected = {"scheme": (False, "EIO=4", "192.0.2.1"), "query_string": (True, "", "192.0.2.1")}
        assert (request.secure, request.query_string, request.client) == expected.get(optional, (True, "EIO=4", None))

    def test_a_query_that_is_none(self):
        assert request_of(websocket_scope() | {"query_string": None}, "/").query_string == ""


class TestRaw:
    def test_order_and_repetition_are_kept(self):
        assert raw([("b", "1"), ("a", "ü"), ("b", "2")]) == [(b"b", b"1"), (b"a", b"\xfc"), (b"b", b"2")]

    def test_none(self):
        assert raw([]) == []


class TestDrain:
    @pytest.mark.parametrize("scope", [http_scope(), websocket_scope()])
    async def test_until_the_client_has_gone(self, scope, nursery, autojump_clock):
        call = Call(scope)
        ended = trio.Event()

        async def drain_it() -> None:
            await drain(call.receive)
            ended.set()

        nursery.start_soon(drain_it)
        # More than the queue holds: they are taken as they come.
        await call.put(*body(*[b"x"] * 25), *[{"type": "websocket.receive", "text": "x"}] * 25)
        assert not ended.is_set()
        await call.put(GONE[scope["type"]])
        assert ended.is_set()

    async def test_a_host_whose_queue_has_ended_hurts_nobody(self, caplog, autojump_clock):
        caplog.set_level(logging.DEBUG, "trio_socketio")
        call = Call(http_scope())
        call.queue.close()
        await drain(call.receive)
        assert "could not be drained: EndOfChannel" in caplog.text

    async def test_it_can_be_cancelled(self, nursery, autojump_clock):
        with trio.CancelScope() as scope:
            nursery.start_soon(self._cancel_when_settled, scope)
            await drain(Call(http_scope()).receive)
        assert scope.cancelled_caught

    async def _cancel_when_settled(self, scope: trio.CancelScope) -> None:
        await settle()
        scope.cancel()
