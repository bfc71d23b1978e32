"""``serve``: where it listens, and how it stops."""

from __future__ import annotations

import gc
import signal
import socket
import ssl
import subprocess
import sys
from functools import partial

import httpx
import pytest
import trio
from hypercorn.config import Config

from tests.support.echo_server import answers, echoing
from tests.support.memory import MemoryListener, named
from tests.support.raw_client import raw_client
from trio_socketio import serve


@pytest.fixture
def sio():
    return echoing()


async def test_urls_and_ports(sio, nursery):
    serving = await nursery.start(serve, sio, ["127.0.0.1:0", "127.0.0.1:0"])
    assert len(serving.urls) == 2
    assert serving.urls[0].endswith(f":{serving.port}")
    for url in serving.urls:
        await answers(url)
    await serving.aclose()
    with pytest.raises(OSError, match="attempts to connect"):
        await trio.open_tcp_stream("127.0.0.1", serving.port)


async def test_unix_socket(sio, nursery, tmp_path):
    serving = await nursery.start(serve, sio, f"unix:{tmp_path}/sock")
    assert serving.urls[0].endswith("/sock")
    with pytest.raises(ValueError, match="no port"):
        serving.port  # noqa: B018 - reading it raises
    async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=f"{tmp_path}/sock"), trust_env=False) as http:
        assert (await http.get("http://x/socket.io/?EIO=4&transport=polling")).status_code == 200
    await serving.aclose()


async def test_a_socket_that_is_open_already(sio, nursery):
    listening = socket.create_server(("127.0.0.1", 0))
    serving = await nursery.start(serve, sio, f"fd://{listening.detach()}")
    await answers(serving.urls[0])
    await serving.aclose()


# hypercorn lets go of the socket that it could not bind without closing it.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")
async def test_an_address_that_is_taken(sio):
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        await serve(sio, f"127.0.0.1:{taken.getsockname()[1]}")
    gc.collect()


async def test_a_server_that_is_run_already(sio):
    async with sio.running():
        with pytest.raises(RuntimeError, match="running already"):
            await serve(sio, "127.0.0.1:0")


async def test_tls(sio, nursery, certificate):
    config = Config()
    config.bind = ["127.0.0.1:0"]
    config.certfile, config.keyfile = map(str, certificate)
    serving = await nursery.start(partial(serve, sio, config=config))
    assert serving.urls[0].startswith("https://")
    context = ssl.create_default_context(cafile=str(certificate[0]))
    address = f"https://localhost:{serving.port}/socket.io/?EIO=4&transport=polling"
    async with httpx.AsyncClient(verify=context, trust_env=False) as http:
        response = await http.get(address, headers={"origin": f"https://localhost:{serving.port}"})
        assert response.status_code == 200
        assert (await http.get(address, headers={"origin": f"http://localhost:{serving.port}"})).status_code == 403
    async with httpx.AsyncClient(trust_env=False) as http:
        with pytest.raises(httpx.ConnectError):
            await http.get(address)
    await serving.aclose()


class TestListeners:
    async def test_in_memory(self, sio, nursery):
        listener = MemoryListener()
        serving = await nursery.start(partial(serve, sio, listeners=[listener]))
        assert serving.urls == ()
        with pytest.raises(ValueError, match="listeners"):
            serving.port  # noqa: B018 - reading it raises
        async with named(listener) as url:
            await answers(url)
            await serving.aclose()
            with pytest.raises(ConnectionRefusedError):
                await answers(url)

    async def test_of_tcp_and_tls(self, sio, nursery, tls):
        plain = await trio.open_tcp_listeners(0, host="127.0.0.1")
        secure = await trio.open_ssl_over_tcp_listeners(0, tls[0], host="127.0.0.1")
        ports = [listener.socket.getsockname()[1] for listener in (*plain, secure[0].transport_listener)]
        serving = await nursery.start(partial(serve, sio, listeners=[*plain, *secure]))
        await answers(f"http://127.0.0.1:{ports[0]}")
        tls[1].check_hostname = False
        async with httpx.AsyncClient(verify=tls[1], trust_env=False) as http:
            for port, scheme in zip(ports, ("http", "https"), strict=True):
                url = f"{scheme}://127.0.0.1:{port}"
                response = await http.get(f"{url}/socket.io/?EIO=4&transport=polling", headers={"origin": url})
                assert response.status_code == 200
        assert [s.request.client for s in sio.engine.sessions.values()] == ["127.0.0.1"] * 2
        assert [s.request.secure for s in sio.engine.sessions.values()] == [False, True]
        await serving.aclose()
        assert [listener.socket.fileno() for listener in plain] == [-1]

    async def test_beside_another_application(self, sio, nursery):
        async def app(scope, receive, send):
            if scope["type"] == "http":
                await send({"type": "http.response.start", "status": 200, "headers": []})
                await send({"type": "http.response.body", "body": scope["path"].encode()})

        listener = MemoryListener()
        serving = await nursery.start(partial(serve, sio, listeners=[listener], app=app))
        async with named(listener) as url, raw_client(url) as client:
            assert (await client.http.get(f"{url}/other")).text == "/other"
            await answers(url)
        await serving.aclose()

    async def test_or_addresses(self, sio):
        with pytest.raises(ValueError, match="not both"):
            await serve(sio, "127.0.0.1:0", listeners=[MemoryListener()])

    async def test_are_closed_also_when_it_could_not_begin(self, sio):
        listener = MemoryListener()
        async with sio.running():
            with pytest.raises(RuntimeError, match="running already"):
                await serve(sio, listeners=[listener])
        with pytest.raises(ConnectionRefusedError):
            listener.connect()


class TestOtherApplication:
    async def test_its_lifespan_runs_inside(self, sio, nursery):
        happened = []

        async def app(scope, receive, send):
            if scope["type"] == "lifespan":
                assert (await receive())["type"] == "lifespan.startup"
                happened.append(("startup", sio.engine.is_running))
                await send({"type": "lifespan.startup.complete"})
                assert (await receive())["type"] == "lifespan.shutdown"
                happened.append(("shutdown", sio.engine.is_running))
                await send({"type": "lifespan.shutdown.complete"})
            else:
                await send({"type": "http.response.start", "status": 200, "headers": []})
                await send({"type": "http.response.body", "body": scope["path"].encode()})

        serving = await nursery.start(partial(serve, sio, "127.0.0.1:0", app=app))
        async with httpx.AsyncClient(trust_env=False) as http:
            assert (await http.get(f"{serving.urls[0]}/other")).text == "/other"
        await answers(serving.urls[0])
        await serving.aclose()
        assert happened == [("startup", True), ("shutdown", True)]

    async def test_one_that_does_not_start(self, sio):
        async def app(scope, receive, send):
            await receive()
            await send({"type": "lifespan.startup.failed", "message": "no database"})

        with pytest.raises(Exception, match="no database"):
            await serve(sio, "127.0.0.1:0", app=app)


class TestStopping:
    async def test_drain(self, sio, nursery):
        reasons = []

        @sio.on_disconnect
        async def gone(socket, reason):
            reasons.append(str(reason))

        serving = await nursery.start(serve, sio, "127.0.0.1:0")
        async with raw_client(serving.urls[0]) as client, client.session() as websocket:
            query = await client.open_polling()
            await websocket.send("40")
            await websocket.receive()
            held = []

            async def hold():
                held.append((await client.get(query)).text)

            async with trio.open_nursery() as polls:
                polls.start_soon(hold)
                while not any(
                    s.transport.name == "polling" and s.transport.writable for s in sio.engine.sessions.values()
                ):
                    await trio.sleep(0.001)
                await sio.emit("before the end")
                began = trio.current_time()
                await serving.aclose()
            assert await websocket.receive() == '42["before the end"]'
            assert await websocket.closed() == 1005, "an empty close frame, as the reference's"
            assert held == ["1"]
            assert trio.current_time() - began < 3
        assert reasons == ["server shutting down"]

    async def test_new_clients_get_503_meanwhile(self, sio, nursery):
        serving = await nursery.start(partial(serve, sio, "127.0.0.1:0", drain_timeout=0.3))
        async with raw_client(serving.urls[0]) as client:
            query = await client.open_polling()
            await client.post(query, "40")
            nursery.start_soon(serving.aclose)
            while (response := await client.get("EIO=4&transport=polling")).status_code == 200:
                pass
            assert response.status_code == 503
            assert response.headers["retry-after"] == "1"
            # The one that was here is told, on whichever connection it comes.
            assert (await client.get(query)).text.startswith('40{"sid"')
            assert (await client.get(query)).text == "6\x1e1"

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    async def test_signals(self, number):
        script = (
            "import trio; from trio_socketio import Server, serve; import functools\n"
            "sio = Server()\n"
            "@sio.on_connection\n"
            "async def stay(socket):\n"
            "    try: await trio.sleep_forever()\n"
            "    finally: print('cancelled', socket.disconnect_reason, flush=True)\n"
            "class Status:\n"
            "    def started(self, serving): print(serving.port, flush=True)\n"
            "trio.run(functools.partial(serve, sio, '127.0.0.1:0', signals=True, task_status=Status()))\n"
            "print('returned')\n"
        )
        process = await trio.lowlevel.open_process([sys.executable, "-c", script], stdout=subprocess.PIPE)
        with trio.fail_after(20):
            port = int(await process.stdout.receive_some())
            async with raw_client(f"http://127.0.0.1:{port}") as client, client.session() as websocket:
                await websocket.send("40")
                await websocket.receive()
                process.send_signal(number)
                await websocket.closed()
            printed = b""
            async for data in process.stdout:
                printed += data
            assert await process.wait() == 0
        assert printed.lstrip() == b"cancelled server shutting down\nreturned\n"
        await process.stdout.aclose()

    async def test_a_second_signal_ends_it_at_once(self):
        script = (
            "import trio; from trio_socketio import Server, serve; import functools, logging\n"
            "class Status:\n"
            "    def started(self, serving): print(serving.port, flush=True)\n"
            "trio.run(functools.partial(serve, Server(), '127.0.0.1:0', drain_timeout=60, signals=True, task_status=Status()))\n"
        )
        process = await trio.lowlevel.open_process([sys.executable, "-c", script], stdout=subprocess.PIPE)
        with trio.fail_after(20):
            port = int(await process.stdout.receive_some())
            async with raw_client(f"http://127.0.0.1:{port}") as client:
                query = await client.open_polling()
                await client.post(query, "40")
                process.send_signal(signal.SIGTERM)
                # It drains: what waits for the poller has not been fetched.
                while (await client.get("EIO=4&transport=polling")).status_code == 200:
                    pass
                process.send_signal(signal.SIGTERM)
                assert await process.wait() == 0
        await process.stdout.aclose()
