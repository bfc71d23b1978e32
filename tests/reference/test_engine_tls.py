"""The reference's cases of TLS: messages both ways, with a client that must show a certificate and one that need not."""

from __future__ import annotations

import json
import ssl
from functools import partial

import httpx
import pytest
import trio
import trio_websocket
from hypercorn.config import Config

from tests.support.echo_engine import EchoServer
from tests.support.raw_client import PATIENCE
from tests.support.tls import make_certificate
from trio_socketio import EngineConfig, serve


@pytest.fixture(scope="module")
def server_files(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("server"))


@pytest.fixture(scope="module")
def client_files(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("client"))


@pytest.fixture(params=[True, False], ids=["client certificates", "none"])
def wants_certificate(request):
    return request.param


@pytest.fixture
async def address(nursery, server_files, client_files, wants_certificate):
    config = Config()
    config.bind = ["127.0.0.1:0"]
    config.certfile, config.keyfile = map(str, server_files)
    config.ca_certs = str(client_files[0])
    if wants_certificate:
        config.verify_mode = ssl.CERT_REQUIRED
    serving = await nursery.start(partial(serve, EchoServer(EngineConfig()), config=config))
    yield f"localhost:{serving.port}/socket.io/?EIO=4&transport="
    await serving.aclose()


@pytest.fixture
def context(server_files, client_files, wants_certificate):
    context = ssl.create_default_context(cafile=str(server_files[0]))
    if wants_certificate:
        context.load_cert_chain(*client_files)
    return context


async def test_long_polling(address, context):
    async with httpx.AsyncClient(verify=context, trust_env=False, timeout=PATIENCE) as http:
        opened = await http.get(f"https://{address}polling")
        query = f"https://{address}polling&sid={json.loads(opened.text[1:])['sid']}"
        assert (await http.post(query, content="4hello")).text == "ok"
        assert (await http.get(query)).text == "4hello"


async def test_websocket(address, context):
    with trio.fail_after(PATIENCE):
        async with trio_websocket.open_websocket_url(f"wss://{address}websocket", context) as websocket:
            assert (await websocket.get_message())[0] == "0"
            await websocket.send_message("4hello")
            assert await websocket.get_message() == "4hello"


@pytest.mark.parametrize("wants_certificate", [True], indirect=True)
async def test_who_shows_no_certificate_is_not_let_in(address, server_files):
    stranger = ssl.create_default_context(cafile=str(server_files[0]))
    async with httpx.AsyncClient(verify=stranger, trust_env=False, timeout=PATIENCE) as http:
        with pytest.raises(httpx.TransportError):
            await http.get(f"https://{address}polling")
