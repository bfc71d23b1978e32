"""HTTP/1.1, the client's side: against bytes, however they are cut."""

from __future__ import annotations

import pytest
import trio

from trio_socketio import RemoteProtocolError
from trio_socketio.testing.http_connection import HTTPConnection, encode_request
from trio_socketio.testing.memory_stream import MemoryConnection


@pytest.fixture
def pair():
    connection = MemoryConnection()
    return HTTPConnection(connection.client), connection.server


async def ask(pair, *answer, method="GET", closes=False, **options):
    connection, server = pair
    for piece in answer:
        await server.send_all(piece)
    if closes:
        await server.send_eof()
    return await connection.ask(method, "/x", **options)


def test_a_request():
    assert (
        encode_request("GET", "/x?y", {"X-A": "b"}, b"")
        == b"GET /x?y HTTP/1.1\r\nhost: memory.invalid\r\nx-a: b\r\n\r\n"
    )
    assert encode_request("POST", "/", {"Host": "h"}, b"") == b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\r\n"
    assert encode_request("PUT", "/", {}, b"ab").endswith(b"content-length: 2\r\n\r\nab")


async def test_an_answer_in_one_piece(autojump_clock, pair):
    answer = await ask(pair, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nA: 1\r\nA: 2\r\n\r\nok")
    assert (answer.status, answer.body) == (200, b"ok")
    assert answer.headers == {"content-length": "2", "a": "1, 2"}
    assert pair[0].is_usable


async def test_an_answer_cut_anywhere(autojump_clock):
    data = b"HTTP/1.1 404 Not Found\r\ncontent-length: 3\r\n\r\nabc"
    for at in range(1, len(data)):
        connection = MemoryConnection()
        answer = await ask((HTTPConnection(connection.client), connection.server), data[:at], data[at:])
        assert (answer.status, answer.body) == (404, b"abc")


async def test_several_answers_on_one_connection(autojump_clock, pair):
    for number in range(3):
        answer = await ask(pair, b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n%d" % number)
        assert answer.text == str(number)
        assert pair[0].is_usable


async def test_chunks(autojump_clock, pair):
    answer = await ask(pair, b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")
    assert answer.body == b"abc"
    assert pair[0].is_usable


async def test_an_answer_to_head_has_no_body(autojump_clock, pair):
    answer = await ask(pair, b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n", method="HEAD")
    assert answer.headers["content-length"] == "99"
    assert answer.body == b""


async def test_connection_close_means_no_further_request(autojump_clock, pair):
    await ask(pair, b"HTTP/1.1 400 Bad\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
    assert not pair[0].is_usable


async def test_an_upgrade_leaves_what_came_behind_it(autojump_clock, pair):
    answer = await ask(pair, b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n\x81\x01x")
    assert answer.status == 101
    assert pair[0].rest == b"\x81\x01x"


@pytest.mark.parametrize("part", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc"])
async def test_the_end_in_the_midst_of_an_answer(autojump_clock, pair, part):
    with pytest.raises(trio.BrokenResourceError, match=f"after {3 if part else 0} bytes"):
        await ask(pair, *([part] if part else []), closes=True)
    assert not pair[0].is_usable


async def test_what_is_no_http(autojump_clock, pair):
    with pytest.raises(RemoteProtocolError, match="not HTTP"):
        await ask(pair, b"SSH-2.0-x\r\n\r\n")


async def test_an_answer_that_never_ends_is_given_up(autojump_clock, pair, monkeypatch):
    monkeypatch.setattr("trio_socketio.testing.http_connection.MOST", 3)
    with pytest.raises(trio.BrokenResourceError):
        await ask(pair, b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabcd", b"e")
        await ask(pair, b"more")


async def test_a_request_that_is_given_up_spoils_its_connection(autojump_clock, pair):
    with trio.move_on_after(1):
        await ask(pair)
    assert not pair[0].is_usable


async def test_a_connection_that_ended_in_between_is_not_used_again(autojump_clock, pair):
    await ask(pair, b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
    await pair[1].aclose()
    assert not pair[0].is_usable
