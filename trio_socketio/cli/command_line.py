"""What can be said on the command line; each command is a module of its own."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import trio

from trio_socketio._logging import SCOPES, enable_debug
from trio_socketio.cli.demo import run_demo


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return the process's exit code."""
    options = _parser().parse_args(arguments)
    try:
        if options.debug is not None:
            enable_debug(options.debug)
        trio.run(run_demo, options.host, options.port, options.client_files)
    except (OSError, ValueError) as error:
        print(f"trio_socketio: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m trio_socketio", description="Socket.IO for Trio.")
    commands = parser.add_subparsers(title="commands", required=True)
    demo = commands.add_parser("demo", help="serve a chat page; open it in two windows")
    demo.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    demo.add_argument("--port", default=8000, type=int, help="the port, 0 for a free one (default: %(default)s)")
    demo.add_argument(
        "--client-files",
        type=Path,
        metavar="FOLDER",
        help="the official client's bundles (the dist folder of the npm package socket.io-client); "
        "without it they are fetched once by the npm client",
    )
    demo.add_argument(
        "--debug", metavar="SCOPE", help=f"print every packet and state change of {', '.join(SCOPES)} or * (for all)"
    )
    return parser
