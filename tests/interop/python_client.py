"""Drives python-socketio's client for the tests: speaks as node_client.cjs does. It is asyncio, so it is a process."""

from __future__ import annotations

import asyncio
import base64
import json
import sys

import socketio

sockets: dict = {}


def say(**what) -> None:
    print(json.dumps(what, default=lambda value: {"$": base64.b64encode(value).decode()}), flush=True)


def decode(value: dict) -> object:
    return base64.b64decode(value["$"]) if "$" in value else value


def listen(client: socketio.AsyncClient, number: int, namespace: str) -> None:
    async def connected() -> None:
        say(id=number, event="connect", args=[client.get_sid(namespace), client.transport()])

    async def disconnected(reason=None) -> None:
        say(id=number, event="disconnect", args=[reason])

    async def refused(data=None) -> None:
        # A refusal is an object; that nobody listens on the port is told as text.
        data = data if isinstance(data, dict) else {"message": data}
        say(id=number, event="connect_error", args=[data.get("message"), data.get("data")])

    async def happened(event, *args):
        say(id=number, event=event, args=args)
        return args

    client.on("connect", connected, namespace)
    client.on("disconnect", disconnected, namespace)
    client.on("connect_error", refused, namespace)
    client.on("*", happened, namespace)


async def open_client(command: dict) -> None:
    number, options = command["id"], command["options"]
    namespace = command["url"].partition("//")[2].partition("/")[2]
    namespace = f"/{namespace}"
    again = {"reconnection_delay": 0.02, "reconnection_delay_max": 0.05}
    client = socketio.AsyncClient(reconnection=options.get("reconnection", False), **again)
    for also, name in [(number, namespace), *((other, name) for name, other in options.get("beside", {}).items())]:
        sockets[also] = client, name
        listen(client, also, name)
    transports = options.get("transports")
    try:
        await client.connect(
            command["url"].rpartition("/")[0] if namespace != "/" else command["url"],
            transports=transports,
            auth=options.get("auth"),
            namespaces=[namespace, *options.get("beside", {})],
            wait_timeout=5,
        )
    except socketio.exceptions.ConnectionError:
        pass


async def obey(command: dict) -> None:
    if command["do"] == "open":
        await open_client(command)
        return
    client, namespace = sockets[command["id"]]
    event, *args = command.get("args") or [None]
    data = tuple(args) if len(args) != 1 else args[0]
    if command["do"] == "emit":
        await client.emit(event, data, namespace)
    elif command["do"] == "call":
        answer = await client.call(event, data, namespace, timeout=5)
        answer = [] if answer is None else list(answer) if isinstance(answer, tuple) else [answer]
        say(id=command["id"], answer=answer, number=command["number"], error=None)
    elif command["do"] == "close":
        await client.disconnect()


async def main() -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=2**24)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    tasks = set()
    while line := await reader.readline():
        task = asyncio.create_task(obey(json.loads(line, object_hook=decode)))
        tasks.add(task)
        if "open" in line.decode()[:14]:
            await task


asyncio.run(main())
