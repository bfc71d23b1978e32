"""At run time nothing is left of what type checkers are told; what they make of it is in ``tests/typing``."""

from __future__ import annotations

import inspect

import pytest

from trio_socketio import BroadcastOperator, FlaggedSocket, Namespace, OpenNamespace, RemoteSocket, Socket
from trio_socketio._socket.event_methods import asks, registers, sends


@pytest.mark.parametrize("decorator", [asks, registers, sends])
def test_a_method_is_what_was_written(decorator):
    async def method(self, event, *args): ...

    assert decorator(method) is method


@pytest.mark.parametrize("cls", [BroadcastOperator, Namespace, OpenNamespace, RemoteSocket, Socket, FlaggedSocket])
def test_public_methods_have_their_signatures_and_their_words(cls):
    for name in {"emit", "emit_nowait", "call", "gather", "on", "once"} & set(dir(cls)):
        method = getattr(cls, name)
        assert inspect.isfunction(method)
        assert method.__doc__
        assert list(inspect.signature(method).parameters)[:2] == ["self", "event"]
