"""The official JavaScript client's bundles, served below the server's own path as the reference does."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import final

from trio_socketio._engine.http import Request, Response

_BUNDLES = ("socket.io.js", "socket.io.min.js", "socket.io.esm.min.js", "socket.io.msgpack.min.js")
FILE_NAMES = tuple(name + suffix for name in _BUNDLES for suffix in ("", ".map"))
"""The only names that are ever served."""

_VERSION = re.compile(rb"Socket\.IO v([0-9A-Za-z.+-]{1,40})")


@final
class ClientFiles:
    """Serves the bundles of a folder; they are read once.

    Args:
        folder: holds at least one of ``FILE_NAMES``, as the ``dist`` folder of the npm package ``socket.io-client``.
        path: the server's path.

    Raises:
        ValueError: there is none of them in the folder.
    """

    __slots__ = ("_etag", "_files", "_path")

    def __init__(self, folder: Path, path: str) -> None:
        self._path = path
        self._files: Mapping[str, bytes] = {
            name: (folder / name).read_bytes() for name in FILE_NAMES if (folder / name).is_file()
        }
        if not self._files:
            msg = f"no client bundle in {folder}: give the dist folder of the npm package socket.io-client"
            raise ValueError(msg)
        versions = (_VERSION.search(content[:200]) for content in self._files.values())
        self._etag = next((f'"{version[1].decode()}"' for version in versions if version), '"unknown"')

    def answer(self, request: Request) -> Response | None:
        """Answer a request for a bundle; ``None`` if it is for something else."""
        name = request.path.removeprefix(f"{self._path}/")
        if request.method not in {"GET", "HEAD"} or name not in self._files:
            return None
        headers = [("cache-control", "public, max-age=0"), ("etag", self._etag)]
        if request.headers.get("if-none-match") in {self._etag, f"W/{self._etag}"}:
            return Response(304, headers=headers)
        kind = "application/json" if name.endswith(".map") else "application/javascript"
        return Response(200, self._files[name], f"{kind}; charset=utf-8", headers, compress=True)
