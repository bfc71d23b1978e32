"""``python -m trio_socketio demo``: the chat, its page and the official client on one port."""

from __future__ import annotations

import sys
from pathlib import Path

import trio

from trio_socketio._serve.serve import serve
from trio_socketio._serve.serving import Serving
from trio_socketio._server.server import Server
from trio_socketio._util import plain_exceptions
from trio_socketio.cli.chat import Chat
from trio_socketio.cli.client_bundle import CDN_INTEGRITY, CDN_URL, BundleUnavailable, find_bundles
from trio_socketio.cli.page_app import PageApp


async def run_demo(
    host: str,
    port: int,
    client_files: Path | None = None,
    *,
    task_status: trio.TaskStatus[Serving] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve the demo until a signal comes, or its ``Serving`` is closed.

    Raises:
        OSError: the address can't be bound.
        ValueError: there are no bundles in ``client_files``.
    """
    if client_files is None:
        try:
            client_files = await find_bundles()
        except BundleUnavailable as reason:
            print(f"The official client comes from its CDN, so the page needs the internet: {reason}.", file=sys.stderr)
    sio = Server(client_files=client_files)
    Chat(sio)
    page = PageApp(CDN_URL, CDN_INTEGRITY) if client_files is None else PageApp("/socket.io/socket.io.min.js")
    with plain_exceptions():
        await _serve(host, port, sio, page, task_status)


async def _serve(host: str, port: int, sio: Server, page: PageApp, task_status: trio.TaskStatus[Serving]) -> None:
    alone = task_status is trio.TASK_STATUS_IGNORED
    async with trio.open_nursery() as nursery:

        async def run(*, task_status: trio.TaskStatus[Serving]) -> None:
            address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            await serve(sio, address, app=page, signals=alone, task_status=task_status)

        serving = await nursery.start(run)
        print(f"Open {serving.urls[0]} in two windows and talk. Ctrl-C ends it.", flush=True)
        task_status.started(serving)
