"""Which proxies are believed when they say who a client is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Literal, TypeAlias, final

import msgspec

from trio_socketio._engine.forwarded import FORWARDED, X_FORWARDED, Address, forwarded, parse_address, x_forwarded
from trio_socketio._engine.http import Request

UNIX = "unix"
"""Peers without an address."""

CACHED_CHARACTERS = 500
"""What is longer is read anew each time, so that nobody fills the memory with it."""

Found: TypeAlias = tuple[str | None, bool | None, str | None]
"""The client's address, whether it came by TLS if that was said, and the host that it asked for."""

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

    def resolve(self, request: Request) -> Request:
        """Return the request as the client made it, if a proxy of these says so; else as it is."""
        values = tuple(request.headers.get(name, "") for name in self._names)
        if not any(values):
            return request
        # A client's polls all say the same.
        find = _find_cached if sum(map(len, values)) <= CACHED_CHARACTERS else _find
        client, secure, host = find(self, request.client, values)
        if secure is None:
            secure = request.secure
        return msgspec.structs.replace(request, client=client, secure=secure, forwarded_host=host)

    def trusts(self, peer: str | None) -> bool:
        """Say whether a peer is one of them."""
        if peer is None:
            return UNIX in self.addresses
        address = parse_address(peer)
        return address is not None and self._holds(address)

    def _holds(self, address: Address) -> bool:
        return any(address in network for network in self._networks)

    @property
    def _names(self) -> tuple[str, ...]:
        return X_FORWARDED if self.headers == "x-forwarded" else FORWARDED

    def find(self, peer: str | None, values: Sequence[str]) -> Found:
        """Find the client that a peer speaks for, by the values of the headers."""
        client, secure, host = peer, None, None
        if not self.trusts(peer):
            return client, secure, host
        for hop in x_forwarded(*values) if self.headers == "x-forwarded" else forwarded(*values):
            secure, host = hop.secure, hop.host
            if hop.address is None:
                break
            client = str(hop.address)
            if not self._holds(hop.address):
                break
        return client, secure, host


def _find(proxies: TrustedProxies, peer: str | None, values: tuple[str, ...]) -> Found:
    return proxies.find(peer, values)


_find_cached = lru_cache(maxsize=1024)(_find)


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
