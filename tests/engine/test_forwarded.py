"""What proxies write, and what clients write in front of it."""

from __future__ import annotations

import pytest

from trio_socketio._engine.forwarded import MAX_HOPS, X_FORWARDED, forwarded, parse_address, x_forwarded


def of_x_forwarded(fields: dict[str, str]):
    return read(x_forwarded(*(fields.get(name, "") for name in X_FORWARDED)))


def of_forwarded(text: str):
    return read(forwarded(text))


def read(hops) -> list[tuple[str | None, bool | None, str | None]]:
    return [(None if hop.address is None else str(hop.address), hop.secure, hop.host) for hop in hops]


@pytest.mark.parametrize(("text", "expected"), [
    ("192.0.2.1", "192.0.2.1"), (" 192.0.2.1\t", "192.0.2.1"), ("192.0.2.1:4711", "192.0.2.1"),
    ("2001:DB8::1", "2001:db8::1"), ("[2001:db8::1]", "2001:db8::1"), ("[2001:db8::1]:4711", "2001:db8::1"),
    ("::ffff:192.0.2.1", "192.0.2.1"), ("[::ffff:192.0.2.1]:80", "192.0.2.1"),
    ("", None), ("unknown", None), ("_hidden", None), ("a.example", None), ("192.0.2", None), ("192.0.2.256", None),
    ("192.0.2.1.", None), ("192.0.2.01", None), ("0x7f.1", None), ("2130706433", None), ("fe80::1%eth0", None),
    ("[2001:db8::1", "2001:db8::1"), ("[", None), ("[]", None), ("192.0.2.1/24", None), ("::" + "0" * 5000, None),
    ("192.0.2.1\r\nx: y", None), ("\u0661\u0669\u0662.0.2.1", None), ("1:2:3", None),
])  # fmt: skip
def test_addresses(text, expected):
    address = parse_address(text)
    assert (None if address is None else str(address)) == expected


class TestXForwarded:
    def test_nothing(self):
        assert of_x_forwarded({}) == []

    def test_the_nearest_first(self):
        assert of_x_forwarded({"x-forwarded-for": "192.0.2.1, 10.0.0.1,10.0.0.2"}) == [
            ("10.0.0.2", None, None), ("10.0.0.1", None, None), ("192.0.2.1", None, None),
        ]  # fmt: skip

    def test_lists_of_one_length_belong_together(self):
        fields = {
            "x-forwarded-for": "192.0.2.1, 10.0.0.1",
            "x-forwarded-proto": "https, http",
            "x-forwarded-host": "a.example, inner:8080",
        }
        assert of_x_forwarded(fields) == [("10.0.0.1", False, "inner:8080"), ("192.0.2.1", True, "a.example")]

    def test_another_length_is_of_the_nearest_alone(self):
        # The client has written "https" and "spoofed.example" in front of what the only proxy appended.
        fields = {
            "x-forwarded-for": "192.0.2.1",
            "x-forwarded-proto": "https, http",
            "x-forwarded-host": "x.example, a.example",
        }
        assert of_x_forwarded(fields) == [("192.0.2.1", False, "a.example")]
        fields = {
            "x-forwarded-for": "192.0.2.1, 10.0.0.1",
            "x-forwarded-proto": "https",
            "x-forwarded-host": "a.example",
        }
        assert of_x_forwarded(fields) == [("10.0.0.1", True, "a.example"), ("192.0.2.1", True, "a.example")]

    def test_without_an_address(self):
        assert of_x_forwarded({"x-forwarded-proto": "https"}) == [(None, True, None)]
        assert of_x_forwarded({"x-forwarded-host": "a.example"}) == [(None, None, "a.example")]

    @pytest.mark.parametrize(("proto", "expected"), [
        ("https", True), ("HTTPS", True), (" wss ", True), ("http", False), ("ws", False),
        ("", None), ("ftp", None), ("https;", None), ("\xff", None), ("on", None),
    ])  # fmt: skip
    def test_protocols(self, proto, expected):
        ((_, secure, _),) = of_x_forwarded({"x-forwarded-for": "192.0.2.1", "x-forwarded-proto": proto})
        assert secure is expected

    @pytest.mark.parametrize(("host", "expected"), [
        ("a.example", True), ("a.example:8443", True), ("A_b-c.example", True), ("192.0.2.1:80", True), ("[::1]:80", True),
        ("", False), ("a b", False), ("a.example/path", False), ("user@a.example", False), ("a.example:", False),
        ("a.example:123456", False), ("-a", False), ("a" * 300, False), ("a\r\nx: y", False), ("\xe4.example", False),
        ("a?b", False), ("a#b", False), ("[::1", False), ("[]", False),
    ])  # fmt: skip
    def test_hosts(self, host, expected):
        ((_, _, found),) = of_x_forwarded({"x-forwarded-for": "192.0.2.1", "x-forwarded-host": host})
        assert found == (host if expected else None)

    def test_there_are_no_more_hops_than_there_can_be(self):
        many = ", ".join(f"192.0.2.{number % 256}" for number in range(3000))
        assert [address for address, _, _ in of_x_forwarded({"x-forwarded-for": many})] == [
            f"192.0.2.{number % 256}" for number in range(2999, 2999 - MAX_HOPS, -1)
        ]
        assert len(of_x_forwarded({"x-forwarded-for": "," * 10_000})) == MAX_HOPS


class TestForwarded:
    def test_nothing(self):
        assert of_forwarded("") == []

    def test_the_examples_of_rfc_7239(self):
        # 4: "Forwarded: for="_gazonk"", and so on.
        assert of_forwarded('For="[2001:db8:cafe::17]:4711"') == [("2001:db8:cafe::17", None, None)]
        text = "for=192.0.2.60;proto=http;by=203.0.113.43, for=198.51.100.17"
        assert of_forwarded(text) == [("198.51.100.17", None, None), ("192.0.2.60", False, None)]
        assert of_forwarded('for="_gazonk"') == [(None, None, None)]
        assert of_forwarded("for=unknown;proto=https") == [(None, True, None)]

    def test_all_three(self):
        text = 'for=192.0.2.1:80 ; PROTO=https;host="a.example:8443"'
        assert of_forwarded(text) == [("192.0.2.1", True, "a.example:8443")]

    @pytest.mark.parametrize("written", [
        '"', 'for="', "for=", "for", "=", ";", 'for=1;for=2', 'for="a\\"b"', 'for="192.0.2.9, for=192.0.2.8', "\xff=1", "x y=1",
        'for=192.0.2.9;host="', "for=192.0.2.9;", "a" * 5000,
    ])  # fmt: skip
    def test_what_the_client_wrote_does_not_shift_what_the_proxy_appended(self, written):
        hops = of_forwarded(f"{written}, for=192.0.2.1;proto=https")
        assert hops[0] == ("192.0.2.1", True, None)
        assert hops[1:] in ([], [("192.0.2.8", None, None)]), "and what is to its left of that is not believed"

    def test_there_are_no_more_hops_than_there_can_be(self):
        assert len(of_forwarded("for=192.0.2.1," * 3000 + "for=192.0.2.1")) == MAX_HOPS
