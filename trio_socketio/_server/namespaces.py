"""All namespaces of a server: those that were made by name, and families of them.

A *family* is made by a pattern or by a function; its members come into being when a client joins them, and inherit all
that is registered for the family. Those that the application has not made itself go when their last socket has gone: else
clients could make namespaces without end.

Whoever wants to join one that is there joins it; but a function decides about a client, not about a name: it is asked about
each of them, since else who comes first would let in all others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, final

from trio_socketio._limits import Limits
from trio_socketio._logging import scope_logger, shortened
from trio_socketio._server.adapter import AdapterFactory
from trio_socketio._server.family import Family, NamespaceRule
from trio_socketio._server.members import Members
from trio_socketio._server.recovery import Recovery
from trio_socketio._socket.handlers import check_handler
from trio_socketio._wire.parser import Parser

_logger = scope_logger("namespace")

_NAME = re.compile(r"/[^,\x00-\x1f\x7f]*")


@final
class Namespaces:
    """Finds namespaces, and makes them.

    Args:
        limits: the server's.
        parser: the server's.
        adapter: makes the adapter of each.
        recovery: the server's, if it has one.
        cleanup: let namespaces of families go when they are empty.
        made: told of each that was made.
    """

    def __init__(
        self,
        limits: Limits,
        parser: Parser,
        adapter: AdapterFactory,
        recovery: Recovery | None,
        *,
        cleanup: bool,
        made: Callable[[Members], None],
    ) -> None:
        self._limits = limits
        self._parser = parser
        self._adapter = adapter
        self._recovery = recovery
        self._cleanup = cleanup
        self._made = made
        self._members: dict[str, Members] = {}
        self._owners: dict[str, Family] = {}
        """The family of each of them that is one of a family."""
        self._wanted: set[str] = set()
        """Those that the application has made: they stay."""
        self._families: list[Family] = []

    def __iter__(self) -> Iterator[Members]:
        return iter(list(self._members.values()))

    @property
    def has_families(self) -> bool:
        """A namespace may come into being when it is joined."""
        return bool(self._families)

    def add_family(self, rule: re.Pattern[str] | NamespaceRule) -> Family:
        """Make a family.

        Raises:
            TypeError: the rule is neither a pattern of text nor ``async def rule(name, auth)``.
            ValueError: it is there already, and would never be asked.
        """
        if isinstance(rule, re.Pattern):
            if not isinstance(rule.pattern, str):
                msg = f"{rule!r} is a pattern of bytes: names of namespaces are text"
                raise TypeError(msg)
        else:
            check_handler(rule, 2, "rule(name, auth)")
        if any(rule == family.rule for family in self._families):
            msg = f"{rule!r} is there already: the first one would get all clients, keep what namespace() returned"
            raise ValueError(msg)
        family = Family(rule)
        self._families.append(family)
        return family

    def get(self, name: str) -> Members | None:
        """Return a namespace that is there."""
        return self._members.get(name)

    def open_to_all(self, name: str) -> Members | None:
        """Return a namespace that is there, and that every client may join without being asked about."""
        owner = self._owners.get(name)
        return self._members.get(name) if owner is None or owner.is_pattern else None

    def keep(self, name: str) -> Members:
        """Return a namespace, made if it is not there, that stays: the application registers something for it."""
        members = self.by_name(name)
        self._wanted.add(members.name)
        return members

    def by_name(self, name: object) -> Members:
        """Return a namespace for the application; made if it is not there. A missing leading slash is added.

        Raises:
            TypeError: the name is not text.
            ValueError: too long, or a comma or a control character in it.
        """
        if not isinstance(name, str):
            msg = f"a namespace's name is text, not {name!r}"
            raise TypeError(msg)
        members = self._members.get(name)
        if members is not None:
            return members
        if not name.startswith("/"):
            name = f"/{name}"
        if not self._is_name(name):
            msg = f"{name!r} can't be a namespace: no commas or control characters, {self._limits.max_name_length} at most"
            raise ValueError(msg)
        members = self._members.get(name)
        if members is None:
            members = self._make_by_name(name)
            self._wanted.add(name)
        return members

    async def find(self, name: str, auth: Mapping[str, Any]) -> Members | None:
        """Return the namespace that a client wants to join, which may be made for it; families are asked in their order.

        If it is there, only its own family is asked.

        Raises:
            Exception: whatever a family's function raises, or who is told of a new namespace.
        """
        if not self._is_name(name):
            return None
        owner = self._owners.get(name)
        for family in tuple(self._families) if owner is None else (owner,):
            parameters = await family.accepts(name, auth)
            if parameters is None:
                continue
            # Somebody else may have made it while a function was being asked.
            members = self._members.get(name)
            if members is None:
                members = self._make(name, family, parameters)
                self._wanted.discard(name)
                return members
            return members if self._owners.get(name) in {None, family} else await self.find(name, auth)
        return None

    def _is_name(self, name: str) -> bool:
        return len(name) <= self._limits.max_name_length and _NAME.fullmatch(name) is not None

    def _make_by_name(self, name: str) -> Members:
        for family in self._families:
            parameters = family.parameters_of(name)
            if parameters is not None:
                return self._make(name, family, parameters)
        return self._make(name)

    def _make(
        self, name: str, family: Family | None = None, parameters: Mapping[str, str] = MappingProxyType({})
    ) -> Members:
        def emptied() -> None:
            if family is not None and name not in self._wanted:
                self._remove(members, family)

        members = Members(
            name,
            self._parser,
            self._adapter,
            inherited=None if family is None else family.behaviour,
            inherited_server_events=None if family is None else family.server_events,
            parameters=MappingProxyType(parameters),
            recovery=self._recovery,
            emptied=emptied if family is not None and self._cleanup else None,
        )
        self._members[name] = members
        if family is not None:
            family.members[name] = members
            members.names = family.names
            self._owners[name] = family
            _logger.debug("%s: made for %s", shortened(name), family.name)
        if name != "/":
            try:
                self._made(members)
            except BaseException:
                # Nobody may join it without what the application wanted to register.
                self._remove(members, family)
                raise
        return members

    def _remove(self, members: Members, family: Family | None) -> None:
        name = members.name
        # Those of an earlier namespace of that name may tell late that they are empty.
        if self._members.get(name) is not members:
            return
        del self._members[name]
        self._wanted.discard(name)
        if family is not None:
            del family.members[name], self._owners[name]
        _logger.debug("%s: removed", shortened(name))
        try:
            members.adapter.close()
        except Exception:
            _logger.exception("%s: its adapter can't be closed", shortened(name))
