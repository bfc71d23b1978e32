"""A pytest plugin, for tests by pytest-trio or by anyio's plugin on its Trio backend; for those only who ask for it.

    pytest_plugins = ["trio_socketio.testing.pytest_plugin"]  # in conftest.py, or pytest -p with that name

How it comes that both can run its fixtures: an asynchronous fixture is a plain async generator, and whichever plugin runs the
test runs the fixture too. pytest-trio does that within the call of the test, anyio before and after it. So nothing is
raised out of a fixture, where it would be an "error at teardown" for the one and a group of exceptions for the other: a ``Watch``
in the test's stash notes what there is to say, and the hooks say it when the test function is over, and after its fixtures.

The clock: pytest-trio runs a test by ``trio.run``, or by what its marker says, and there ours gives the run the clock of
``socketio_clock``. anyio runs it by what the fixture ``anyio_backend`` says, which is the user's.

PYTEST_DONT_REWRITE: nothing is asserted here, so pytest needs not be the first to import it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

import pytest
import trio
from trio.testing import MockClock

from trio_socketio._server.server import Server
from trio_socketio.testing.client_factory import ClientFactory, client_factory
from trio_socketio.testing.failures import ExpectationFailed
from trio_socketio.testing.memory_server import MemoryServer, open_memory_server
from trio_socketio.testing.patience import is_virtual_time
from trio_socketio.testing.verdict import Watch, end_in_the_test

T = TypeVar("T")

WATCH = pytest.StashKey[Watch]()

FIXTURES = {"socketio_clock", "socketio_server", "socketio_client"}
"""Who takes one of them is looked after."""

LEFTOVERS = "socketio_leftovers"

REAL_SECONDS = 2.0
"""So long a server may take to end what a test has begun, where its time-outs would be waited for in earnest."""

# Fixtures


@pytest.fixture
def sio() -> Server:
    """The server that is tested: to be defined by whoever tests it."""
    pytest.fail("socketio_server serves what the fixture 'sio' returns: define one that returns your Server", False)


@pytest.fixture
def socketio_clock() -> trio.abc.Clock | None:
    """The test's clock, which jumps to the next deadline when all tasks wait. Defined to return None: real time."""
    return MockClock(autojump_threshold=0)


@pytest.fixture
async def socketio_server(
    request: pytest.FixtureRequest, sio: Server, socketio_clock: trio.abc.Clock | None
) -> AsyncIterator[MemoryServer]:
    """The Server of the fixture ``sio``, served in memory: see ``open_memory_server``.

    The test fails by what handlers, middlewares and hooks raise, unless it takes that out of ``socketio_server.errors``; and
    when its fixtures are over, by what is still there.
    """
    _check_run(socketio_clock)
    if not isinstance(sio, Server):
        msg = f"the fixture 'sio' returns {sio!r}: it must return a trio_socketio.Server"
        raise TypeError(msg)
    async with open_memory_server(sio) as server:
        watch = _watch_of(request.node)
        watch.server = server
        yield server
        if request.node.get_closest_marker(LEFTOVERS) is None:
            watch.leftovers = await server.leftovers(within=None if is_virtual_time() else REAL_SECONDS)


@pytest.fixture
async def socketio_client(
    request: pytest.FixtureRequest, socketio_server: MemoryServer
) -> AsyncIterator[ClientFactory]:
    """Opens clients, which leave when the test is over: ``alice = await socketio_client("/chat", auth=...)``."""
    async with client_factory(socketio_server) as factory:
        _watch_of(request.node).client_errors = factory.errors
        yield factory


def _watch_of(item: pytest.Item) -> Watch:
    return item.stash.setdefault(WATCH, Watch())


def _check_run(clock: trio.abc.Clock | None) -> None:
    """Refuse a run by asyncio, and one in real time that nobody has asked for."""
    if not trio.lowlevel.in_trio_run():
        advice = "this is Trio, and the test runs on asyncio"
    elif clock is not None and not isinstance(trio.lowlevel.current_clock(), MockClock):
        advice = (
            "the test runs in real time: let socketio_clock return None if that is meant, or give the run its clock"
        )
    else:
        return
    pytest.fail(
        f"{advice}. With anyio, define the fixture\n\n"
        "    @pytest.fixture\n"
        "    def anyio_backend(socketio_clock):\n"
        '        return "trio", {"clock": socketio_clock}\n',
        pytrace=False,
    )


# Hooks


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", f"{LEFTOVERS}: the test may leave something in its socketio_server.")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests of pytest-trio their clock."""
    for item in items:
        if not (isinstance(item, pytest.Function) and _is_looked_after(item)):
            continue
        runs = [marker.kwargs.get("run", trio.run) for marker in item.iter_markers("trio")]
        if runs and all(run is trio.run for run in runs):
            item.add_marker(pytest.mark.trio(run=partial(_run_by_clock_of, item)), append=False)


def _is_looked_after(item: pytest.Item) -> bool:
    return isinstance(item, pytest.Function) and not FIXTURES.isdisjoint(item.fixturenames)


def _run_by_clock_of(
    item: pytest.Function,
    function: Callable[[], Awaitable[T]],
    *,
    clock: trio.abc.Clock | None = None,
    instruments: Sequence[trio.abc.Instrument] = (),
) -> T:
    """Run a test as pytest-trio would; a clock that the test takes by itself comes first."""
    ours = item.funcargs.get("socketio_clock")
    if clock is None and isinstance(ours, trio.abc.Clock):
        clock = ours
    return trio.run(function, clock=clock, instruments=instruments)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Let a test fail by what went wrong in its server; let one exception out as it is, not in a group."""
    __tracebackhide__ = True
    if not _is_looked_after(item):
        return (yield)
    watch = _watch_of(item)
    try:
        result = yield
    except BaseException as failure:
        for title, text in watch.take().items():
            item.add_report_section("call", title, text)
        alone = _alone(failure)
        if alone is failure:
            raise
        raise alone from alone.__cause__  # noqa: ASYNC104 - it is what was caught, without its group
    _fail_by(watch.take())
    watch.has_passed = True
    return result


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, Any, Any]:
    """Say what was found after the test function, where fixtures end after it."""
    __tracebackhide__ = True
    result = yield
    if WATCH in item.stash and item.stash[WATCH].has_passed:
        _fail_by(item.stash[WATCH].take())
    return result


def _fail_by(told: dict[str, str]) -> None:
    if told:
        pytest.fail("\n".join(told.values()), pytrace=False)


def _alone(failure: BaseException) -> BaseException:
    """Return the only exception in a group, or else the group."""
    leaves = list(_leaves(failure))
    alone = leaves[0] if len(leaves) == 1 else failure
    return end_in_the_test(alone) if isinstance(alone, ExpectationFailed) else alone


def _leaves(failure: BaseException) -> Iterator[BaseException]:
    if isinstance(failure, BaseExceptionGroup):
        for each in failure.exceptions:
            yield from _leaves(each)
    else:
        yield failure
