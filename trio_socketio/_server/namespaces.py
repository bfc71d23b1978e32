"""All namespaces of a server: those that were made by name, and families of them.

A *family* is made by a pattern or by a function; its members come into being when a client joins them, and inherit all
that is registered for the family. Those that the application has not made itself go when their last socket has gone: else
clients could make namespaces without end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
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
            ValueError: a pattern that is there already, and would never be asked.
        """
        if isinstance(rule, re.Pattern):
            if not isinstance(rule.pattern, str):
                msg = f"{rule!r} is a pattern of bytes: names of namespaces are text"
                raise TypeError(msg)
            if any(rule == family.rule for family in self._families):
                msg = f"{rule!r} is there already: the first one would get all clients, keep what namespace() returned"
                raise ValueError(msg)
        else:
            check_handler(rule, 2, "rule(name, auth)")
        family = Family(rule)
        self._families.append(family)
        return family

    def get(self, name: str) -> Members | None:
        """Return a namespace that is there."""
        return self._members.get(name)

    def by_name(self, name: object) -> Members:
        """Return a namespace for the application; made if it is not there. A missing leading slash is added.

        Raises:
            TypeError: the name is not text.
            ValueError: too long, or a comma or a control character in it.
        """
        if not isinstance(name, str):
            msg = f"a namespace's name is text, not {name!r}"
            raise TypeError(msg)
        if not name.startswith("/"):
            name = f"/{name}"
        if not _NAME.fullmatch(name) or len(name) > self._limits.max_name_length:
            msg = f"{name!r} can't be a namespace: no commas or control characters, {self._limits.max_name_length} at most"
            raise ValueError(msg)
        members = self._members.get(name)
        if members is None:
            self._wanted.add(name)
            members = self._make_by_name(name)
        return members

    async def find(self, name: str, auth: Mapping[str, Any]) -> Members | None:
        """Return the namespace that a client wants to join, which may be made for it; families are asked in their order.

        Raises:
            Exception: whatever a family's function raises.
        """
        for family in self._families:
            parameters = await family.accepts(name, auth)
            if parameters is not None:
                # Somebody else may have made it while a function was being asked.
                members = self._members.get(name)
                return self._make(name, family, parameters) if members is None else members
        return None

    def _make_by_name(self, name: str) -> Members:
        for family in self._families:
            parameters = family.parameters_of(name)
            if parameters is not None:
                return self._make(name, family, parameters)
        return self._make(name)

    def _make(
        self, name: str, family: Family | None = None, parameters: Mapping[str, str] = MappingProxyType({})
    ) -> Members:
        members = Members(
            name,
            self._parser,
            self._adapter,
            inherited=None if family is None else family.behaviour,
            inherited_server_events=None if family is None else family.server_events,
            parameters=MappingProxyType(parameters),
            recovery=self._recovery,
            emptied=None if family is None or not self._cleanup else partial(self._remove, name, family),
        )
        self._members[name] = members
        if family is not None:
            family.members[name] = members
            _logger.debug("%s: made for %s", shortened(name), family.name)
        if name != "/":
            self._made(members)
        return members

    def _remove(self, name: str, family: Family) -> None:
        members = self._members.get(name)
        if members is not None and name not in self._wanted:
            del self._members[name], family.members[name]
            members.adapter.close()
            _logger.debug("%s: empty, removed", shortened(name))
