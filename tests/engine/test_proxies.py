"""Who is believed about whom."""

from __future__ import annotations

import pytest

from trio_socketio import Request, TrustedProxies
from trio_socketio._engine.proxies import _find_cached


def asked(client: str | None = "10.0.0.1", **fields: str) -> Request:
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    return Request(method="GET", path="/socket.io/", headers=headers, client=client)


def trusting(*addresses: str, headers="x-forwarded") -> TrustedProxies:
    return TrustedProxies(addresses=addresses or ("10.0.0.0/8",), headers=headers)


def seen(request: Request) -> tuple[str | None, bool, str | None]:
    return request.client, request.secure, request.host


class TestSettings:
    @pytest.mark.parametrize(("addresses", "peer", "expected"), [
        (("127.0.0.1",), "127.0.0.1", True), (("127.0.0.1",), "127.0.0.2", False), (("127.0.0.1",), None, False),
        (("10.0.0.0/8",), "10.255.0.1", True), (("10.0.0.0/8",), "11.0.0.1", False), (("10.0.0.0/8",), "::ffff:10.0.0.1", True),
        (("::1", "fd00::/8"), "fd00::7", True), (("::1",), "::2", False), (("::1",), "127.0.0.1", False),
        (("unix",), None, True), (("unix",), "127.0.0.1", False), (("unix",), "unix", False),
        ((), "127.0.0.1", False), ((), None, False), (("10.0.0.0/8",), "nonsense", False), (("10.0.0.0/8",), "", False),
    ])  # fmt: skip
    def test_who_is_trusted(self, addresses, peer, expected):
        assert TrustedProxies(addresses=addresses).trusts(peer) is expected

    @pytest.mark.parametrize(
        "address", ["", "localhost", "10.0.0.1/8", "10.0.0.0/33", "*", "10.0.0.", "10.0.0.1:80", 5, None]
    )
    def test_what_is_no_address(self, address):
        with pytest.raises(ValueError, match="give an address, a network such as '10.0.0.0/8', or 'unix'"):
            TrustedProxies(addresses=("127.0.0.1", address))

    @pytest.mark.parametrize("address", ["0.0.0.0/0", "::/0"])
    def test_everybody(self, address):
        with pytest.raises(ValueError, match="everybody could say then who he is"):
            TrustedProxies(addresses=(address,))

    def test_a_single_text_is_not_a_list(self):
        with pytest.raises(TypeError, match="give a tuple of addresses"):
            TrustedProxies(addresses="127.0.0.1")

    def test_headers(self):
        with pytest.raises(ValueError, match="must be 'x-forwarded' or 'forwarded'"):
            TrustedProxies(addresses=("127.0.0.1",), headers="x-real-ip")


class TestResolve:
    def test_nobody_else_is_believed(self):
        request = asked(
            "192.0.2.1", x_forwarded_for="198.51.100.1", x_forwarded_proto="https", x_forwarded_host="a.example"
        )
        assert trusting().resolve(request) == request

    def test_nothing_is_said(self):
        request = asked(host="a.example")
        assert trusting().resolve(request) is request

    def test_the_client_is_the_rightmost_that_is_no_proxy(self):
        request = asked(
            x_forwarded_for="203.0.113.9, 192.0.2.1, 10.0.0.3, 10.0.0.2",
            x_forwarded_proto="https",
            x_forwarded_host="a.example",
        )
        assert seen(trusting().resolve(request)) == ("192.0.2.1", True, "a.example")
        assert seen(request) == ("10.0.0.1", False, None)

    def test_only_proxies(self):
        assert trusting().resolve(asked(x_forwarded_for="10.0.0.3, 10.0.0.2")).client == "10.0.0.3"

    @pytest.mark.parametrize(("text", "expected"), [
        ("nonsense", "10.0.0.1"), ("", "10.0.0.1"), ("192.0.2.1, nonsense", "10.0.0.1"), ("nonsense, 192.0.2.1", "192.0.2.1"),
        ("192.0.2.1, nonsense, 10.0.0.2", "10.0.0.2"), (", , ,", "10.0.0.1"), ("192.0.2.1,", "10.0.0.1"),
    ])  # fmt: skip
    def test_an_address_that_cannot_be_read_ends_the_search(self, text, expected):
        assert trusting().resolve(asked(x_forwarded_for=text)).client == expected

    def test_a_proxy_that_tells_the_protocol_alone(self):
        resolved = trusting().resolve(asked(x_forwarded_proto="https", host="a.example"))
        assert seen(resolved) == ("10.0.0.1", True, "a.example")

    def test_malformed_values_leave_what_the_connection_says(self):
        resolved = trusting().resolve(
            asked(x_forwarded_for="192.0.2.1", x_forwarded_proto="gopher", x_forwarded_host="a b", host="c.example")
        )
        assert seen(resolved) == ("192.0.2.1", False, "c.example")

    def test_the_other_header_is_the_clients_own_affair(self):
        # nginx appends to the one and lets the other one through.
        fields = {"x_forwarded_for": "192.0.2.1", "forwarded": "for=203.0.113.9;proto=https;host=evil.example"}
        assert seen(trusting().resolve(asked(**fields))) == ("192.0.2.1", False, None)
        resolved = trusting(headers="forwarded").resolve(asked(**fields))
        assert seen(resolved) == ("203.0.113.9", True, "evil.example")

    def test_a_unix_socket(self):
        assert trusting("unix").resolve(asked(None, x_forwarded_for="192.0.2.1")).client == "192.0.2.1"

    def test_what_is_said_once_is_remembered_for_that_peer_alone(self):
        fields = {"x_forwarded_for": "192.0.2.77", "x_forwarded_proto": "https"}
        for _ in range(2):
            assert seen(trusting().resolve(asked("10.0.0.1", **fields))) == ("192.0.2.77", True, None)
            assert seen(trusting().resolve(asked("11.0.0.1", **fields))) == ("11.0.0.1", False, None)
            assert seen(trusting("11.0.0.0/8").resolve(asked("10.0.0.1", **fields))) == ("10.0.0.1", False, None)

    def test_long_values_are_not_remembered(self):
        before = _find_cached.cache_info().currsize
        for number in range(10):
            resolved = trusting().resolve(asked(x_forwarded_for=f"{'x' * 600}{number}, 192.0.2.{number}"))
            assert resolved.client == f"192.0.2.{number}"
        assert _find_cached.cache_info().currsize == before
