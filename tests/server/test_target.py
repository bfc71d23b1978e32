"""Whom a broadcast is for, as a value: each step gives a new one."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trio_socketio._server.target import Target

names = st.frozensets(st.sampled_from("abcd"))
targets = st.builds(Target, names, names, st.booleans(), st.booleans())


def test_the_plain_one_is_the_whole_namespace():
    assert Target() == Target(rooms=frozenset(), excluded=frozenset(), local=False, volatile=False)


@settings(derandomize=True, deadline=None)
@given(target=targets, rooms=names)
def test_to_adds_rooms_and_keeps_the_rest(target, rooms):
    before = repr(target)
    assert target.to(rooms) == Target(target.rooms | rooms, target.excluded, target.local, target.volatile)
    assert repr(target) == before


@settings(derandomize=True, deadline=None)
@given(target=targets, rooms=names)
def test_without_adds_to_the_excluded_and_keeps_the_rest(target, rooms):
    before = repr(target)
    assert target.without(rooms) == Target(target.rooms, target.excluded | rooms, target.local, target.volatile)
    assert repr(target) == before


@settings(derandomize=True, deadline=None)
@given(target=targets, one=names, two=names)
def test_the_order_of_steps_means_nothing(target, one, two):
    assert target.to(one).to(two) == target.to(two).to(one) == target.to(one | two)
    assert target.to(one).without(two) == target.without(two).to(one)
    assert target.without(one).without(two) == target.without(one | two)


@pytest.mark.parametrize("name", ["rooms", "excluded", "local", "volatile"])
def test_it_does_not_change(name):
    with pytest.raises(FrozenInstanceError):
        setattr(Target(), name, getattr(Target(), name))


def test_it_takes_no_other_attributes():
    assert not hasattr(Target(), "__dict__")


@settings(derandomize=True, deadline=None)
@given(one=targets, two=targets)
def test_equal_ones_may_stand_for_each_other(one, two):
    assert (one == two) == (
        (one.rooms, one.excluded, one.local, one.volatile) == (two.rooms, two.excluded, two.local, two.volatile)
    )
    if one == two:
        assert hash(one) == hash(two)
