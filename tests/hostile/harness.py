"""Throws a case at a server, says what came of it, and whether anything was left behind."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import trio

from tests.hostile.case import (
    ALIVE,
    ALIVE_ANSWER,
    OLD_POLLING,
    OLD_SESSION,
    SID,
    Act,
    Answers,
    Aside,
    Case,
    Closes,
    Dribble,
    Endless,
    Ends,
    Expected,
    Lives,
    Step,
    Until,
    get,
    posted,
)
from tests.hostile.peer import PATIENCE, Control, Peer, Transcript, ask, control, peer
from tests.support.echo_server import echoing
from trio_socketio import EngineConfig, HTTPCompression, Limits, Server, TrustedProxies, serve

CONFIG = EngineConfig(
    allow_eio3=True,
    http_compression=HTTPCompression(threshold=0),
    trusted_proxies=TrustedProxies(addresses=("127.0.0.1", "::1")),
)
"""What reads more of a request than a server does by default."""

SESSION_ID = re.compile(rb'0\{"sid":"([^"]+)"')


@dataclass
class Outcome:
    """What came of a case.

    Args:
        transcript: what the server sent.
        ended: how the connection ended, ``None`` if it was the client that ended it.
        let_go: in the end the server has ended it, too.
        sids: of the sessions that were opened beside it.
    """

    transcript: Transcript
    ended: str | None
    let_go: bool
    sids: list[bytes]

    def __str__(self) -> str:
        read = self.transcript
        if not read.answers:
            said = f"no answer, {bytes(read.rest[:40])!r}" if read.rest else "no answer"
        elif len(read.answers) > 3:
            said = f"{len(read.answers)} answers, the last {read.statuses[-1]}"
        else:
            said = ", ".join(map(str, read.statuses))
        if read.frames and read.close is not None:
            said += f", close {read.close}"
        return f"{said}; {self.ended or ('stayed open' if self.let_go else 'hung')}"


async def throw(case: Case, port: int, patience: float) -> Outcome:
    """Take the steps, wait for what is expected (but no longer than ``patience``), then let the connection end.

    Raises:
        trio.TooSlowError: something that a step waits for did not come.
    """
    sids: list[bytes] = []
    async with peer(port) as client:
        with trio.fail_after(PATIENCE):
            for step in case.steps:
                if not await _take(step, client, port, sids):
                    break
        client.hears.set()
        if isinstance(case.expected, Lives):
            await client.send(ALIVE)
        with trio.move_on_after(patience):
            await client.until(lambda: _is_settled(case.expected, client))
        ended = client.ended
        with trio.move_on_after(PATIENCE):
            if not client.finished:
                await client.fin()
            await client.until(lambda: client.ended)
        bodiless = isinstance(case.expected, Answers) and case.expected.bodiless
        transcript = Transcript(client.received, bodiless)
        sids += [sid for answer in transcript.answers for sid in SESSION_ID.findall(answer.body)]
        return Outcome(transcript, ended, client.ended is not None, sids)


async def _take(step: Step, client: Peer, port: int, sids: list[bytes]) -> bool:
    """Take a step; ``False`` if the server has ended the connection."""
    sid = sids[-1] if sids else SID
    match step:
        case bytes():
            return await client.send(step.replace(SID, sid))
        case Until(sent):
            return await client.holds(sent)
        case Aside(request):
            await ask(port, request.replace(SID, sid))
        case Dribble(sent):
            for byte in sent.replace(SID, sid):
                if not await client.send(bytes([byte])):
                    return False
        case Endless(chunk, most):
            before, chunk = len(client.received), chunk.replace(SID, sid)
            for _ in range(most // len(chunk)):
                answered = client.hears.is_set() and len(client.received) > before
                if answered or not await client.send(chunk):
                    break
        case Act.FIN:
            await client.fin()
        case Act.RST:
            client.rst()
        case Act.DEAF:
            client.hears = trio.Event()
        case Act.OPEN_POLLING:
            sids += SESSION_ID.findall(await ask(port, get()))
            return bool(sids)
        case Act.OPEN_OLD_POLLING:
            sids += SESSION_ID.findall(await ask(port, get(target=OLD_POLLING)))
            return bool(sids)
    return True


def _is_settled(expected: Expected, client: Peer) -> bool:
    """Say whether there is no need to wait any more."""
    if client.ended:
        return True
    match expected:
        case Answers(each, ends=False, bodiless=bodiless):
            return sum(answer.whole for answer in Transcript(client.received, bodiless).answers) >= len(each)
        case Lives():
            return ALIVE_ANSWER.encode() in client.received
    return False


def complaint(case: Case, outcome: Outcome) -> str | None:
    """Say what the server did wrong, if it did."""
    expected, read = case.expected, outcome.transcript
    match expected:
        case Answers():
            wrong = _wrong_answers(expected, outcome)
        case Closes(codes, bare):
            if read.close is None:
                wrong = None if bare else "no close frame"
            else:
                wrong = None if codes is None or read.close in codes else f"not one of {sorted(codes)}"
            wrong = wrong or (None if outcome.ended else "TCP did not end")
        case Lives():
            wrong = None if ALIVE_ANSWER in read.texts else "it does not live"
        case Ends():
            wrong = None
    if not outcome.let_go:
        wrong = wrong or "the connection hung"
    return None if wrong is None else f"{wrong}: {outcome}"


def _wrong_answers(expected: Answers, outcome: Outcome) -> str | None:
    read, statuses = outcome.transcript, outcome.transcript.statuses
    if expected.ends and not outcome.ended:
        return "TCP did not end"
    if not statuses and not read.rest and expected.or_none:
        return None
    each = list(expected.each)
    if expected.perhaps and len(statuses) > len(each):
        each.append(expected.perhaps)
    if 0 < len(statuses) < len(each) and outcome.ended and read.answers[-1].says_close:
        each = each[: len(statuses)]  # A server may end a connection after any answer, if it says so.
    if len(statuses) != len(each):
        return f"{len(statuses)} answers, not {len(each)}"
    if not all(status in right for status, right in zip(statuses, each, strict=True)):
        return f"not {[sorted(right) for right in each]}"
    if read.rest:
        return f"and then {bytes(read.rest[:40])!r}"
    if expected.holds not in read.received:
        return f"{expected.holds!r} is missing"
    if expected.lacks is not None and expected.lacks.lower() in bytes(read.received).lower():
        return f"{expected.lacks!r} is there"
    return None


class Harness:
    """A server in this process, and a client of it that was there before."""

    def __init__(self, server: Server, port: int, steady: Control) -> None:
        self._server = server
        self._port = port
        self._steady = steady
        self._before = self._counts()

    def _counts(self) -> dict[str, int]:
        return {
            "tasks": trio.lowlevel.current_statistics().tasks_living,
            "sessions": len(self._server.engine.sessions),
            "files": len(os.listdir("/proc/self/fd")),
        }

    async def throw(self, case: Case, patience: float) -> Outcome:
        """Throw a case; then all must be as before.

        Raises:
            AssertionError: something is left, or the client that was there before is not served.
        """
        outcome = await throw(case, self._port, patience)
        await self.settle(outcome.sids)
        return outcome

    async def settle(self, sids: list[bytes]) -> None:
        """Close what clients have opened and know of, and see to it that nothing is left."""
        with trio.fail_after(PATIENCE):
            for sid in sids:
                session = self._server.engine.sessions.get(sid.decode())
                if session is not None and session.transport is not None and session.transport.name == "polling":
                    is_old = session.revision == "3"
                    farewell = posted(b"1:1", target=OLD_SESSION) if is_old else posted(b"1")
                    await ask(self._port, farewell.replace(SID, sid))
            assert await self._steady.echo(), "the client that was there before has lost its server"
        try:
            await until(lambda: all(self._counts()[name] <= count for name, count in self._before.items()))
        except trio.TooSlowError:
            now = self._counts()
            left = {name: now[name] - count for name, count in self._before.items() if now[name] > count}
            raise AssertionError(f"left behind: {left}") from None


async def until(condition: Callable[[], object]) -> None:
    """Wait for a condition that nothing tells of; it is other tasks' turn meanwhile."""
    with trio.fail_after(PATIENCE):
        while not condition():
            await trio.sleep(0.002)


@asynccontextmanager
async def harness(**limits) -> AsyncIterator[Harness]:
    """Serve, with these limits."""
    server = echoing(CONFIG, limits=Limits(**limits))
    async with trio.open_nursery() as nursery:
        serving = await nursery.start(serve, server, "127.0.0.1:0")
        async with control(serving.port) as steady:
            with trio.fail_after(PATIENCE):
                assert await steady.echo()
            yield Harness(server, serving.port, steady)
        nursery.cancel_scope.cancel()
