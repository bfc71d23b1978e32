"""The pytest plugin, as its users see it: projects of theirs, run by pytest-trio and by anyio's plugin, and what is printed.

Each project runs with both of those plugins installed, as it happens to users: anyio comes with Starlette and others.
"""

from __future__ import annotations

import subprocess
import sys
import time

# Imported once and for all: pytester forgets what an inner run was the first to import.
import anyio.pytest_plugin  # noqa: F401 - for the effect of importing it
import pytest

from tests.support.plugin_project import ANYIO, CONFTEST, RUNNERS, Project, lines_after
from trio_socketio.testing import pytest_plugin

pytest_plugins = ["pytester"]


@pytest.fixture(params=RUNNERS)
def project(pytester, request):
    return Project(pytester, request.param)


# What works


def test_server_clients_and_clock(project):
    started = time.monotonic()
    result = project.run("""
        async def test_echo(socketio_server, socketio_client):
            alice = await socketio_client()
            async with socketio_server.open_client() as bob:
                assert await alice.call("echo", 1) == await bob.call("echo", 1)
                assert len(socketio_server.sio.sockets) == 2

        async def test_an_hour(socketio_client, socketio_clock):
            alice = await socketio_client()
            await trio.sleep(3600)
            assert trio.current_time() >= 3600
            assert trio.lowlevel.current_clock() is socketio_clock
            assert alice.connected
            assert await alice.call("echo", "still here") == "still here"
    """)
    result.assert_outcomes(passed=2)
    assert time.monotonic() - started < 20, "not an hour"


def test_fixtures_of_the_users_on_top(project):
    project.run(
        """
        async def test_echo(alice, socketio_server):
            assert await alice.call("echo", "x") == "x"
            assert socketio_server.sio.chats == ["one"]
        """,
        conftest=CONFTEST.replace("def sio():", "async def sio():").replace(
            "    return sio\n",
            "    await trio.sleep(3)\n    sio.chats = ['one']\n    yield sio\n    sio.chats.clear()\n",
        )
        + """
@pytest.fixture
async def alice(socketio_server):
    async with socketio_server.open_client(auth={"name": "alice"}) as alice:
        yield alice
""",
    ).assert_outcomes(passed=1)


def test_a_server_of_a_module_serves_one_test_after_the_other(project):
    project.run(
        """
        sio = trio_socketio.Server()

        @sio.on("echo")
        async def echo(socket, value):
            return value

        @pytest.fixture(name="sio")
        def the_server_of_this_module():
            return sio

        @pytest.mark.parametrize("number", [1, 2, 3])
        async def test_echo(socketio_client, number):
            alice, bob = await socketio_client(), await socketio_client()
            assert await alice.call("echo", number) + await bob.call("echo", number) == 2 * number
        """
    ).assert_outcomes(passed=3)


def test_real_time_for_who_wants_it(project):
    project.run("""
        @pytest.fixture
        def socketio_clock():
            return None

        async def test_echo(socketio_client):
            assert not isinstance(trio.lowlevel.current_clock(), trio.testing.MockClock)
            alice = await socketio_client(transports=("websocket",))
            assert await alice.call("echo", 1) == 1
    """).assert_outcomes(passed=1)


def test_tests_without_its_fixtures_are_none_of_its_business(project):
    result = project.run("""
        @pytest.fixture
        def anyio_backend():
            return "trio"

        async def test_real():
            assert not isinstance(trio.lowlevel.current_clock(), trio.testing.MockClock)

        async def test_group():
            raise ExceptionGroup("mine", [ValueError("as it is")])
    """)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*ExceptionGroup: mine (1 sub-exception)"])


# A test that fails


def test_a_failing_assertion_shows_its_line(project):
    result = project.run("""
        async def test_echo(socketio_client):
            alice = await socketio_client()
            answer = await alice.call("echo", "x")
            assert answer == "y"
    """)
    result.assert_outcomes(failed=1)
    assert lines_after(result, '>       assert answer == "y"', 2) == [
        '>       assert answer == "y"',
        "E       AssertionError: assert 'x' == 'y'",
    ]
    assert "ExceptionGroup" not in result.stdout.str()
    assert "Socket.IO leftovers" not in result.stdout.str()


def test_in_nurseries_too(project):
    result = project.run("""
        async def check(alice):
            assert await alice.call("echo", "x") == "y"

        async def test_echo(socketio_server):
            async with socketio_server.open_client() as alice, trio.open_nursery() as outer:
                outer.start_soon(trio.sleep_forever)
                async with trio.open_nursery() as inner:
                    inner.start_soon(check, alice)
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(['>       assert await alice.call("echo", "x") == "y"', "E       AssertionError: *"])
    assert "ExceptionGroup" not in result.stdout.str()


def test_several_exceptions_stay_a_group(project):
    result = project.run("""
        async def fail(number):
            raise ValueError(number)

        async def test_echo(socketio_clock):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(fail, 1)
                nursery.start_soon(fail, 2)
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*(2 sub-exceptions)"])


def test_what_is_expected_in_vain_is_told_by_the_tests_own_line(project):
    result = project.run("""
        async def test_news(socketio_client):
            alice = await socketio_client()
            await alice.expect("news")
    """)
    result.assert_outcomes(failed=1)
    shown = lines_after(result, '>       await alice.expect("news")', 2)
    assert shown[1].startswith(
        "E       trio_socketio.testing.ExpectationFailed: 'news' did not come; nothing else came"
    )
    assert "patience.py" not in result.stdout.str()


def test_why_the_server_did_not_answer_stands_below(project):
    result = project.run("""
        async def test_answer(socketio_client):
            alice = await socketio_client()
            assert await alice.call("wrong", {}) == "x"
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            '>       assert await alice.call("wrong", {}) == "x"',
            "E       trio_socketio.testing.ExpectationFailed: no acknowledgement of 'wrong' has come*",
            "*Captured Socket.IO errors call*",
            "the server's 'wrong' raised KeyError: 'text' (socket *)",
            '    return data[[]"text"[]]',
        ]
    )


def test_skipped_and_expected_failures_are_those(project):
    project.run("""
        async def test_skipped(socketio_client):
            async with trio.open_nursery():
                pytest.skip("not today")

        @pytest.mark.xfail(strict=True)
        async def test_known(socketio_client):
            assert (await socketio_client()).transport == "carrier pigeon"
    """).assert_outcomes(skipped=1, xfailed=1)


# Errors in the server


def test_a_handlers_error_fails_the_test(project):
    result = project.run("""
        async def test_wrong(socketio_client):
            alice = await socketio_client()
            await alice.emit("wrong", {})
            await alice.call("echo", "handled after it")
    """)
    result.assert_outcomes(failed=1)
    shown = lines_after(result, "the server's 'wrong' raised", 9)
    folder = project.pytester.path
    assert shown[0].startswith("the server's 'wrong' raised KeyError: 'text' (socket ")
    assert shown[1:] == [
        "Traceback (most recent call last):",
        f'  File "{folder}/conftest.py", line 23, in wrong',
        "    return text_of(data)",
        "           ^^^^^^^^^^^^^",
        f'  File "{folder}/conftest.py", line 10, in text_of',
        '    return data["text"]',
        "           ~~~~^^^^^^^^",
        "KeyError: 'text'",
    ]
    result.stdout.fnmatch_lines(
        [
            "A test that expects this takes it out: socketio_server.errors.pop(), or .clear().",
            "FAILED test_chat.py::test_wrong* - Failed: the server's 'w*",
        ]
    )
    assert "All traceback entries are hidden" not in result.stdout.str()


def test_also_when_it_is_the_last_that_a_test_does(project):
    project.fails("""
        async def test_wrong(socketio_client):
            alice = await socketio_client()
            await alice.emit("wrong", {})
    """).fnmatch_lines(["the server's 'wrong' raised KeyError: 'text' (socket *)"])


@pytest.mark.parametrize("transports", [("polling",), ("websocket",)])
def test_by_each_transport(project, transports):
    project.fails(f"""
        async def test_wrong(socketio_client):
            alice = await socketio_client(transports={transports})
            alice.emit_nowait("wrong", {{}})
    """).fnmatch_lines(["the server's 'wrong' raised KeyError: 'text' (socket *)"])


def test_errors_that_are_expected_are_taken_out(project):
    project.run("""
        async def test_wrong(socketio_server, socketio_client):
            alice = await socketio_client()
            await alice.emit("wrong", {})
            await alice.call("echo", "handled after it")
            error = socketio_server.errors.pop()
            assert (error.socket_id, error.event) == (alice.id, "wrong")
            assert isinstance(error.exception, KeyError)
    """).assert_outcomes(passed=1)


def test_a_refusal_is_no_error(project):
    project.run(
        """
        async def test_refused(socketio_client):
            with pytest.raises(trio_socketio.ConnectionRefused, match="not you"):
                await socketio_client()
        """,
        conftest=CONFTEST.replace(
            "    return sio\n",
            "    @sio.middleware\n    async def refuse(socket):\n        raise ConnectionRefused('not you')\n\n    return sio\n",
        ),
    ).assert_outcomes(passed=1)


def test_a_clients_handler_that_raises_fails_the_test(project):
    project.fails(
        """
        async def test_news(socketio_server, socketio_client):
            alice = await socketio_client()

            @alice.on("news")
            async def news(socket, text):
                raise LookupError(text)

            await socketio_server.sio.emit("news", "bad ones")
        """
    ).fnmatch_lines(["a client ended with LookupError: bad ones", "    raise LookupError(text)"])


# What is left


def test_a_task_that_stays_is_told(project):
    project.fails("""
        async def test_left(socketio_client):
            alice = await socketio_client()
            await alice.emit("hold on")
    """).fnmatch_lines(
        [
            "the server still holds:",
            "  task: * in sio.<locals>.hold_on, conftest.py:28",
            "A test ends what it has begun, or says that it does not: @pytest.mark.socketio_leftovers.",
        ]
    )


def test_unless_the_test_says_so(project):
    project.run("""
        @pytest.mark.socketio_leftovers
        async def test_left(socketio_client):
            alice = await socketio_client()
            await alice.emit("hold on")
    """).assert_outcomes(passed=1)


def test_a_server_gets_the_time_that_it_gives_to_those_who_may_come_back(project):
    project.run("""
        async def test_lost(socketio_client):
            alice = await socketio_client(reconnection=False)
            alice.link.half_open()

        async def test_dropped(socketio_server, socketio_client):
            await socketio_client()
            await socketio_server.drop()
    """).assert_outcomes(passed=2)


def test_in_real_time_it_gets_less(project, monkeypatch):
    monkeypatch.setattr(pytest_plugin, "REAL_SECONDS", 0.05)
    started = time.monotonic()
    output = project.fails("""
        @pytest.fixture
        def socketio_clock():
            return None

        async def test_lost(socketio_server):
            async with socketio_server.open_client(transports=("websocket",), reconnection=False) as alice:
                alice.link.abort()
                await alice.wait_disconnected()
    """)
    output.fnmatch_lines(["the server still holds:", "  lost socket: * of /"])
    assert time.monotonic() - started < 20


# Mistakes


def test_without_a_server(project):
    result = project.run(
        "async def test_echo(socketio_client): pass",
        conftest='import pytest\npytest_plugins = ["trio_socketio.testing.pytest_plugin"]\n',
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["socketio_server serves what the fixture 'sio' returns: define one that returns your*"]
    )


def test_something_else_than_a_server(project):
    result = project.run(
        "async def test_echo(socketio_client): pass", conftest=CONFTEST.replace("return sio\n", "return 'sio'\n")
    )
    result.stdout.fnmatch_lines(["*TypeError: the fixture 'sio' returns 'sio': it must return a trio_socketio.Server"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED


@pytest.mark.parametrize(
    ("backend", "message"),
    [
        ('"trio"', "the test runs in real time: let socketio_clock return None if that is meant*"),
        ('"asyncio"', "this is Trio, and the test runs on asyncio. With anyio, define the fixture"),
    ],
)
def test_anyio_without_the_clock(pytester, backend, message):
    project = Project(pytester, "anyio")
    project.conftest = ANYIO.replace('"trio", {"clock": socketio_clock}', backend)
    result = project.run("async def test_echo(socketio_client): pass")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([message, '        return "trio", {"clock": socketio_clock}'])


def test_pytest_trio_with_a_clock_of_the_tests_own(pytester):
    Project(pytester, "trio").run("""
        async def test_echo(autojump_clock, socketio_client):
            assert trio.lowlevel.current_clock() is autojump_clock
            await socketio_client()
    """).assert_outcomes(passed=1)


def test_pytest_trio_with_a_runner_of_the_tests_own(pytester):
    result = Project(pytester, "trio_mode").run("""
        @pytest.mark.trio(run=lambda function, clock, instruments: trio.run(function))
        async def test_echo(socketio_client):
            pass
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["the test runs in real time: let socketio_clock return None if that is meant*"])


# The module itself


def test_the_kit_needs_no_pytest():
    program = "import sys; sys.modules['pytest'] = None; import trio_socketio.testing"
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


def test_nobody_gets_the_plugin_who_does_not_ask(pytester):
    pytester.makepyfile("def test_nothing(socketio_server): pass")
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*fixture 'socketio_server' not found"])


def test_by_the_command_line(pytester):
    pytester.makepyfile("def test_nothing(socketio_clock): assert socketio_clock.autojump_threshold == 0")
    pytester.runpytest_inprocess("-p", pytest_plugin.__name__, "-p", "no:cacheprovider").assert_outcomes(passed=1)
