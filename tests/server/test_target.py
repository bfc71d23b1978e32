"""Whom a broadcast is for, as a value: each step gives a new one."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trio_socketio._server.target import Target

names = st.frozensets(st.sampled_from("abcd"))
targets = st.builds(Target, names, names, st.booleans(), st.booleans(), st.booleans())
FIELDS = ["rooms", "excluded", "local", "volatile", "compress"]


def test_the_plain_one_is_the_whole_namespace():
    assert Target() == Target(rooms=frozenset(), excluded=frozenset(), local=False, volatile=False, compress=True)


@settings(derandomize=True, deadline=None)
@given(target=targets, rooms=names)
def test_to_adds_rooms_and_keeps_the_rest(target, rooms):
    before = repr(target)
    assert target.to(rooms) == replace(target, rooms=target.rooms | rooms)
    assert repr(target) == before


@settings(derandomize=True, deadline=None)
@given(target=targets, rooms=names)
def test_without_adds_to_the_excluded_and_keeps_the_rest(target, rooms):
    before = repr(target)
    assert target.without(rooms) == replace(target, excluded=target.excluded | rooms)
    assert repr(target) == before


@settings(derandomize=True, deadline=None)
@given(target=targets, one=names, two=names)
def test_the_order_of_steps_means_nothing(target, one, two):
    assert target.to(one).to(two) == target.to(two).to(one) == target.to(one | two)
    assert target.to(one).without(two) == target.without(two).to(one)
    assert target.without(one).without(two) == target.without(one | two)


@pytest.mark.parametrize("name", FIELDS)
def test_it_does_not_change(name):
    with pytest.raises(FrozenInstanceError):
        setattr(Target(), name, getattr(Target(), name))


def test_it_takes_no_other_attributes():
    assert not hasattr(Target(), "__dict__")


@settings(derandomize=True, deadline=None)
@given(one=targets, two=targets)
def test_equal_ones_may_stand_for_each_other(one, two):
    assert (one == two) == all(getattr(one, name) == getattr(two, name) for name in FIELDS)
    if one == two:
        assert hash(one) == hash(two)
