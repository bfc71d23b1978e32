"""``python -m trio_socketio``."""

from __future__ import annotations

import sys

from trio_socketio.cli.command_line import main

if __name__ == "__main__":
    sys.exit(main())
