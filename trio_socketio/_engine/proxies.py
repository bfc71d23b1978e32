"""Which proxies are believed when they say who a client is."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Literal, TypeAlias, final

import msgspec

from trio_socketio._engine.forwarded import Address, Hop, forwarded, parse_address, x_forwarded
from trio_socketio._engine.http import Request

UNIX = "unix"
"""Peers without an address."""

_Network: TypeAlias = IPv4Network | IPv6Network


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedProxies:
    """The proxies in front, that are believed when they say who a client is; nobody else is.

    A request that comes from one of them has the client's address, its scheme and its host of the proxy's headers:
    ``Request.client``, ``secure`` and ``host``, so ``Handshake.address`` and ``secure``, the ``Secure`` of the cookie, and
    what counts as the server's own origin. The client is the first address from the right that is none of these proxies.
    A value that can't be read is ignored; an address that can't be ends the search, and the one before it is the client.

    Args:
        addresses: addresses and networks such as ``("127.0.0.1", "10.0.0.0/8", "::1")``; ``"unix"`` for whoever comes by a
            unix socket, or by a listener whose peers have no address.
        headers: those that the proxies write: ``"x-forwarded"`` (``X-Forwarded-For``, ``-Proto`` and ``-Host``) or
            ``"forwarded"`` (RFC 7239). Only these are read, since proxies let the others through as the client wrote them.

    Raises:
        ValueError: what is no address, or everybody.
        TypeError: a single text for a tuple.
    """

    addresses: tuple[str, ...]
    headers: Literal["x-forwarded", "forwarded"] = "x-forwarded"
    _networks: tuple[_Network, ...] = field(init=False, repr=False, compare=False, default=())

    def __post_init__(self) -> None:
        if isinstance(self.addresses, str):
            msg = f"TrustedProxies(addresses={self.addresses!r}) is a single text: give a tuple of addresses"
            raise TypeError(msg)
        if self.headers not in {"x-forwarded", "forwarded"}:
            msg = f"TrustedProxies(headers={self.headers!r}) must be 'x-forwarded' or 'forwarded'"
            raise ValueError(msg)
        networks = tuple(_network(address) for address in self.addresses if address != UNIX)
        object.__setattr__(self, "_networks", networks)

    def trusts(self, client: str | None) -> bool:
        """Say whether a peer is one of them."""
        if client is None:
            return UNIX in self.addresses
        address = _parse_peer(client)
        return address is not None and self._holds(address)

    def _holds(self, address: Address) -> bool:
        return any(address in network for network in self._networks)

    def resolve(self, request: Request) -> Request:
        """Return the request as the client made it, if a proxy of these says so; else as it is."""
        if not self.trusts(request.client):
            return request
        found: Hop | None = None
        client = request.client
        for hop in (x_forwarded if self.headers == "x-forwarded" else forwarded)(request.headers):
            found = hop
            if hop.address is None:
                break
            client = str(hop.address)
            if not self._holds(hop.address):
                break
        if found is None:
            return request
        secure = request.secure if found.secure is None else found.secure
        return msgspec.structs.replace(request, client=client, secure=secure, forwarded_host=found.host)


def _network(text: str) -> _Network:
    try:
        network = ip_network(text if isinstance(text, str) else "")
    except ValueError as error:
        msg = (
            f"TrustedProxies(addresses=...) holds {text!r}: give an address, a network such as '10.0.0.0/8', or 'unix'"
        )
        raise ValueError(msg) from error
    if network.prefixlen == 0:
        msg = f"TrustedProxies(addresses=...) holds {text!r}: everybody could say then who he is; name the proxies"
        raise ValueError(msg)
    return network


# Proxies are few, and ask often.
_parse_peer = lru_cache(maxsize=256)(parse_address)
