"""Runs the suite's fuzzing client against our echo servers: ``python -m tests.autobahn REPORTS COMMAND...``.

``COMMAND`` is how to start ``wstest``. The exit status is 1 if a case fails; reports are left in the folder ``REPORTS``.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import trio

from tests.autobahn.echo import PATH, EchoServer
from trio_socketio import serve

SOCKETS, STREAMS = "sockets of serve's own", "streams of a listener"
"""Two servers: one reads by the poller and writes without tasks, the other as it must with TLS or in memory."""

COMPRESSION = ["12.*", "13.*"]
"""Cases of permessage-deflate, which ``serve`` never agrees to."""

GOOD = {"OK", "INFORMATIONAL", "NON-STRICT"}


def failed(case: dict) -> bool:
    return case["behavior"] not in GOOD or case["behaviorClose"] not in GOOD


async def run(reports: Path, command: list[str]) -> None:
    """Run the suite; its reports are written as it goes."""
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    ports = {STREAMS: listeners[0].socket.getsockname()[1]}
    async with trio.open_nursery() as nursery:
        served = [
            await nursery.start(serve, EchoServer(), "127.0.0.1:0"),
            await nursery.start(partial(serve, EchoServer(), listeners=listeners)),
        ]
        ports[SOCKETS] = served[0].port
        spec = {
            "outdir": str(reports),
            "servers": [{"agent": name, "url": f"ws://127.0.0.1:{port}{PATH}/"} for name, port in ports.items()],
            "cases": ["*"],
            "exclude-cases": COMPRESSION,
            "exclude-agent-cases": {},
        }
        (reports / "spec.json").write_text(json.dumps(spec))
        with (reports / "wstest.log").open("wb") as log:
            arguments = ["-m", "fuzzingclient", "-s", str(reports / "spec.json")]
            await trio.run_process([*command, *arguments], stdout=log, stderr=subprocess.STDOUT, cwd=reports)
        for serving in served:
            await serving.aclose()


def report(reports: Path) -> int:
    """Print what happened; return the exit status."""
    index = json.loads((reports / "index.json").read_text())
    for name in (SOCKETS, STREAMS):
        cases = index.get(name, {})
        counts = Counter(case["behavior"] for case in cases.values())
        bad = sum(map(failed, cases.values()))
        print(
            f"{name}: {len(cases)} cases, {bad} failed: {', '.join(f'{n} {kind}' for kind, n in sorted(counts.items()))}"
        )
        for number, case in cases.items():
            if case["behavior"] == "NON-STRICT" or failed(case):
                print(f"  {number}: {case['behavior']}, closed: {case['behaviorClose']}; {case['reportfile']}")
    return int(len(index) != 2 or any(not cases or any(map(failed, cases.values())) for cases in index.values()))


if __name__ == "__main__":
    folder = Path(sys.argv[1]).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.json").unlink(missing_ok=True)
    trio.run(run, folder, sys.argv[2:])
    sys.exit(report(folder))
