"""Section 1.4 of the reference, row by row, in every way of being served; where we differ on purpose, it says so."""

from __future__ import annotations

import json

import pytest
import trio_websocket

from tests.support.raw_client import raw_client
from tests.support.served import WAYS
from trio_socketio import CORS, ConnectionRefused, Cookie, EngineConfig, Limits, Server

BAD_REQUEST = {"code": 3, "message": "Bad request"}
FORBIDDEN = {"code": 4, "message": "Forbidden"}


@pytest.fixture(params=sorted(WAYS))
def way(request):
    return WAYS[request.param]


@pytest.fixture
async def sio(way):
    server = Server(limits=Limits(max_payload=1000))
    async with way(server) as url, raw_client(url) as client:
        yield client


async def is_closed(client, query) -> bool:
    response = await client.post(query, "3")
    return (response.status_code, response.json() if response.status_code == 400 else None) == (
        400,
        {"code": 1, "message": "Session ID unknown"},
    )


async def test_headers_of_answers(sio):
    response = await sio.get("EIO=4&transport=polling")
    assert response.headers["content-type"] == "text/plain; charset=UTF-8"
    assert response.headers["content-length"] == str(len(response.content))
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "set-cookie" not in response.headers
    assert "access-control-allow-origin" not in response.headers
    query = f"EIO=4&transport=polling&sid={json.loads(response.text[1:])['sid']}"
    response = await sio.post(query, "40")
    assert (response.headers["content-type"], response.text) == ("text/html", "ok")
    response = await sio.get("EIO=4")
    assert response.headers["content-type"] == "application/json"


@pytest.mark.parametrize("sid", ["unknown", "__proto__", "constructor", "x" * 3000, "%00", "%ff"])
async def test_unknown_sid(sio, sid):
    for method in ("GET", "POST", "PUT"):
        response = await sio.request(method, f"EIO=4&transport=polling&sid={sid}")
        assert (response.status_code, response.json()) == (400, {"code": 1, "message": "Session ID unknown"})
    with pytest.raises(trio_websocket.ConnectionRejected) as refused:
        async with sio.websocket(f"EIO=4&transport=websocket&sid={sid}"):
            pass
    assert (refused.value.status_code, refused.value.body) == (400, b"Session ID unknown")


@pytest.mark.parametrize("method", ["POST", "PUT", "OPTIONS", "DELETE"])
async def test_bad_handshake_method(sio, method):
    response = await sio.request(method, "EIO=4&transport=polling")
    assert (response.status_code, response.json()) == (400, {"code": 2, "message": "Bad handshake method"})


@pytest.mark.parametrize("method", ["PUT", "OPTIONS", "DELETE", "PATCH"])
async def test_other_methods_with_a_session(sio, method):
    query = await sio.open_polling()
    response = await sio.request(method, query)
    assert (response.status_code, response.content) == (500, b"")
    assert not await is_closed(sio, query)


async def test_bad_requests(sio):
    query = await sio.open_polling()
    for wrong in (
        "EIO=4&transport=websocket",
        query.replace("polling", "websocket"),
        query.replace("EIO=4&", ""),
        query.replace("EIO=4", "EIO=3"),
    ):
        response = await sio.get(wrong)
        assert (response.status_code, response.json()) == (400, BAD_REQUEST), wrong
    assert not await is_closed(sio, query)


@pytest.mark.parametrize("body", ["abc", "", "2", "\x1e", "4a\x1eabc", "b???", "4abc", b"4\xff"])
async def test_a_post_that_is_not_a_payload(sio, body):
    # The reference answers 200 to most of these, and closes the session nevertheless.
    query = await sio.open_polling()
    response = await sio.post(query, body)
    assert (response.status_code, response.json()) == (400, BAD_REQUEST)
    assert await is_closed(sio, query)


async def test_a_post_of_bytes(sio):
    query = await sio.open_polling()
    response = await sio.post(query, b"x", headers={"content-type": "application/octet-stream"})
    assert (response.status_code, response.json()) == (400, BAD_REQUEST)
    assert await is_closed(sio, query)


async def test_a_post_that_is_too_large(sio):
    # The reference keeps the session.
    query = await sio.open_polling()
    response = await sio.post(query, b"4" * 1001)
    assert (response.status_code, response.content) == (413, b"")
    assert await is_closed(sio, query)


async def test_a_post_that_turns_out_to_be_too_large(sio):
    query = await sio.open_polling()
    async with sio.begun_post(query) as stream:
        for _ in range(3):
            await stream.send_all(b"190\r\n" + b"4" * 400 + b"\r\n")
        answer = b""
        async for data in stream:
            answer += data
        # The rest of the body is not read: so the connection ends, and says so.
        assert answer.startswith(b"HTTP/1.1 413")
        assert b"connection: close" in answer.lower()
    assert await is_closed(sio, query)


async def test_a_post_of_the_largest_size(sio):
    query = await sio.open_polling()
    await sio.post(query, "40")
    assert (await sio.post(query, f'42["{"x" * 200}","' + "x" * 700 + '"]')).text == "ok"


async def test_too_many_packets(way):
    async with way(Server(limits=Limits(max_packets_per_payload=3))) as url, raw_client(url) as sio:
        query = await sio.open_polling()
        assert (await sio.post(query, "3\x1e3\x1e3")).status_code == 200
        assert (await sio.post(query, "3\x1e3\x1e3\x1e3")).status_code == 400
        assert await is_closed(sio, query)


async def test_overlapping_posts(sio):
    query = await sio.open_polling()
    async with sio.begun_post(query) as stream:
        # Until the server has seen the first one, these are alone, and answered "ok".
        while (second := await sio.post(query, "3")).status_code == 200:
            pass
        assert (second.status_code, second.content) == (400, b"")
        assert (await stream.receive_some()).startswith(b"HTTP/1.1 400")
    assert await is_closed(sio, query)


async def test_a_post_that_is_given_up(sio):
    query = await sio.open_polling()
    async with sio.begun_post(query):
        while (await sio.post(query, "3")).status_code == 200:
            pass
    assert await is_closed(sio, query)


async def test_closing_by_post(sio):
    query = await sio.open_polling()
    assert (await sio.post(query, "1")).text == "ok"
    assert await is_closed(sio, query)


async def test_the_upgrade_may_be_claimed_without_a_probe(sio):
    query = await sio.open_polling()
    async with sio.websocket(query.replace("polling", "websocket")) as websocket:
        await websocket.send("5", "40")
        assert (await websocket.receive()).startswith('40{"sid"')


async def test_another_first_frame_closes_the_probe_only(sio):
    query = await sio.open_polling()
    for frame in ("40", "2", "x", b"5"):
        async with sio.websocket(query.replace("polling", "websocket")) as websocket:
            await websocket.send(frame)
            await websocket.closed()
    async with sio.probed(query):
        pass
    assert not await is_closed(sio, query)
    async with sio.probed(query) as websocket:
        await websocket.send("5", "40")
        assert (await websocket.receive()).startswith('40{"sid"')


async def test_a_second_upgrade_is_closed(sio):
    query = await sio.open_polling()
    async with sio.probed(query) as first:
        async with sio.websocket(query.replace("polling", "websocket")) as second:
            await second.closed()
        await first.send("5", "40")
        assert (await first.receive()).startswith('40{"sid"')


async def test_polling_on_an_upgrade_is_closed(sio):
    async with sio.websocket("EIO=4&transport=polling") as websocket:
        await websocket.closed()


async def test_a_message_that_is_too_large(sio):
    for message in ("4" + "x" * 1000, "4" + "é" * 500, b"x" * 1001):
        async with sio.session() as websocket:
            await websocket.send(message)
            assert await websocket.closed() == 1009


async def test_other_paths(sio):
    for path in ("/socket.iox/", "/other"):
        response = await sio.http.get(f"{sio.url}{path}?EIO=4&transport=polling")
        assert response.status_code == 404
    response = await sio.http.get(f"{sio.url}/socket.io/below/it?EIO=4&transport=polling")
    assert response.status_code == 200


async def test_many_fields_in_the_query(sio):
    response = await sio.get("EIO=4&transport=polling&" + "&".join(f"f{number}=1" for number in range(200)))
    assert response.json()["code"] == 0


class TestOrigin:
    @pytest.mark.parametrize(
        "origin", ["http://evil.example", "null", "http://127.0.0.1:1", "nonsense", "http://[", "https://127.0.0.1"]
    )
    async def test_foreign(self, sio, origin):
        query = await sio.open_polling()
        headers = {"origin": origin}
        for response in (
            await sio.get("EIO=4&transport=polling", headers=headers),
            await sio.post(query, "40", headers=headers),
            await sio.request("OPTIONS", "EIO=4&transport=polling", headers=headers),
        ):
            assert (response.status_code, response.json()) == (403, FORBIDDEN)
            assert "access-control-allow-origin" not in response.headers
        with pytest.raises(trio_websocket.ConnectionRejected) as refused:
            async with sio.websocket(extra_headers=[("Origin", origin)]):
                pass
        assert (refused.value.status_code, refused.value.body) == (403, b"Forbidden")
        assert not await is_closed(sio, query)

    async def test_own(self, sio):
        headers = {"origin": sio.url.upper().replace("HTTP", "http")}
        assert (await sio.get("EIO=4&transport=polling", headers=headers)).status_code == 200
        async with sio.websocket(extra_headers=[("Origin", sio.url)]) as websocket:
            assert (await websocket.receive())[0] == "0"

    async def test_listed(self, way):
        cors = CORS(origins=("https://app.example", "http://x.example:8080", "null"), credentials=True, max_age=60)
        async with way(Server(EngineConfig(cors=cors))) as url, raw_client(url) as sio:
            for origin in cors.origins:
                response = await sio.get("EIO=4&transport=polling", headers={"origin": origin})
                assert response.status_code == 200
                assert response.headers["access-control-allow-origin"] == origin
                assert response.headers["access-control-allow-credentials"] == "true"
                assert response.headers["vary"] == "Origin"
                response = await sio.get("EIO=4", headers={"origin": origin})
                assert response.headers["access-control-allow-origin"] == origin
            for origin in (
                "https://app.example.evil.example",
                "https://evilapp.example",
                "http://app.example",
                "https://x.example:8080",
            ):
                assert (await sio.get("EIO=4&transport=polling", headers={"origin": origin})).status_code == 403
            headers = {"origin": "https://app.example", "access-control-request-headers": "x-mine"}
            response = await sio.request("OPTIONS", "EIO=4&transport=polling", headers=headers)
            assert (response.status_code, response.content) == (204, b"")
            assert response.headers["access-control-allow-methods"] == "GET, POST"
            assert response.headers["access-control-allow-headers"] == "content-type, authorization"
            assert response.headers["access-control-max-age"] == "60"
            async with sio.websocket(extra_headers=[("Origin", "https://app.example")]) as websocket:
                headers = dict(websocket.connection.handshake_headers)
                assert headers[b"access-control-allow-origin"] == b"https://app.example"

    async def test_all(self, way):
        async with way(Server(EngineConfig(cors=CORS(origins="*")))) as url, raw_client(url) as sio:
            response = await sio.get("EIO=4&transport=polling", headers={"origin": "http://any.example"})
            assert response.headers["access-control-allow-origin"] == "*"
            assert "access-control-allow-credentials" not in response.headers


class TestHooks:
    async def test_cookie_and_headers(self, way):
        config = EngineConfig(
            cookie=Cookie(name="io", domain="a.example", max_age=5),
            initial_headers=lambda headers, request: headers.append(("x-first", request.query["transport"])),
            headers=lambda headers, request: headers.append(("x-every", "yes")),
        )
        async with way(Server(config)) as url, raw_client(url) as sio:
            response = await sio.get("EIO=4&transport=polling")
            sid = json.loads(response.text[1:])["sid"]
            expected = f"io={sid}; Path=/; Domain=a.example; Max-Age=5; HttpOnly; SameSite=Lax"
            assert response.headers["set-cookie"] == expected
            assert (response.headers["x-first"], response.headers["x-every"]) == ("polling", "yes")
            response = await sio.post(f"EIO=4&transport=polling&sid={sid}", "40")
            assert response.headers["x-every"] == "yes"
            assert not {"set-cookie", "x-first"} & set(response.headers)
            assert "x-every" not in (await sio.get("EIO=4")).headers
            async with sio.websocket() as websocket:
                headers = dict(websocket.connection.handshake_headers)
                assert (headers[b"x-first"], headers[b"x-every"]) == (b"websocket", b"yes")
                assert b"set-cookie" not in headers

    async def test_allow_request(self, way, caplog):
        async def allow(request):
            match request.query.get("who"):
                case "friend":
                    return True
                case "stranger":
                    return False
                case "known":
                    raise ConnectionRefused("not you again")
                case "crash":
                    raise RuntimeError("in allow_request")

        async with way(Server(EngineConfig(allow_request=allow))) as url, raw_client(url) as sio:
            expected = {
                "friend": (200, None),
                "nobody": (200, None),
                "stranger": (403, FORBIDDEN),
                "known": (403, {"code": 4, "message": "not you again"}),
                "crash": (400, BAD_REQUEST),
            }
            for who, (status, body) in expected.items():
                response = await sio.get(f"EIO=4&transport=polling&who={who}")
                assert response.status_code == status, who
                assert body is None or response.json() == body
            for who, (status, body) in expected.items():
                if body is not None:
                    with pytest.raises(trio_websocket.ConnectionRejected) as refused:
                        async with sio.websocket(f"EIO=4&transport=websocket&who={who}"):
                            pass
                    assert (refused.value.status_code, refused.value.body) == (status, body["message"].encode())
        assert "in allow_request" in caplog.text


async def test_transports_and_paths(way):
    config = EngineConfig(path="/live/feed", transports=("websocket",))
    async with way(Server(config)) as url, raw_client(url, "/live/feed") as sio:
        assert (await sio.get("EIO=4&transport=polling")).json()["code"] == 0
        async with sio.websocket() as websocket:
            assert '"upgrades":[]' in await websocket.receive()
    config = EngineConfig(allow_upgrades=False, add_trailing_slash=False)
    async with WAYS["serve"](Server(config)) as url, raw_client(url) as sio:
        response = await sio.http.get(f"{sio.url}/socket.io?EIO=4&transport=polling")
        assert '"upgrades":[]' in response.text
    async with WAYS["serve"](Server()) as url, raw_client(url) as sio:
        assert (await sio.http.get(f"{sio.url}/socket.io?EIO=4&transport=polling")).status_code == 404


async def test_client_bundles(way, tmp_path):
    (tmp_path / "socket.io.js").write_bytes(b"/*!\n * Socket.IO v1.2.3\n */")
    (tmp_path / "socket.io.js.map").write_bytes(b"{}")
    (tmp_path / "secret.js").write_bytes(b"no")
    async with way(Server(client_files=tmp_path)) as url, raw_client(url) as sio:
        address = f"{sio.url}/socket.io/socket.io.js"
        response = await sio.http.get(address)
        assert (response.status_code, response.headers["etag"]) == (200, '"1.2.3"')
        assert response.headers["content-type"] == "application/javascript; charset=utf-8"
        assert response.headers["cache-control"] == "public, max-age=0"
        for tag in ('"1.2.3"', 'W/"1.2.3"'):
            response = await sio.http.get(address, headers={"if-none-match": tag})
            assert (response.status_code, response.content) == (304, b"")
        assert (await sio.http.get(address, headers={"if-none-match": '"0"'})).status_code == 200
        assert (await sio.http.head(address)).status_code == 200
        assert (await sio.http.get(address + ".map")).headers["content-type"].startswith("application/json")
        for other in ("secret.js", "socket.io.min.js", "../pyproject.toml", "%2e%2e/secret.js"):
            assert (await sio.http.get(f"{sio.url}/socket.io/{other}")).status_code in {400, 404}
        assert (await sio.get("EIO=4&transport=polling")).status_code == 200


def test_a_folder_without_bundles(tmp_path):
    with pytest.raises(ValueError, match="no client bundle"):
        Server(client_files=tmp_path)
