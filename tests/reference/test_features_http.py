"""Features of the reference on the level of HTTP that no other test has, and what we leave out, as a client sees it."""

from __future__ import annotations

import re

import pytest
import trio

from tests.support.memory import connect
from tests.support.raw_client import PATIENCE, raw_client
from trio_socketio import CORS, ConnectionRefused, EngineConfig, Server

POLLING = "EIO=4&transport=polling"


@pytest.fixture
async def client(way):
    async with way(Server()) as url, raw_client(url) as client:
        yield client


@pytest.mark.parametrize("transport", ["", "&transport=", *(f"&transport={name}" for name in (
    "constructor", "__proto__", "webtransport", "flashsocket", "POLLING",
))])  # fmt: skip
async def test_transports_that_there_are_not(client, transport):
    response = await client.get(f"EIO=4{transport}")
    assert (response.status_code, response.json()) == (400, {"code": 0, "message": "Transport unknown"})


@pytest.mark.parametrize("revision", ["", "EIO=3&", "EIO=5&", "EIO=abc&", "EIO=&", "EIO=04&"])
async def test_other_revisions(client, revision):
    response = await client.get(f"{revision}transport=polling")
    assert (response.status_code, response.json()) == (400, {"code": 5, "message": "Unsupported protocol version"})


@pytest.mark.parametrize("revision", ["", "EIO=5&", "EIO=abc&"])
async def test_other_revisions_are_not_taken_for_3(way, revision):
    async with way(Server(EngineConfig(allow_eio3=True))) as url, raw_client(url) as client:
        assert (await client.get(f"{revision}transport=polling")).json()["code"] == 5
        assert (await client.get("EIO=3&transport=polling")).status_code == 200


async def test_scripts_are_not_answered(client):
    # JSONP: the handshake of the reference would be a call of ___eio[0], and a POST a field of a form.
    response = await client.get(f"{POLLING}&j=0")
    assert response.headers["content-type"] == "text/plain; charset=UTF-8"
    assert response.text.startswith('0{"sid"')
    query = f"{await client.open_polling()}&j=0"
    assert (await client.post(query, "40")).text == "ok"
    assert (await client.get(query)).text.startswith('40{"sid"')
    fields = {"content-type": "application/x-www-form-urlencoded"}
    assert (await client.post(query, "d=40", headers=fields)).status_code == 400


@pytest.mark.parametrize("agent", ["Mozilla/4.0 (compatible; MSIE 8.0)", "Mozilla/5.0 (Trident/7.0; rv:11.0)"])
async def test_no_header_for_the_filters_of_old_browsers(client, agent):
    # They are gone; all answers forbid instead to take them for anything but what they say.
    response = await client.get(POLLING, headers={"user-agent": agent})
    assert response.status_code == 200
    assert "x-xss-protection" not in response.headers
    assert response.headers["x-content-type-options"] == "nosniff"


async def refused_websocket(url: str, query: str, *fields: str) -> tuple[str, dict[str, str], str]:
    """Ask for a WebSocket; return the status line, the headers and the body that refuse it."""
    lines = [f"GET /socket.io/?{query} HTTP/1.1", "Host: a", "Connection: Upgrade", "Upgrade: websocket", *fields]
    lines += ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "", ""]
    with trio.fail_after(PATIENCE):
        async with await connect(url) as stream:
            await stream.send_all("\r\n".join(lines).encode())
            answer = b""
            while b"\r\n\r\n" not in answer or not answer.endswith(MESSAGES):
                data = await stream.receive_some()
                assert data, answer
                answer += data
    head, _, body = answer.decode().partition("\r\n\r\n")
    status, *headers = head.split("\r\n")
    return status, {name.lower(): value for name, _, value in (line.partition(": ") for line in headers)}, body


MESSAGES = (b"Transport unknown", b"Session ID unknown", b"Unsupported protocol version", b"Forbidden", b"not you")


@pytest.mark.parametrize(("query", "fields", "status", "message"), [
    ("EIO=4&transport=nonsense", [], 400, "Transport unknown"),
    ("EIO=4&transport=websocket&sid=nonsense", [], 400, "Session ID unknown"),
    ("EIO=5&transport=websocket", [], 400, "Unsupported protocol version"),
    ("EIO=4&transport=websocket", ["Origin: http://evil.example"], 403, "Forbidden"),
    ("EIO=4&transport=websocket&who=stranger", [], 403, "not you"),
])  # fmt: skip
async def test_a_refused_websocket_is_told_in_plain_text(way, query, fields, status, message):
    async def allow(request):
        if request.query.get("who") == "stranger":
            raise ConnectionRefused("not you")

    async with way(Server(EngineConfig(allow_request=allow))) as url:
        line, headers, body = await refused_websocket(url, query, *fields)
        assert line.startswith(f"HTTP/1.1 {status} ")
        assert (headers["content-type"], body) == ("text/html", message)
        assert headers["connection"] == "close"


class TestCORS:
    async def test_without_it_there_are_no_headers(self, client):
        for method in ("GET", "OPTIONS"):
            response = await client.request(method, POLLING)
            assert not [name for name in response.headers if name.startswith("access-control")]
            assert response.headers["vary"] == "Origin"

    async def test_who_sends_no_origin_is_told_nothing(self, way):
        config = EngineConfig(cors=CORS(origins=("https://app.example",), credentials=True))
        async with way(Server(config)) as url, raw_client(url) as client:
            response = await client.get(POLLING)
            assert response.status_code == 200
            assert "access-control-allow-origin" not in response.headers

    async def test_a_function_decides(self, way):
        config = EngineConfig(cors=CORS(origins=lambda origin, request: origin.endswith(".example")))
        async with way(Server(config)) as url, raw_client(url) as client:
            response = await client.get(POLLING, headers={"origin": "https://any.example"})
            assert response.headers["access-control-allow-origin"] == "https://any.example"
            assert (await client.get(POLLING, headers={"origin": "https://any.invalid"})).status_code == 403

    async def test_the_answer_to_a_preflight_request(self, way):
        cors = CORS(
            origins=re.compile(r"https://[a-z]+\.example"),
            credentials=True,
            methods=("GET", "POST", "PUT"),
            allowed_headers=("x-token",),
            exposed_headers=("x-total",),
            max_age=600,
            options_status=200,
        )
        async with way(Server(EngineConfig(cors=cors))) as url, raw_client(url) as client:
            asked = {"origin": "https://app.example", "access-control-request-headers": "x-anything"}
            response = await client.request("OPTIONS", POLLING, headers=asked)
            assert (response.status_code, response.content) == (200, b"")
            told = {name: value for name, value in response.headers.items() if name.startswith("access-control")}
            assert told == {
                "access-control-allow-origin": "https://app.example",
                "access-control-allow-credentials": "true",
                "access-control-allow-methods": "GET, POST, PUT",
                "access-control-allow-headers": "x-token",
                "access-control-expose-headers": "x-total",
                "access-control-max-age": "600",
            }
            assert response.headers["content-length"] == "0"
            assert response.headers["vary"] == "Origin"
