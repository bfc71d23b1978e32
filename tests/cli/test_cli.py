"""The command line, the cache of the official client, the page, and the chat behind it."""

from __future__ import annotations

import base64
import gc
import hashlib
import io
import os
import signal
import socket
import subprocess
import sys
import tarfile

import httpx
import pytest
import trio

from tests.support.raw_client import raw_client
from tests.support.served import by_serve
from trio_socketio import Server
from trio_socketio._server.client_files import FILE_NAMES
from trio_socketio.cli import chat as chat_module
from trio_socketio.cli import client_bundle, demo
from trio_socketio.cli.chat import Chat
from trio_socketio.cli.command_line import main
from trio_socketio.cli.page_app import PageApp


@pytest.fixture
def bundles(tmp_path):
    folder = tmp_path / "dist"
    folder.mkdir()
    for name in FILE_NAMES:
        (folder / name).write_text(f"/*! Socket.IO v4.8.4 {name} */")
    return folder


class TestCommandLine:
    def test_needs_a_command(self, capsys):
        with pytest.raises(SystemExit) as left:
            main([])
        assert left.value.code == 2
        assert "demo" in capsys.readouterr().err

    # hypercorn lets go of the socket that it could not bind without closing it.
    @pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")
    def test_a_port_that_is_taken(self, bundles, capsys):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            assert main(["demo", "--port", str(port), "--client-files", str(bundles)]) == 1
        gc.collect()
        assert capsys.readouterr().err.startswith("trio_socketio: [Errno")

    def test_an_unknown_scope_or_folder(self, tmp_path, capsys):
        assert main(["demo", "--debug", "trio_socketio:nonsense"]) == 1
        assert "choose from" in capsys.readouterr().err
        assert main(["demo", "--port", "0", "--client-files", str(tmp_path)]) == 1
        assert "no client bundle" in capsys.readouterr().err

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    async def test_serves_until_a_signal(self, bundles, number):
        command = [sys.executable, "-m", "trio_socketio", "demo", "--port", "0", "--client-files", str(bundles)]
        process = await trio.lowlevel.open_process(
            [*command, "--debug", "serve"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        with trio.fail_after(20):
            printed = await process.stdout.receive_some()
            url = printed.split()[1].decode()
            async with httpx.AsyncClient(trust_env=False) as http:
                page = await http.get(url)
                assert '<script src="/socket.io/socket.io.min.js"></script>' in page.text
                assert "v4.8.4" in (await http.get(f"{url}/socket.io/socket.io.min.js")).text
            process.send_signal(number)
            assert await process.wait() == 0
            assert b"draining" in await process.stderr.receive_some()
        await process.stdout.aclose()
        await process.stderr.aclose()


def package(*, without: str = "", extra: str = "") -> bytes:
    """Make an archive as npm would."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        names = [f"package/dist/{name}" for name in FILE_NAMES if name != without] + ([extra] if extra else [])
        for name in names:
            entry = tarfile.TarInfo(name)
            entry.size = len(name)
            archive.addfile(entry, io.BytesIO(name.encode()))
    return file.getvalue()


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """A npm client that brings what it is given."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")

    def brings(content: bytes | None, *, trusted: bool = True, seconds: float = 0) -> None:
        (tmp_path / "content").write_bytes(content or b"")
        script = f"#!/bin/sh\nsleep {seconds}\n"
        script += (
            "echo 'npm ERR! no network' >&2; exit 1\n" if content is None else f'cp {tmp_path}/content "$4/x.tgz"\n'
        )
        (programs / "npm").write_text(script)
        (programs / "npm").chmod(0o755)
        if trusted and content is not None:
            digest = base64.b64encode(hashlib.sha512(content).digest()).decode()
            monkeypatch.setattr(client_bundle, "INTEGRITY", f"sha512-{digest}")

    return brings


class TestClientBundle:
    async def test_is_fetched_once(self, npm):
        npm(package(extra="package/../../../escaped"))
        folder = await client_bundle.find_bundles()
        assert sorted(entry.name for entry in folder.iterdir()) == sorted(FILE_NAMES)
        npm(None)
        assert await client_bundle.find_bundles() == folder
        assert [entry.name for entry in folder.parent.iterdir()] == [folder.name]

    async def test_two_at_a_time(self, npm):
        npm(package())
        async with trio.open_nursery() as nursery:
            for _ in range(2):
                nursery.start_soon(client_bundle.find_bundles)

    @pytest.mark.parametrize(
        ("content", "trusted", "reason"),
        [
            (None, True, "no network"),
            (package(), False, "its hash is another"),
            (b"not an archive", True, "can't be read"),
            (package(without=FILE_NAMES[3]), True, "can't be read"),
        ],
    )
    async def test_what_can_go_wrong(self, npm, content, trusted, reason):
        npm(content, trusted=trusted)
        with pytest.raises(client_bundle.BundleUnavailable, match=reason):
            await client_bundle.find_bundles()
        assert list(client_bundle.cache_folder().parent.iterdir()) == []

    async def test_npm_takes_too_long(self, npm, monkeypatch):
        npm(package(), seconds=60)
        monkeypatch.setattr(client_bundle, "SECONDS", 0.1)
        with pytest.raises(client_bundle.BundleUnavailable, match="more than"):
            await client_bundle.find_bundles()

    async def test_no_npm(self, monkeypatch, tmp_path):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(client_bundle.BundleUnavailable, match="no npm client"):
            await client_bundle.find_bundles()

    async def test_a_cache_that_can_not_be_written(self, npm):
        npm(package())
        folder = client_bundle.cache_folder()
        folder.mkdir(parents=True)
        (folder / "in the way").write_text("")
        with pytest.raises(client_bundle.BundleUnavailable, match="can't be written"):
            await client_bundle.find_bundles()


async def test_without_the_bundles_the_page_uses_the_cdn(npm, nursery, capsys):
    npm(None)
    serving = await nursery.start(demo.run_demo, "127.0.0.1", 0)
    async with httpx.AsyncClient(trust_env=False) as http:
        page = await http.get(serving.urls[0])
    assert f'src="{client_bundle.CDN_URL}" integrity="sha384-' in page.text
    assert client_bundle.CDN_URL in page.headers["content-security-policy"]
    assert "no network" in capsys.readouterr().err
    await serving.aclose()


class TestPage:
    async def test_files(self):
        async def answer(path, method="GET"):
            sent = []

            async def send(message):
                sent.append(message)

            await PageApp("/client.js")({"type": "http", "path": path, "method": method}, None, send)
            return sent[0]["status"], dict(sent[0]["headers"])[b"content-type"], sent[1]["body"]

        for path, kind in {
            "/": "text/html",
            "/chat.css": "text/css",
            "/chat.js": "text/javascript",
            "/icon.svg": "image/svg+xml",
        }.items():
            status, content_type, body = await answer(path)
            assert (status, content_type) == (200, f"{kind}; charset=utf-8".encode())
            assert body
        for path in ("/nothing", "/../page_app.py", "/page/chat.js"):
            assert (await answer(path))[0] == 404
        assert (await answer("/", "POST"))[0] == 404

    async def test_websocket_is_refused(self):
        sent = []

        async def receive():
            return {"type": "websocket.connect"}

        async def send(message):
            sent.append(message["type"])

        await PageApp("/client.js")({"type": "websocket", "path": "/"}, receive, send)
        assert sent == ["websocket.close"]


class TestChat:
    @pytest.fixture
    async def people(self):
        sio = Server()
        sio.chat = Chat(sio)
        async with by_serve(sio) as url, raw_client(url) as client, client.session() as ada, client.session() as bob:
            for websocket, name in ((ada, "Ada"), (bob, "Bob")):
                await websocket.send(f'40{{"name":"{name}"}}')
                await websocket.receive()
            yield sio, ada, bob

    async def test_a_conversation(self, people):
        sio, ada, bob = people
        await ada.send('421["enter","lobby"]')
        assert await ada.receive() == '42["presence","lobby",["Ada"]]'
        assert await ada.receive() == '431[{"members":["Ada"],"history":[]}]'
        await ada.send('422["say","lobby","hello"]')
        assert await ada.receive() == '432[{"id":1}]'
        await bob.send('421["enter","lobby"]')
        assert await bob.receive() == '42["presence","lobby",["Ada","Bob"]]'
        message = '{"id":1,"room":"lobby","name":"Ada","text":"hello"}'
        assert await bob.receive() == f'431[{{"members":["Ada","Bob"],"history":[{message}]}}]'
        assert await ada.receive() == '42["presence","lobby",["Ada","Bob"]]'
        await bob.send('42["typing","lobby"]', '422["rename","Robert"]')
        assert await ada.receive() == '42["typing","lobby","Bob"]'
        assert await ada.receive() == '42["presence","lobby",["Ada","Robert"]]'
        await bob.send(
            '453-["picture","lobby","image/png",{"_placeholder":true,"num":0}]'.replace("453", "451", 1).replace(
                "451-", "451-3"
            ),
            b"png",
        )
        assert await ada.receive() == (
            '451-["said",{"id":2,"room":"lobby","name":"Robert","kind":"image/png","picture":{"_placeholder":true,"num":0}}]'
        )
        assert await ada.receive() == b"png"
        await bob.connection.aclose()
        assert await ada.receive() == '42["presence","lobby",["Ada"]]'
        await ada.send('423["leave","lobby"]')
        assert await ada.receive() == "433[{}]"
        assert not sio.chat.history

    @pytest.mark.parametrize(
        ("event", "error"),
        [
            ('"enter",5', "1 to 40 characters"),
            ('"enter","   "', "1 to 40 characters"),
            ('"say","lobby",""', "1 to 2000 characters"),
            ('"say","elsewhere","x"', "not in that room"),
            ('"picture","lobby","text/html","x"', "a picture is"),
            ('"rename",null', "1 to 40 characters"),
        ],
    )
    async def test_what_does_not_fit_is_refused(self, people, event, error):
        _, ada, _ = people
        await ada.send(f"421[{event}]")
        answer = await ada.receive()
        assert answer.startswith('431[{"error":')
        assert error in answer

    async def test_the_number_of_rooms_is_bounded(self, people, monkeypatch):
        monkeypatch.setattr(chat_module, "MAX_ROOMS", 1)
        _, ada, _ = people
        await ada.send('421["enter","one"]', '422["enter","two"]', '423["clock",1.5]', '424["clock","x"]')
        assert (await ada.receive_without_pings(5))[2:] == [
            '432[{"error":"you are in 1 rooms already"}]',
            "433[1.5]",
            "434[0]",
        ]
