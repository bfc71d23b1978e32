"""What is told of a test that is over."""

from __future__ import annotations

import trio

from trio_socketio import Server
from trio_socketio.testing import ExpectationFailed, Leftovers, ServerError, open_memory_server
from trio_socketio.testing.verdict import (
    HOW_TO_END,
    HOW_TO_EXPECT,
    Watch,
    application_part,
    end_in_the_test,
    shown_client_errors,
    shown_errors,
)


def raised_by(source, **names):
    """The exception of some source that stands in a module of ours, or calls what does."""
    try:
        exec(compile(source, "<ours>", "exec"), {"__name__": "trio_socketio._server.dispatcher", **names})
    except BaseException as error:
        return error.with_traceback(error.__traceback__.tb_next)


def fail():
    raise KeyError("text")


def test_frames_of_ours_above_the_applications_are_not_shown():
    lines = application_part(raised_by("fail()", fail=fail)).splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1].endswith(", in fail")
    assert lines[2:] == ['    raise KeyError("text")', "KeyError: 'text'"]


def test_an_error_of_ours_is_shown_with_its_frames():
    assert "<ours>" in application_part(raised_by("1 / 0"))


def test_below_the_application_ours_are_shown():
    def application():
        raise raised_by("1 / 0")

    shown = application_part(raised_by("application()", application=application))
    assert shown.index("in application") < shown.index("<ours>")


def test_an_error_that_nobody_raised():
    assert application_part(ValueError("made")) == "ValueError: made\n"


def test_the_cause_is_shown():
    def application():
        raise RuntimeError("outer") from raised_by("fail()", fail=fail)

    shown = application_part(raised_by("application()", application=application))
    assert "The above exception was the direct cause" in shown and shown.endswith("RuntimeError: outer\n")


def test_errors_of_the_server():
    errors = [ServerError("abc", "say", KeyError("text")), ServerError("", "allow_request", ValueError("no"))]
    assert shown_errors(errors).splitlines() == [
        "the server's 'say' raised KeyError: 'text' (socket abc)",
        "",
        "KeyError: 'text'",
        "",
        "the server's 'allow_request' raised ValueError: no",
        "",
        "ValueError: no",
        "",
        HOW_TO_EXPECT,
    ]


def test_errors_of_clients():
    assert shown_client_errors([LookupError("x")]) == "a client ended with LookupError: x\n\nLookupError: x\n"


def test_the_frames_of_the_kit_below_the_test_are_not_shown():
    def test():
        exec("raise failure", {"__name__": "trio_socketio.testing.patience", "failure": ExpectationFailed("in vain")})

    error = end_in_the_test(raised_by("test()", test=test))
    names = []
    frames = error.__traceback__
    while frames is not None:
        names.append(frames.tb_frame.f_code.co_name)
        frames = frames.tb_next
    assert names == ["<module>", "test"]
    assert end_in_the_test(ExpectationFailed("never raised")).__traceback__ is None


async def test_each_thing_is_told_once(autojump_clock):
    watch = Watch()
    assert watch.take() == {}
    async with open_memory_server(Server()) as server:
        watch.server = server
        assert watch.take() == {}
        server.errors.append(ServerError("abc", "say", KeyError("text")))
        watch.client_errors.append(LookupError("x"))
        watch.leftovers = Leftovers(sockets=("abc of /",))
        told = watch.take()
        assert list(told) == ["Socket.IO errors", "Socket.IO client errors", "Socket.IO leftovers"]
        assert told["Socket.IO leftovers"] == f"the server still holds:\n  socket: abc of /\n\n{HOW_TO_END}"
        assert watch.take() == {} and server.errors == []
        server.errors.append(ServerError("abc", "disconnect", KeyError("text")))
        await trio.lowlevel.checkpoint()
        assert list(watch.take()) == ["Socket.IO errors"]
