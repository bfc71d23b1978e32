"""The official JavaScript client, fetched once by the npm client into a cache.

Nothing of it is in this package. What comes is only used if its hash is the one below, which ``npm view
socket.io-client@4.8.4 dist.integrity`` shows; of the archive only the bundles are taken, by their exact names.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import tarfile
import tempfile
from pathlib import Path

import trio

from trio_socketio._server.client_files import FILE_NAMES

VERSION = "4.8.4"
INTEGRITY = "sha512-7wjKAvVXYOJsbmUgkWbnhPD4bFpkqrUR0++XOjpGFmqDqsqV1CI93VTraeExLxpjxEqrWgFoSRZu1ihjLWfkAA=="
CDN_URL = f"https://cdn.socket.io/{VERSION}/socket.io.min.js"
CDN_INTEGRITY = "sha384-fBrXvbDtHoeKWJ/hcA6M+YGueiDW+h45I7V6F2kD1S8bOkrF9rZYPLVkCR6BLR/1"

SECONDS = 60.0
"""How long the npm client may take."""

MAX_FILE = 2_000_000
"""Bytes of one bundle."""


class BundleUnavailable(Exception):  # noqa: N818 - a state; the demo goes on with the CDN
    """The bundles could not be had; the message says why."""


def cache_folder() -> Path:
    """Return where the bundles are kept."""
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(caches) / "trio_socketio" / f"socket.io-client-{VERSION}"


async def find_bundles() -> Path:
    """Return the folder with the bundles, filling the cache if it is empty.

    Raises:
        BundleUnavailable: no npm client, no network, or something else came than what was asked for.
    """
    folder = cache_folder()
    if not (folder / FILE_NAMES[0]).is_file():
        await _fill(folder)
    return folder


async def _fill(folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise BundleUnavailable("there is no npm client on this machine")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        scratch = Path(name)
        archive = await _pack(npm, scratch)
        _check(archive)
        _extract(archive, scratch / "dist")
        try:
            # All or nothing, and whoever comes second finds the first one's, which is the same.
            (scratch / "dist").rename(folder)
        except OSError as error:
            if not (folder / FILE_NAMES[0]).is_file():
                raise BundleUnavailable(f"the cache can't be written: {error}") from error


async def _pack(npm: str, scratch: Path) -> Path:
    command = [npm, "pack", f"socket.io-client@{VERSION}", "--pack-destination", str(scratch)]
    try:
        with trio.fail_after(SECONDS):
            done = await trio.run_process(command, check=False, capture_stdout=True, capture_stderr=True, cwd=scratch)
    except trio.TooSlowError as error:
        raise BundleUnavailable(f"npm pack took more than {SECONDS:.0f} seconds") from error
    archives = list(scratch.glob("*.tgz"))
    if done.returncode != 0 or len(archives) != 1:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise BundleUnavailable(f"npm pack failed: {' '.join(last)}")
    return archives[0]


def _check(archive: Path) -> None:
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if f"sha512-{digest}" != INTEGRITY:
        raise BundleUnavailable("what npm brought is not the package that was asked for: its hash is another")


def _extract(archive: Path, folder: Path) -> None:
    folder.mkdir()
    try:
        with tarfile.open(archive) as package:
            for name in FILE_NAMES:
                file = package.extractfile(f"package/dist/{name}")
                if file is None:
                    raise BundleUnavailable(f"the package has no file {name}")
                (folder / name).write_bytes(file.read(MAX_FILE))
    except (tarfile.TarError, KeyError) as error:
        raise BundleUnavailable(f"the package can't be read: {error}") from error
