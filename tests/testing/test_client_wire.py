"""How the kit's client takes what no server of ours sends: broken packets, odd answers, ends in the wrong place."""

from __future__ import annotations

import pytest
import trio

from tests.support.scripted_server import CONNECT, OPEN, accepted, answer, client_of, read_head, scripted
from trio_socketio import ConnectionRefused, RemoteProtocolError
from trio_socketio._wire.websocket_frame import TEXT, encode_frame
from trio_socketio.testing import HandshakeFailed


def polls(*answers):
    """A script by long-polling: answers to polls, in order; POSTs are answered with ok, all further polls never."""
    answers = list(answers)

    async def script(stream):
        while request := await read_head(stream):
            if request.startswith(b"POST"):
                await stream.send_all(answer(b"ok"))
            elif answers:
                if isinstance(answers[0], trio.Event):
                    await answers.pop(0).wait()
                await stream.send_all(answers.pop(0))
            else:
                await trio.sleep_forever()

    return script


def websocket(*frames, ends=False):
    """A script on a WebSocket: the first frame comes with the acceptance, the others when the client has said something."""

    async def script(stream):
        await read_head(stream)
        await stream.send_all(accepted(*frames[:1]))
        if frames[1:]:
            await read_head(stream)
            await stream.send_all(b"".join(frames[1:2]))
            await trio.testing.wait_all_tasks_blocked()
            await stream.send_all(b"".join(frames[2:]))
        while not ends and await read_head(stream):
            pass

    return script


def text(data):
    return encode_frame(TEXT, data)


async def reason(autojump_clock, script, transport):
    async with scripted(script) as link, client_of(link, transport) as socket:
        assert socket.id == "I"
        return await socket.wait_disconnected()


@pytest.mark.parametrize("broken", [b"9", b"4", b"42", b"42{}", b"451-[]", b"bAA", b"4x"], ids=repr)
async def test_what_is_no_packet_is_a_parse_error_or_nothing(autojump_clock, broken):
    script = polls(answer(OPEN), answer(CONNECT), answer(broken))
    async with scripted(script) as link, client_of(link, "polling") as socket:
        await trio.sleep(1)
        assert socket.connected == (broken == b"42")
        if not socket.connected:
            assert socket.disconnect_reason == "parse error"


async def test_a_held_poll_whose_packets_are_none(autojump_clock):
    gate = trio.Event()
    async with scripted(polls(answer(OPEN), answer(CONNECT), gate, answer(b"4x"))) as link:
        async with client_of(link, "polling") as socket:
            held = link.hold_poll()
            gate.set()
            await held.wait()
            assert socket.connected
            held.release()
            assert await socket.wait_disconnected() == "parse error"


async def test_a_held_poll_whose_events_find_no_room(autojump_clock):
    gate, released = trio.Event(), trio.Event()
    many = b"\x1e".join([b'42["n"]'] * 250)
    async with scripted(polls(answer(OPEN), answer(CONNECT), gate, answer(many))) as link:
        async with client_of(link, "polling") as socket:
            seen = []

            @socket.on("n")
            async def slow(socket):
                await released.wait()
                seen.append("n")

            held = link.hold_poll()
            gate.set()
            await held.wait()
            held.release()
            await trio.sleep(1)
            assert len(socket._events._queue.events) == 100
            released.set()
            await trio.sleep(1)
            assert len(seen) == 250


async def test_packets_of_other_namespaces_are_nobodys(autojump_clock):
    script = polls(answer(OPEN), answer(b'40/x,{"sid":"X"}'), answer(CONNECT), answer(b'42/x,["n"]\x1e42["n",1]'))
    async with scripted(script) as link, client_of(link, "polling") as socket:
        assert socket.id == "I"
        await socket.expect("n", 1)


async def test_a_second_connect_and_a_late_answer_are_let_pass(autojump_clock):
    script = polls(answer(OPEN), answer(CONNECT), answer(b'40{"sid":"J"}\x1e4399[1]\x1e42["n"]'))
    async with scripted(script) as link, client_of(link, "polling") as socket:
        await socket.expect("n")
        assert socket.id == "I"


async def test_events_in_front_of_the_connect_are_dropped(autojump_clock):
    script = polls(answer(OPEN), answer(b'42["early"]\x1e' + CONNECT + b'\x1e42["n"]'))
    async with scripted(script) as link, client_of(link, "polling") as socket:
        await socket.expect("n")
        await socket.expect_nothing()


async def test_a_connection_that_is_to_be_closed_is_followed_by_a_new_one(autojump_clock):
    closing = b"connection: close"
    script = polls(
        answer(OPEN, b"200 OK", closing), answer(CONNECT, b"200 OK", closing), answer(b'42["n"]', b"200 OK", closing)
    )
    async with scripted(script) as link, client_of(link, "polling") as socket:
        await socket.expect("n")


async def test_a_cut_between_two_polls_is_noticed_in_any_case(autojump_clock):
    links, opened = [], []

    async def script(stream):
        if not opened:
            opened.append(await read_head(stream))
            await stream.send_all(answer(OPEN))
        while request := await read_head(stream):
            if request.startswith(b"GET"):
                # The client finds the answer and the end at the same time.
                await stream.send_all(answer(CONNECT))
                links[0].cut()
            else:
                await stream.send_all(answer(b"ok"))

    async with scripted(script) as link:
        links.append(link)
        async with client_of(link, "polling") as socket:
            assert await socket.wait_disconnected() == "transport error"


async def test_the_server_closes_the_session(autojump_clock):
    assert (
        await reason(autojump_clock, polls(answer(OPEN), answer(CONNECT), answer(b"6\x1e1")), "polling")
        == "transport close"
    )


async def test_a_poll_that_is_refused(autojump_clock):
    script = polls(answer(OPEN), answer(CONNECT), answer(b"{}", b"400 Bad Request"))
    assert await reason(autojump_clock, script, "polling") == "transport error"


@pytest.mark.parametrize(
    "frames",
    [[text(b"9")], [b"\x01\x01x"], [text(b"4\xff")]],
    ids=["no packet", "a fragment", "no text"],
)
async def test_what_is_no_message_of_ours_is_a_parse_error(autojump_clock, frames):
    assert await reason(autojump_clock, websocket(text(OPEN), text(CONNECT), *frames), "websocket") == "parse error"


async def test_the_end_of_a_websocket(autojump_clock):
    script = websocket(text(OPEN), text(CONNECT), ends=True)
    assert await reason(autojump_clock, script, "websocket") in {"transport close", "transport error"}


@pytest.mark.parametrize("opening", [b"2", b"0[]", b"x", b"0{}"], ids=repr)
@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_what_is_no_handshake(autojump_clock, opening, transport):
    script = polls(answer(opening)) if transport == "polling" else websocket(text(opening))
    async with scripted(script) as link:
        with pytest.raises(RemoteProtocolError):
            async with client_of(link, transport):
                pass


async def test_a_websocket_that_ends_before_the_handshake(autojump_clock):
    async with scripted(websocket(ends=True)) as link:
        with pytest.raises(trio.BrokenResourceError, match="before the session was open"):
            async with client_of(link, "websocket"):
                pass


async def test_a_refusal_that_is_text(autojump_clock):
    async with scripted(polls(answer(OPEN), answer(b'44"go away"'))) as link:
        with pytest.raises(ConnectionRefused, match="^go away$"):
            async with client_of(link, "polling"):
                pass


async def test_a_server_with_an_error_of_its_own(autojump_clock):
    async with scripted(polls(answer(b"oops", b"500 Internal Server Error"))) as link:
        with pytest.raises(HandshakeFailed, match="500: oops"):
            async with client_of(link, "polling"):
                pass
