"""Each example is run, and does what it says."""

from __future__ import annotations

import importlib
import json
import os
import re
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import httpx
import pytest
import trio

from tests.support.raw_client import raw_client
from tests.support.served import by_serve, stock_hypercorn
from trio_socketio import Ack, Connect, ConnectError, Disconnect, Event, Limits, RemoteProtocolError, serve

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def example(request, monkeypatch):
    """The module of an example, as new."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    name = request.param
    sys.modules.pop(name, None)
    yield importlib.import_module(name)
    sys.modules.pop(name, None)


TESTED = {"chat"}
"""Names of examples; the chat is the demo's server, and has its tests with it."""


def examples(*names: str):
    TESTED.update(names)
    return pytest.mark.parametrize("example", names, indirect=True)


async def join(websocket, packet: str = "40") -> None:
    await websocket.send(packet)
    assert (await websocket.receive()).startswith(packet.partition("{")[0])


@examples("readme")
async def test_readme(example):
    async with by_serve(example.sio) as url, raw_client(url) as client:
        async with client.session() as one, client.session() as two:
            await join(one)
            await join(two)
            await one.send('421["message","hello"]')
            assert await one.receive() == '431["stored"]'
            assert await two.receive() == '42["message","hello"]'


def test_the_readme_shows_that_file():
    readme = (EXAMPLES.parent / "README.md").read_text()
    assert re.search(r"```python\n(.*?)```", readme, re.DOTALL)[1] == (EXAMPLES / "readme.py").read_text()


@examples("echo")
async def test_echo(example):
    async with by_serve(example.sio) as url, raw_client(url) as client, client.session() as websocket:
        await join(websocket)
        await websocket.send('421["echo",1,{"a":null}]')
        assert await websocket.receive() == '431[1,{"a":null}]'


@examples("standalone")
async def test_standalone(example, capsys):
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(example.main, "127.0.0.1:0")
            printed = ""
            while not printed:
                await trio.lowlevel.checkpoint()
                printed = capsys.readouterr().out
            async with raw_client(printed.split()[-1]) as client, client.session() as websocket:
                await join(websocket)
                assert (await websocket.receive()).startswith('42["time",')
            nursery.cancel_scope.cancel()


@examples("auth")
async def test_auth(example):
    async with by_serve(example.sio) as url, raw_client(url) as client, client.session() as websocket:
        await websocket.send("40")
        assert '"code":400' in await websocket.receive()
        await websocket.send('40{"name":"ada","token":"guess"}')
        assert await websocket.receive() == '44{"message":"wrong name or token","data":{"code":401}}'
        await join(websocket, '40{"name":"ada","token":"s3cret"}')
        await websocket.send('421["who am I"]')
        assert await websocket.receive() == '431["ada"]'


@examples("namespaces")
async def test_namespaces(example):
    async with by_serve(example.sio) as url, raw_client(url) as client, client.session() as websocket:
        await join(websocket, "40/news,")
        assert await websocket.receive() == '42/news,["readers",1]'
        await websocket.send("40/console,")
        assert await websocket.receive() == '44/console,{"message":"staff only"}'
        await join(websocket, '40/console,{"word":"open sesame"}')
        await websocket.send('42/console,1["publish","it works"]')
        assert await websocket.receive() == '42/news,["headline","it works"]'
        assert await websocket.receive() == "43/console,1[1]"


async def greets_beside_its_own_page(url: str) -> None:
    async with raw_client(url) as client, client.session() as websocket:
        await join(websocket)
        await websocket.send('421["hello","Ada"]')
        assert await websocket.receive() == '431["hello Ada"]'
        async with httpx.AsyncClient(trust_env=False) as http:
            page = await http.get(url)
        assert page.status_code == 200
        assert "1" in page.text


@examples("with_starlette", "with_fastapi", "with_quart")
async def test_beside(example):
    async with trio.open_nursery() as nursery:

        async def run(task_status):
            await serve(example.sio, "127.0.0.1:0", app=example.app, task_status=task_status)

        serving = await nursery.start(run)
        await greets_beside_its_own_page(serving.urls[0])
        await serving.aclose()


@examples("mounted_starlette", "mounted_fastapi", "in_front_of_quart")
async def test_under_stock_hypercorn(example):
    async with stock_hypercorn(example.app) as url:
        await greets_beside_its_own_page(url)


@examples("tutorial_answer")
async def test_tutorial_answer(example):
    async with by_serve(example.sio) as url, raw_client(url) as client, client.session() as websocket:
        await join(websocket)
        await websocket.send('421["say","hello"]')
        assert await websocket.receive() == '431["you said hello"]'


@examples("tutorial_rooms")
async def test_tutorial_rooms(example):
    async with by_serve(example.sio) as url, raw_client(url) as client:
        async with client.session() as ada, client.session() as bob:
            await join(ada)
            await join(bob)
            await bob.send('421["enter","lobby"]')
            assert await bob.receive() == "431[]"
            await ada.send('422["say","lobby","hello"]')
            assert await ada.receive() == '432["you are not in that room"]'
            await ada.send('42["enter","lobby"]', '423["say","lobby","hello"]')
            assert await ada.receive() == '433["delivered"]'
            assert await bob.receive() == '42["said","hello"]'


@examples("tutorial_presence")
async def test_tutorial_presence(example):
    async with by_serve(example.sio) as url, raw_client(url) as client, client.session() as ada:
        await join(ada, '40{"name":"Ada"}')
        async with client.session() as bob:
            await join(bob)
            assert await ada.receive() == '42["joined","somebody"]'
            await bob.send("41")
            assert await ada.receive() == '42["left","somebody","client namespace disconnect"]'


@examples("tutorial_ask")
async def test_tutorial_ask(example):
    async with by_serve(example.sio) as url, raw_client(url) as client, client.session() as websocket:
        await websocket.send("40")
        assert await websocket.receive() == '44{"message":"bad token","data":{"code":401}}'
        await websocket.send('40{"token":"s3cret"}')
        sid = json.loads((await websocket.receive())[2:])["sid"]
        assert await websocket.receive() == '420["which colour?"]'
        await websocket.send('430["green"]')
        assert await websocket.receive() == f'42["colour","{sid}","green"]'


@examples("custom_parser")
async def test_custom_parser(example):
    async with by_serve(example.sio) as url, raw_client(url) as client, client.session() as websocket:
        await websocket.send('4[0,"/",{"token":1},null]')
        assert (await websocket.receive()).startswith('4[0,"/",{"sid":')
        await websocket.send('4[2,"/",["echo",1,{"a":null}],7]', '4[0,"/nowhere",null,null]')
        assert await websocket.receive() == '4[3,"/",[1,{"a":null}],7]'
        assert await websocket.receive() == '4[4,"/nowhere",{"message":"Invalid namespace"},null]'
        await websocket.send('4[1,"/",null,null]')


@examples("custom_parser")
def test_custom_parser_encodes_all_packets_and_takes_no_others(example):
    parser = example.ArrayParser()
    decoder = parser.decoder(Limits())
    packets = [
        Connect("/", {"a": 1}),
        Disconnect("/a"),
        Event("/", ["x", {"é": [1.5, None]}]),
        Event("/", ["x"], 0),
        Ack("/", [1], 3),
        ConnectError("/", {"message": "no"}),
    ]
    for packet in packets:
        (message,) = parser.encode(packet)
        assert decoder.feed(message) == packet
        assert decoder.unfinished is None
    deep = []
    deep.append(deep)
    with pytest.raises(ValueError, match="nested"):
        parser.encode(Event("/", ["x", deep]))
    wrong = [
        "",
        "[]",
        "{",
        "null",
        '[2,"/",["x"]]',
        '[2,"/",["x"],-1]',
        '[2,"/",["connect"],null]',
        '[2,"",["x"],null]',
    ]
    for message in [
        *wrong,
        b"",
        b'[2,"/",["x"],null]',
        '[2,"/",["x",' + "[" * 200 + "]" * 200 + "],null]",
        "[" * 10**6,
    ]:
        with pytest.raises(RemoteProtocolError):
            decoder.feed(message)


@examples("typed_events")
async def test_typed_events(example):
    page = (EXAMPLES.parent / "docs" / "topics" / "typed-events.md").read_text()
    shown = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", page, re.DOTALL)]
    async with by_serve(example.sio) as url, raw_client(url) as client, client.session() as one:
        await join(one)
        told = []
        for argument in ({"question": 5}, {"question": "alone?"}):
            await one.send(f'421["poll",{json.dumps(argument)}]')
            told += json.loads((await one.receive()).removeprefix("431"))
        assert told == shown, "what the page shows"
        async with client.session() as two, client.session() as three:
            await join(two)
            await join(three)
            await one.send('421["poll",{"question":"ok?"}]')
            for voter, vote in ((two, "true"), (three, '"maybe"')):
                question = await voter.receive()
                assert re.fullmatch(r'42[01]\["vote","ok\?"\]', question)
                await voter.send(f"43{question[2]}[{vote}]")
            assert await two.receive() == '42["result","ok?",1]'
            assert await one.receive() == "431[1]"


@pytest.mark.parametrize("name", ["echo", "standalone", "with_quart", "mounted_starlette", "in_front_of_quart"])
async def test_as_a_program(name):
    command = [sys.executable, str(EXAMPLES / f"{name}.py")]
    env = {**os.environ, "DEBUG": "trio_socketio:serve", "PYTHONUNBUFFERED": "1"}
    run = partial(trio.run_process, command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    printed = b""
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            process = await nursery.start(run)
            listening = False
            while more := await process.stdout.receive_some():
                printed += more
                if not listening and b"on http://127.0.0.1:8000" in printed:
                    listening = True
                    async with raw_client("http://127.0.0.1:8000") as client, client.session() as websocket:
                        await join(websocket)
                    process.send_signal(signal.SIGINT)
    assert listening, printed.decode()
    assert process.returncode == 0
    assert b"Traceback" not in printed


def test_no_example_is_forgotten():
    assert {file.stem for file in EXAMPLES.glob("*.py")} == TESTED
