"""What is registered on one level, and what it inherits: live, and in its order."""

from __future__ import annotations

import pytest

from trio_socketio._server.behaviour import Behaviour, Functions

KINDS = ["middlewares", "connection", "disconnect", "error", "expired", "packets", "any", "outgoing"]


async def nothing(socket): ...


def functions(names: str, inherited: Functions[str] | None = None) -> Functions[str]:
    made: Functions[str] = Functions(inherited)
    for name in names:
        made.add(name)
    return made


class TestFunctions:
    def test_none(self):
        assert not functions("")
        assert list(functions("")) == []

    def test_in_their_order(self):
        some = functions("ab")
        some.add("c", prepend=True)
        some.add("d")
        assert "".join(some) == "cabd"

    def test_those_that_were_inherited_come_first_and_live(self):
        family = functions("")
        namespace = functions("b", family)
        socket = functions("c", namespace)
        assert "".join(socket) == "bc"
        family.add("a")
        namespace.add("x", prepend=True)
        assert "".join(socket) == "axbc"
        assert "".join(family) == "a"
        assert "".join(namespace) == "axb"

    @pytest.mark.parametrize(("above", "own", "any_at_all"), [("", "", False), ("a", "", True), ("", "b", True)])
    def test_whether_there_are_any(self, above, own, any_at_all):
        assert bool(functions(own, functions(above))) is any_at_all

    def test_the_same_one_twice_is_there_twice_and_removed_once(self):
        some = functions("aba")
        some.remove("a")
        assert "".join(some) == "ba"

    def test_remove_what_is_not_there_or_only_inherited(self):
        family = functions("a")
        for some in (functions("", family), functions("b")):
            with pytest.raises(ValueError, match="'a' is not registered here: nothing to remove"):
                some.remove("a")
        assert "".join(family) == "a"

    def test_one_may_remove_itself_while_all_are_called(self):
        family = functions("ab")
        some = functions("cd", family)
        called = []
        for each in some:
            called.append(each)
            (family if each in "ab" else some).remove(each)
        assert called == list("abcd")
        assert not some


class TestBehaviour:
    def test_a_new_one_has_nothing_and_shares_nothing(self):
        one, two = Behaviour(), Behaviour()
        for kind in KINDS:
            assert not getattr(one, kind)
            getattr(one, kind).add(nothing)
            assert not getattr(two, kind)
        assert one.events is not two.events

    @pytest.mark.parametrize("kind", KINDS)
    def test_each_kind_is_inherited_from_level_to_level(self, kind):
        family = Behaviour()
        socket = Behaviour(Behaviour(family))
        getattr(family, kind).add(nothing)
        assert list(getattr(socket, kind)) == [nothing]
        others = [other for other in KINDS if other != kind]
        assert not any(getattr(socket, other) for other in others)

    def test_handlers_of_events_too(self):
        family = Behaviour()
        socket = Behaviour(Behaviour(family))
        family.events.add("x", nothing)
        found = socket.events.find("x")
        assert found is not None
        assert found.function is nothing

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("inherited", [False, True])
    def test_events_are_looked_at_only_if_somebody_wants_that(self, kind, inherited):
        above = Behaviour()
        behaviour = Behaviour(above)
        assert not behaviour.filters_events
        getattr(above if inherited else behaviour, kind).add(nothing)
        assert behaviour.filters_events is (kind in {"any", "packets"})

    def test_it_takes_no_other_attributes(self):
        with pytest.raises(AttributeError):
            Behaviour().handlers = []
