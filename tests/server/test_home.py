"""``Home`` is an interface: that what stands behind a namespace has it, under the same names and with the same arguments.

mypy says so too, where a worker is made; here it is said of each member.
"""

from __future__ import annotations

import inspect

import pytest

from trio_socketio._server.home import Home
from trio_socketio._server.local_adapter import LocalAdapter
from trio_socketio._server.members import Members
from trio_socketio._wire.json_parser import JSONParser

ATTRIBUTES = sorted(Home.__annotations__)
METHODS = sorted(name for name, value in vars(Home).items() if inspect.isfunction(value) and not name.startswith("_"))


def test_there_are_some():
    assert {"adapter", "behaviour", "recovery"} <= set(ATTRIBUTES)
    assert {"begin", "enter", "leave", "clean_up", "end"} <= set(METHODS)


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_attributes(name):
    assert hasattr(Members("/chat", JSONParser(), LocalAdapter), name)


@pytest.mark.parametrize("name", METHODS)
def test_methods(name):
    wanted, there = (inspect.signature(getattr(cls, name)) for cls in (Home, Members))
    assert there == wanted
