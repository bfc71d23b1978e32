"""The reference's cases of the client's bundles: each file, in each way of being served."""

from __future__ import annotations

import pytest

from tests.support.raw_client import raw_client
from trio_socketio import CORS, EngineConfig, HTTPCompression, Server
from trio_socketio._server.client_files import FILE_NAMES


@pytest.fixture
def folder(tmp_path):
    for name in FILE_NAMES:
        (tmp_path / name).write_text(f"/*!\n * Socket.IO v4.8.4\n */ {name}" if name == "socket.io.js" else name)
    (tmp_path / "socket.io.esm.js").write_text("not built by anybody")
    return tmp_path


@pytest.mark.parametrize("suffix", ["", "?v=1"])
async def test_each_of_them(way, folder, suffix):
    async with way(Server(client_files=folder)) as url, raw_client(url) as client:
        for name in FILE_NAMES:
            response = await client.http.get(f"{url}/socket.io/{name}{suffix}")
            assert (response.status_code, response.content) == (200, (folder / name).read_bytes())
            kind = "json" if name.endswith(".map") else "javascript"
            assert response.headers["content-type"] == f"application/{kind}; charset=utf-8"
            assert response.headers["etag"] == '"4.8.4"'
            assert "x-sourcemap" not in response.headers


async def test_with_the_cors_headers(way, folder):
    config = EngineConfig(cors=CORS(origins=("https://good.example",)))
    async with way(Server(config, client_files=folder)) as url, raw_client(url) as client:
        response = await client.http.get(f"{url}/socket.io/socket.io.js", headers={"origin": "https://good.example"})
        assert (response.status_code, response.headers["access-control-allow-origin"]) == (200, "https://good.example")


@pytest.mark.parametrize(("tag", "status"), [('"4.8.4"', 304), ('W/"4.8.4"', 304), ('"4.8.3"', 200), ("", 200)])
async def test_if_it_has_changed(way, folder, tag, status):
    async with way(Server(client_files=folder)) as url, raw_client(url) as client:
        response = await client.http.get(f"{url}/socket.io/socket.io.js", headers={"if-none-match": tag})
        assert (response.status_code, response.content == b"") == (status, status == 304)


async def test_no_others(way, folder):
    async with way(Server(client_files=folder)) as url, raw_client(url) as client:
        # A request for the engine, and for nobody.
        assert (await client.http.get(f"{url}/socket.io/socket.io.esm.js")).status_code == 400
        assert (await client.http.get(f"{url}/elsewhere/socket.io.js")).status_code == 404


async def test_none_unless_they_are_given(way):
    async with way(Server()) as url, raw_client(url) as client:
        response = await client.http.get(f"{url}/socket.io/socket.io.js")
        assert (response.status_code, response.json()["code"]) == (400, 0)


class TestCompressed:
    """By gzip and deflate; there is no brotli in Python."""

    @pytest.fixture
    def server(self, folder):
        (folder / "socket.io.min.js").write_text("let x = 1;" * 5000)
        return Server(EngineConfig(http_compression=HTTPCompression()), client_files=folder)

    @pytest.mark.parametrize(("accepted", "coding"), [("gzip", "gzip"), ("deflate", "deflate"), ("br, gzip", "gzip")])
    async def test_for_who_takes_it(self, way, folder, server, accepted, coding):
        async with way(server) as url, raw_client(url) as client:
            headers = {"accept-encoding": accepted}
            response = await client.http.get(f"{url}/socket.io/socket.io.min.js", headers=headers)
            assert response.headers["content-encoding"] == coding
            assert "Accept-Encoding" in response.headers["vary"]
            assert int(response.headers["content-length"]) < 1000
            assert response.content == (folder / "socket.io.min.js").read_bytes()
            assert response.headers["etag"] == '"4.8.4"'

    @pytest.mark.parametrize(("name", "accepted"), [("socket.io.min.js", "br"), ("socket.io.js", "gzip")])
    async def test_as_they_are(self, way, folder, server, name, accepted):
        # Who takes brotli alone, and what is shorter than the threshold.
        async with way(server) as url, raw_client(url) as client:
            response = await client.http.get(f"{url}/socket.io/{name}", headers={"accept-encoding": accepted})
            assert "content-encoding" not in response.headers
            assert response.content == (folder / name).read_bytes()

    async def test_not_unless_it_is_set_up(self, way, folder):
        (folder / "socket.io.js").write_text("let x = 1;" * 5000)
        async with way(Server(client_files=folder)) as url, raw_client(url) as client:
            response = await client.http.get(f"{url}/socket.io/socket.io.js", headers={"accept-encoding": "gzip"})
            assert not {"content-encoding"} & set(response.headers)
