"""The files of the demo's page, as an ASGI application."""

from __future__ import annotations

from importlib.resources import files
from typing import final

from trio_socketio._asgi.scope import Receive, Scope, Send

_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}

CLIENT_MARK = "<!-- client -->"


@final
class PageApp:
    """Serves the page.

    Args:
        script: the address of the official client's bundle.
        integrity: its hash, if it comes from elsewhere.
    """

    def __init__(self, script: str, integrity: str | None = None) -> None:
        folder = files("trio_socketio.cli") / "page"
        self._files = {entry.name: entry.read_bytes() for entry in folder.iterdir() if entry.is_file()}
        extra = "" if integrity is None else f' integrity="{integrity}" crossorigin="anonymous"'
        tag = f'<script src="{script}"{extra}></script>'
        self._files["index.html"] = self._files["index.html"].replace(CLIENT_MARK.encode(), tag.encode())
        elsewhere = "" if integrity is None else f" {script}"
        self._policy = (
            f"default-src 'none'; script-src 'self'{elsewhere}; style-src 'self'; connect-src 'self'; "
            "img-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close"})
        else:
            await self._answer(scope, send)

    async def _answer(self, scope: Scope, send: Send) -> None:
        name = scope["path"].removeprefix("/") or "index.html"
        body = self._files.get(name) if scope["method"] in {"GET", "HEAD"} else None
        kind = _TYPES.get(name.rpartition(".")[2], "text/plain") if body is not None else "text/plain"
        headers = [
            (b"content-type", f"{kind}; charset=utf-8".encode()),
            (b"cache-control", b"no-cache"),
            (b"content-security-policy", self._policy.encode()),
            (b"x-content-type-options", b"nosniff"),
        ]
        status = 404 if body is None else 200
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"Not Found" if body is None else body})

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
