"""The opening handshake: RFC 6455's example, what is refused and how, headers of any kind."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto import ConnectionType, WSConnection, events

from trio_socketio._wire.websocket_handshake import Accepted, Refused, answer, wants_websocket

# The key of RFC 6455, 1.3.
GOOD = {
    "host": "server.example.com",
    "upgrade": "websocket",
    "connection": "Upgrade",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    "sec-websocket-version": "13",
}
ANSWER = [
    ("upgrade", "websocket"),
    ("connection", "upgrade"),
    ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
]


def test_the_example_of_the_rfc():
    assert answer("GET", GOOD) == Accepted(ANSWER)


@pytest.mark.parametrize(
    ("upgrade", "connection", "wants"),
    [
        ("websocket", "upgrade", True),
        ("WebSocket", "Upgrade", True),
        ("WEBSOCKET", "keep-alive, UPGRADE", True),
        ("h2c,\twebsocket", "Upgrade,keep-alive", True),
        (" websocket ", " ,, upgrade ,", True),
        ("websocket/13", "upgrade", False),
        ("web socket", "upgrade", False),
        ("websocket;q=1", "upgrade", False),
        ("h2c", "upgrade", False),
        ("websocket", "keep-alive", False),
        ("websocket", "upgrades", False),
        ("websoc\u212aet", "upgrade", False),
        ("", "", False),
        (None, "upgrade", False),
        ("websocket", None, False),
    ],
)
def test_wants_websocket(upgrade, connection, wants):
    given = {"upgrade": upgrade, "connection": connection}
    headers = {**GOOD, **given}
    headers = {name: value for name, value in headers.items() if value is not None}
    assert wants_websocket(headers) is wants
    result = answer("GET", headers)
    assert isinstance(result, Accepted) if wants else result.status == 400


@pytest.mark.parametrize(
    ("status", "changes"),
    [
        (400, {"sec-websocket-key": None}),
        (400, {"sec-websocket-key": ""}),
        (400, {"sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ"}),  # no padding
        (400, {"sec-websocket-key": "dGhlIHNhbXBsZSBub25j"}),  # 15 bytes
        (400, {"sec-websocket-key": "dGhlIHNhbXBsZSBub25jZSE="}),  # 17 bytes
        (400, {"sec-websocket-key": "dGhlIHNhbXBsZSBub25jZSEh"}),  # 18 bytes
        (400, {"sec-websocket-key": "dGhlIHNhbXBsZSBub25jZ!=="}),
        (400, {"sec-websocket-key": "dGhl IHNhbXBsZSBub25jZQ=="}),
        (400, {"sec-websocket-key": "=" * 24}),
        (400, {"sec-websocket-key": "é" * 24}),
        (400, {"sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ=="}),
        (400, {"sec-websocket-key": "A" * 100_000}),
        (400, {"sec-websocket-version": None}),
        (426, {"sec-websocket-version": ""}),
        (426, {"sec-websocket-version": "8"}),
        (426, {"sec-websocket-version": "13, 8"}),
        (426, {"sec-websocket-version": "013"}),
        (426, {"sec-websocket-version": "é"}),
        (400, {"content-length": "1"}),
        (400, {"content-length": "-0"}),
        (400, {"content-length": "0, 5"}),
        (400, {"transfer-encoding": "chunked"}),
        (400, {"transfer-encoding": ""}),
    ],
)
def test_refused(status, changes):
    headers = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    refused = answer("GET", headers)
    assert isinstance(refused, Refused)
    assert refused.status == status
    assert refused.message
    assert (("sec-websocket-version", "13") in refused.headers) == (status == 426)


def test_other_methods_are_refused():
    for method in ("POST", "HEAD", "get", "CONNECT", ""):
        refused = answer(method, GOOD)
        assert refused.status == 405
        assert refused.headers == [("allow", "GET")]


def test_http_1_0_has_no_upgrade():
    assert answer("GET", GOOD, http_minor=0).status == 400
    assert isinstance(answer("GET", GOOD, http_minor=1), Accepted)


def test_an_empty_body_is_none():
    assert answer("GET", {**GOOD, "content-length": "0"}) == Accepted(ANSWER)


def test_the_key_may_have_blanks_around_it():
    assert answer("GET", {**GOOD, "sec-websocket-key": f" {GOOD['sec-websocket-key']} "}) == Accepted(ANSWER)


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ("chat", "chat"),
        ("chat, superchat", "chat"),
        (" , chat", "chat"),
        ("graphql-transport-ws,x", "graphql-transport-ws"),
        ("v12.stomp!#$%&'*+-.^_`|~", "v12.stomp!#$%&'*+-.^_`|~"),
        ("", None),
        (" , ,", None),
        ("a b", None),
        ("é", None),
        ("\u0661", None),
        ("chat\r\nset-cookie: a=b", None),
        ("chat\n", None),
        ("a/b, chat", None),
        ('"chat"', None),
    ],
)
def test_the_first_subprotocol_is_chosen_if_it_is_a_token(offered, chosen):
    expected = [*ANSWER, ("sec-websocket-protocol", chosen)] if chosen else ANSWER
    assert answer("GET", {**GOOD, "sec-websocket-protocol": offered}) == Accepted(expected)


@pytest.mark.parametrize(
    "offer", ["permessage-deflate; client_max_window_bits", "permessage-deflate", "", ";;;", "é\x00", "a" * 10_000]
)
def test_extensions_are_never_accepted(offer):
    assert answer("GET", {**GOOD, "sec-websocket-extensions": offer}) == Accepted(ANSWER)


NAMES = [*GOOD, "sec-websocket-protocol", "sec-websocket-extensions", "content-length", "transfer-encoding"]
changes = st.dictionaries(
    st.sampled_from(NAMES), st.one_of(st.text(max_size=30), st.sampled_from([*GOOD.values(), "0", "a, b"]))
)


@given(st.sampled_from(["GET", "GET", "POST"]), changes, st.booleans())
def test_any_headers_give_an_answer(method, headers, complete):
    headers = {**GOOD, **headers} if complete else headers
    wants_websocket(headers)
    result = answer(method, headers)
    for name, value in result.headers:
        assert value.isascii()
        assert value.isprintable()
        assert name == name.lower()
    assert isinstance(result, Accepted) or result.status in {400, 405, 426}


@pytest.mark.parametrize("protocols", [[], ["chat", "superchat"]])
def test_wsprotos_client_accepts_the_answer(protocols):
    client = WSConnection(ConnectionType.CLIENT)
    request = client.send(events.Request(host="a", target="/", subprotocols=protocols))
    lines = request.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)}
    assert wants_websocket(headers)
    accepted = answer("GET", headers)
    head = "".join(f"{name}: {value}\r\n" for name, value in accepted.headers)
    client.receive_data(f"HTTP/1.1 101 \r\n{head}\r\n".encode())
    (event,) = client.events()
    assert isinstance(event, events.AcceptConnection)
    assert event.subprotocol == (protocols[0] if protocols else None)
    assert event.extensions == []
