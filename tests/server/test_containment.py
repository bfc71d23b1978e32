"""Errors of the application: what is reported, what goes on, and how long the one that is told may take."""

from __future__ import annotations

import pytest
import trio

from tests.support.application import records_of
from tests.support.client import connect
from trio_socketio import Disconnected
from trio_socketio._server.behaviour import Behaviour
from trio_socketio._server.containment import Containment

PATIENCE = 5.0


class FakeSocket:
    id = "a socket"


class Case:
    """A containment, with what its on_error is told."""

    def __init__(self, *, is_leaving: bool = False) -> None:
        self.behaviour = Behaviour()
        self.told: list[tuple[str, BaseException]] = []
        self.behaviour.error.add(self.note)
        self.containment = Containment(FakeSocket(), lambda: self.behaviour, lambda: is_leaving, PATIENCE)

    async def note(self, socket, error, event):
        assert isinstance(socket, FakeSocket)
        self.told.append((event, error))

    async def contain(self, raised: BaseException) -> list[BaseException]:
        await self.containment.contain(raised, "x")
        return [error for _, error in self.told]


class Abort(BaseException):
    """Not an Exception: the containment lets it pass."""


class TestWhatIsReported:
    async def test_an_error(self, caplog):
        error = ValueError("oops")
        assert await Case().contain(error) == [error]
        assert records_of(caplog) == [("trio_socketio.socket", ValueError)]

    async def test_a_group_of_one_as_the_one(self):
        error = ValueError()
        assert await Case().contain(ExceptionGroup("", [ExceptionGroup("", [error])])) == [error]

    async def test_a_group_of_several_as_the_group(self):
        group = ExceptionGroup("", [ValueError(), KeyError()])
        assert await Case().contain(group) == [group]

    async def test_what_is_no_exception_goes_on(self, caplog):
        for raised in (Abort(), KeyboardInterrupt(), BaseExceptionGroup("", [Abort(), SystemExit()])):
            case = Case()
            with pytest.raises(type(raised)) as caught:
                await case.contain(raised)
            if isinstance(raised, BaseExceptionGroup):
                assert caught.value.exceptions == raised.exceptions
            else:
                assert caught.value is raised
            assert case.told == []
        assert not records_of(caplog)

    async def test_of_a_mixed_group_each_has_its_way(self):
        case, error, abort = Case(), ValueError(), Abort()
        with pytest.RaisesGroup(Abort):
            await case.contain(BaseExceptionGroup("", [BaseExceptionGroup("", [error]), abort]))
        assert [told for _, told in case.told] == [error]

    @pytest.mark.parametrize("error", [Disconnected("gone"), ExceptionGroup("", [Disconnected("gone")] * 2)])
    async def test_that_the_client_has_left_is_none_if_it_is_leaving(self, caplog, error):
        assert await Case(is_leaving=True).contain(error) == []
        assert not records_of(caplog)
        assert await Case().contain(error) == [error]

    async def test_beside_another_error_it_is_one(self):
        group = ExceptionGroup("", [Disconnected("gone"), ValueError()])
        assert await Case(is_leaving=True).contain(group) == [group]

    async def test_first_comes_before_the_report_and_only_for_errors(self):
        case, log = Case(), []
        await case.containment.contain(ValueError(), "x", first=lambda: log.append(list(case.told)))
        assert log == [[]]
        with pytest.raises(Abort):
            await case.containment.contain(Abort(), "x", first=lambda: log.append("not for this"))
        assert log == [[]]


class TestOnError:
    async def test_all_are_told_those_that_are_registered_now(self):
        case, log = Case(), []

        async def later(socket, error, event):
            log.append(event)

        async def own(socket, error, event):
            log.append(f"own {event}")

        case.behaviour.error.add(later)
        await case.contain(ValueError())
        case.behaviour = Behaviour(case.behaviour)
        case.behaviour.error.add(own)
        await case.contain(ValueError())
        assert log == ["x", "x", "own x"]
        assert len(case.told) == 2

    async def test_one_that_raises_is_logged_and_the_next_is_told(self, caplog):
        case = Case()
        log = []

        async def fail(socket, error, event):
            raise RuntimeError

        async def fail_twice(socket, error, event):
            raise ExceptionGroup("", [RuntimeError(), KeyError()])

        async def last(socket, error, event):
            log.append(event)

        for function in (fail, fail_twice, last):
            case.behaviour.error.add(function)
        await case.contain(ValueError())
        assert log == ["x"]
        assert [kind for _, kind in records_of(caplog)] == [ValueError, RuntimeError, ExceptionGroup]

    async def test_it_is_shielded_and_given_up_in_time(self, autojump_clock):
        case, ended = Case(), []

        async def hang(socket, error, event):
            try:
                await trio.sleep_forever()
            finally:
                ended.append(trio.current_time())

        case.behaviour.error.add(hang)
        began = trio.current_time()
        with trio.CancelScope() as scope:
            scope.cancel()
            await case.contain(ValueError())
        assert ended == [began + PATIENCE]

    async def test_last_words_end_all_together(self, autojump_clock):
        case = Case()
        case.containment.end_by = trio.current_time() + 2
        with case.containment.last_words() as first:
            await trio.sleep(1)
        with case.containment.last_words() as second:
            await trio.sleep(3)
        assert (first.cancelled_caught, second.cancelled_caught) == (False, True)
        assert trio.current_time() == case.containment.end_by

    async def test_what_is_no_exception_goes_on(self):
        case = Case()

        async def abort(socket, error, event):
            raise Abort

        async def abort_in_a_group(socket, error, event):
            raise BaseExceptionGroup("", [Abort()])

        case.behaviour.error.add(abort)
        with pytest.raises(Abort):
            await case.contain(ValueError())
        case.behaviour.error.remove(abort)
        case.behaviour.error.add(abort_in_a_group)
        with pytest.RaisesGroup(Abort):
            await case.contain(ValueError())

    async def test_one_that_raises_when_it_is_given_up_stays_here(self, autojump_clock, caplog):
        """Its nursery hands over the error and the cancellation in one group."""
        case = Case()

        async def fail():
            try:
                await trio.sleep_forever()
            finally:
                raise RuntimeError

        async def hang(socket, error, event):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(fail)
                nursery.start_soon(trio.sleep_forever)

        case.behaviour.error.add(hang)
        await case.contain(ValueError())
        assert [kind for _, kind in records_of(caplog)] == [ValueError, RuntimeError]


@pytest.mark.parametrize(
    "where", ["x", "connection", "middleware", "disconnect", "any", "packets", "outgoing", "nursery"]
)
async def test_nothing_that_fails_ends_another_socket(sio, autojump_clock, where):
    """Nor does on_error, failing in its turn, whatever it raises."""

    async def fail_in_its_end():
        try:
            await trio.sleep_forever()
        finally:
            raise RuntimeError

    @sio.on_error
    async def fail_too(socket, error, event):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail_in_its_end)
            nursery.start_soon(trio.sleep_forever)

    async def fail(socket, *args):
        if socket.auth:
            raise ExceptionGroup("", [ValueError(), ValueError()])
        return args

    async def echo(socket, value):
        socket.emit_nowait("seen", value)
        return value

    def fail_at_once(socket, *args):
        if socket.auth:
            raise ExceptionGroup("", [ValueError(), ValueError()])

    async def hold(socket):
        socket.nursery.start_soon(fail, socket)

    registers = {
        "x": sio.on("x"),
        "connection": sio.on_connection,
        "middleware": sio.middleware,
        "disconnect": sio.on_disconnect,
        "any": sio.on_any,
        "packets": sio.packet_middleware,
        "outgoing": sio.on_any_outgoing,
        "nursery": sio.on_connection,
    }
    functions = {"outgoing": fail_at_once, "nursery": hold}
    registers[where](functions.get(where, fail))
    if where != "x":
        sio.on("x")(echo)

    neighbour = sio.namespace("/neighbour")

    @neighbour.on("x")
    async def say(socket):
        return "alive"

    async with connect(sio, "40") as other, connect(sio, "40/neighbour,") as client:
        await client.put('40{"fails":true}')
        if where not in {"connection", "middleware", "nursery"}:
            await client.put('421["x",1]')
            await trio.sleep(11)
        if where != "middleware":
            await client.put("41")
        await trio.sleep(11)
        client.get_waiting()
        await client.put('42/neighbour,5["x"]')
        assert client.get_waiting() == ['43/neighbour,5["alive"]']
        assert len(sio.sockets) == 1
        await other.put('427["x",7]')
        assert "437[7]" in other.get_waiting()
