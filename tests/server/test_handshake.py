"""What is known of a client from the moment it connected, and that nobody changes it afterwards."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields

import pytest

from trio_socketio import Request
from trio_socketio._server.handshake import Handshake


def asked(**changes: object) -> Request:
    values = {
        "method": "GET",
        "path": "/socket.io/",
        "query_string": "EIO=4&transport=polling&token=a%20b",
        "headers": {"host": "example.com", "cookie": "id=1"},
        "client": "192.0.2.1",
    }
    return Request(**{**values, **changes})


def test_what_the_request_says():
    handshake = Handshake.of(asked(), {"token": "s3cret"}, 1234.5)
    assert dict(handshake.headers) == {"host": "example.com", "cookie": "id=1"}
    assert dict(handshake.query) == {"EIO": "4", "transport": "polling", "token": "a b"}
    assert handshake.url == "/socket.io/?EIO=4&transport=polling&token=a%20b"
    assert handshake.address == "192.0.2.1"
    assert handshake.issued == 1234.5
    assert handshake.auth == {"token": "s3cret"}
    assert (handshake.secure, handshake.cross_origin) == (False, False)


@pytest.mark.parametrize("secure", [True, False])
def test_secure(secure):
    assert Handshake.of(asked(secure=secure), None, 0).secure is secure


@pytest.mark.parametrize("origin", ["https://app.example", "null", ""])
def test_cross_origin_is_that_there_is_an_origin(origin):
    assert Handshake.of(asked(headers={"origin": origin}), None, 0).cross_origin
    assert not Handshake.of(asked(headers={"x-origin": origin}), None, 0).cross_origin


def test_without_an_address():
    assert Handshake.of(asked(client=None), None, 0).address is None


@pytest.mark.parametrize(("said", "auth"), [(None, {}), ({}, {}), ({"a": [1]}, {"a": [1]})])
def test_auth(said, auth):
    assert Handshake.of(asked(), said, 0).auth == auth


def test_each_client_that_said_nothing_has_its_own_auth():
    one, two = (Handshake.of(asked(), None, 0) for _ in range(2))
    assert one.auth is not two.auth


def test_it_does_not_change():
    handshake = Handshake.of(asked(), None, 0)
    for field in fields(handshake):
        with pytest.raises(FrozenInstanceError):
            setattr(handshake, field.name, None)
    for mapping in (handshake.headers, handshake.query):
        with pytest.raises(TypeError):
            mapping["new"] = "value"


def test_later_changes_of_the_requests_headers_are_not_seen():
    headers = {"host": "example.com"}
    handshake = Handshake.of(asked(headers=headers), None, 0)
    headers["host"] = "evil.example"
    assert handshake.headers["host"] == "example.com"


def test_state_is_the_requests():
    request = asked()
    request.state["user"] = "alice"
    chat, other = (Handshake.of(request, None, 0) for _ in range(2))
    assert chat.state == {"user": "alice"}
    chat.state["seen"] = True
    assert other.state["seen"]
