"""What proxies write about a client: ``X-Forwarded-*``, or ``Forwarded`` (RFC 7239).

Each proxy appends to what came, so a list is read from its right end: what stands there was written by the proxy that we
talk to, and what stands further left by whoever was before it, in the end by the client itself. A hop that can't be read
ends the way: nothing to its left is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TypeAlias, final

Address: TypeAlias = IPv4Address | IPv6Address

X_FORWARDED = ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host")
FORWARDED = ("forwarded",)

MAX_HOPS = 16
"""So many proxies stand in a row at the most."""

_HOST = re.compile(r"(?:[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,251})|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_PAIR = re.compile(r'[ \t]*([A-Za-z]{1,32})=(?:"([^"\\]*)"|([!#$%&\'*+.^_`|~0-9A-Za-z:\[\]-]+))[ \t]*')
_SECURE = {"https": True, "wss": True, "http": False, "ws": False}


@final
@dataclass(frozen=True, slots=True)
class Hop:
    """What a proxy says of the one who asked it; ``None`` for what it doesn't say, or not so that it could be read."""

    address: Address | None
    secure: bool | None
    host: str | None


def parse_address(text: str) -> Address | None:
    """Read an address as proxies write it, with or without a port; ``None`` if it is none."""
    text = text.strip(" \t")
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    if len(text) > 45 or "%" in text:
        return None
    try:
        address = ip_address(text)
    except ValueError:
        return None
    # "::ffff:10.0.0.1" is how a socket for both families shows an IPv4 peer.
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


def x_forwarded(address_list: str, protocol_list: str, host_list: str) -> Iterator[Hop]:
    """Read the values of ``X_FORWARDED``, the nearest hop first."""
    addresses, protocols, hosts = _from_right(address_list), _from_right(protocol_list), _from_right(host_list)
    if not addresses and (protocols or hosts):
        addresses = [""]
    for number, address in enumerate(addresses):
        # Not all proxies append to all three: a list of another length was written by the nearest one alone.
        protocol = protocols[number if len(protocols) == len(addresses) else 0] if protocols else ""
        host = hosts[number if len(hosts) == len(addresses) else 0] if hosts else ""
        yield _hop(address, protocol, host)


def forwarded(text: str) -> Iterator[Hop]:
    """Read the value of ``FORWARDED``, the nearest hop first."""
    # A comma in a quoted string would be legal, but there is none in an address, a protocol or a host: whoever writes
    # one can't shift what stands to its right.
    for element in _from_right(text):
        pairs: dict[str, str] = {}
        for part in element.split(";"):
            pair = _PAIR.fullmatch(part)
            if pair is None or pair[1].lower() in pairs:
                return
            pairs[pair[1].lower()] = pair[3] if pair[2] is None else pair[2]
        yield _hop(pairs.get("for", ""), pairs.get("proto", ""), pairs.get("host", ""))


def _from_right(text: str) -> list[str]:
    if not text:
        return []
    parts = text.rsplit(",", MAX_HOPS)
    return parts[: -MAX_HOPS - 1 : -1]


def _hop(address: str, protocol: str, host: str) -> Hop:
    host = host.strip(" \t")
    return Hop(
        parse_address(address), _SECURE.get(protocol.strip(" \t").lower()), host if _HOST.fullmatch(host) else None
    )
