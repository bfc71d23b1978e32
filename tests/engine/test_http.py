"""Requests and responses as values."""

from __future__ import annotations

import pytest
import trio

from tests.support.client import settle
from trio_socketio import Request
from trio_socketio._engine.http import EventHold, Response, refused, refused_websocket
from trio_socketio._wire.engine_handshake import Refusal


def asking(query: str = "", **headers: str) -> Request:
    return Request(method="GET", path="/socket.io/", query_string=query, headers=headers)


class TestRequest:
    def test_url(self):
        assert asking().url == "/socket.io/"
        assert asking("EIO=4&x=%20").url == "/socket.io/?EIO=4&x=%20"

    @pytest.mark.parametrize(("query", "expected"), [
        ("", {}),
        ("EIO=4&transport=polling", {"EIO": "4", "transport": "polling"}),
        ("a=1&a=2&b=3&a=4", {"a": "1", "b": "3"}),
        ("a=&b", {"a": "", "b": ""}),
        ("a=%20+%C3%A9", {"a": "  é"}),
        ("%ff=1", {"\N{REPLACEMENT CHARACTER}": "1"}),
        ("a=1;b=2", {"a": "1;b=2"}),
    ])  # fmt: skip
    def test_query(self, query, expected):
        assert asking(query).query == expected

    def test_a_query_with_too_many_fields_counts_as_empty(self):
        assert len(asking("&".join(f"f{number}=1" for number in range(100))).query) == 100
        assert asking("&".join(f"f{number}=1" for number in range(101))).query == {}

    @pytest.mark.parametrize(("text", "expected"), [
        ("0", 0), ("17", 17), ("007", 7), ("9" * 16, 10**16 - 1), ("9" * 17, None), ("", None), ("-1", None),
        ("+1", None), ("1.5", None), ("1e3", None), ("0x10", None), (" 1", None), ("1, 1", None), ("1_0", None),
        ("٣", None), ("²", None),
    ])  # fmt: skip
    def test_content_length(self, text, expected):
        assert asking(**{"content-length": text}).content_length == expected

    def test_no_content_length(self):
        assert asking().content_length is None

    def test_host(self):
        assert asking().host is None
        assert asking(host="a.example").host == "a.example"
        proxied = Request(method="GET", path="/", headers={"host": "inner"}, forwarded_host="a.example")
        assert proxied.host == "a.example"

    def test_state_is_its_own_and_empty_at_first(self):
        request, other = asking(), asking()
        request.state["user"] = "alice"
        assert request.state == {"user": "alice"}
        assert other.state == {}


class TestResponse:
    def test_what_every_answer_carries(self):
        assert Response(200, b"ok", "text/html").header_list() == [
            ("content-type", "text/html"),
            ("content-length", "2"),
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
        ]

    def test_without_a_body(self):
        headers = dict(Response(400).header_list())
        assert "content-type" not in headers
        assert headers["content-length"] == "0"

    def test_not_modified_has_no_length(self):
        assert "content-length" not in dict(Response(304).header_list())

    @pytest.mark.parametrize("name", ["cache-control", "Cache-Control"])
    def test_a_cache_control_of_its_own(self, name):
        # A hook may write names as it likes: two contradicting headers would be sent otherwise.
        headers = Response(200, headers=[(name, "public"), ("x-a", "1"), ("x-a", "2")]).header_list()
        assert [value for given, value in headers if given.lower() == "cache-control"] == ["public"]
        assert [value for given, value in headers if given == "x-a"] == ["1", "2"]

    def test_each_response_has_headers_of_its_own(self):
        Response(200).headers.append(("x", "y"))
        assert Response(200).headers == []


@pytest.mark.parametrize("refusal", Refusal)
def test_refusals(refusal):
    response = refused(refusal)
    assert response.status == (403 if refusal is Refusal.FORBIDDEN else 400)
    assert response.content_type == "application/json"
    assert response.body == f'{{"code":{refusal.code},"message":"{refusal.message}"}}'.encode()
    on_websocket = refused_websocket(refusal)
    assert (on_websocket.status, on_websocket.content_type) == (response.status, "text/html")
    assert on_websocket.body == refusal.message.encode()


def test_refusals_in_other_words():
    assert refused(Refusal.FORBIDDEN, 'no "entry"').body == rb'{"code":4,"message":"no \"entry\""}'
    assert refused(Refusal.FORBIDDEN, "").body == b'{"code":4,"message":""}'
    assert refused_websocket(Refusal.FORBIDDEN, "é").body == "é".encode()


class TestEventHold:
    async def test_released(self, nursery, autojump_clock):
        hold = EventHold()
        released_at = []

        async def wait():
            await hold.wait()
            released_at.append(trio.current_time())

        nursery.start_soon(wait)
        await trio.sleep(5)
        hold.release()
        hold.release()
        await settle()
        assert released_at == [5]

    async def test_released_before_the_wait(self, autojump_clock):
        hold = EventHold()
        hold.release()
        await hold.wait()
        assert trio.current_time() == 0

    async def test_cancelled_by_the_host(self, autojump_clock):
        with trio.move_on_after(1) as scope:
            await EventHold().wait()
        assert scope.cancelled_caught
