"""What a client may have missed: positions, offsets that are anything, what is kept and what is dropped."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_socketio._server.replay import Offsets, Replay
from trio_socketio._wire.engine_packet import EnginePacket, PacketType
from trio_socketio._wire.socket_packet import Event


def replay(max_packets: int = 100, max_bytes: int = 10_000, offsets: Offsets | None = None) -> Replay:
    return Replay(offsets if offsets is not None else Offsets("epoch"), max_packets, max_bytes)


def put(kept: Replay, text: str = "x", attachments: int = 0) -> str:
    """Record an event as senders do; return its offset."""
    stamped = kept.stamp(Event("/", ["event", text]))
    packets = [EnginePacket(PacketType.MESSAGE, text), *[EnginePacket(PacketType.MESSAGE, b"\0")] * attachments]
    kept.record(packets)
    return stamped.args[-1]


def texts(batches) -> list[str] | None:
    return None if batches is None else [batch[0].data for batch in batches]


class TestOffsets:
    def test_each_event_gets_the_next_one_as_its_last_argument(self):
        offsets = Offsets("epoch")
        event = Event("/chat", ["name", 1], 7)
        assert offsets.stamp(event) == Event("/chat", ["name", 1, "epoch.1"], 7)
        assert offsets.stamp(event) == Event("/chat", ["name", 1, "epoch.2"], 7)
        assert event.args == ["name", 1], "others hold it too"
        assert offsets.position == 2

    def test_a_volatile_one_has_the_offset_of_the_last_that_is_kept(self):
        offsets = Offsets("epoch")
        assert offsets.stamp(Event("/", ["volatile"]), advance=False).args == ["volatile", "epoch.0"]
        offsets.stamp(Event("/", ["kept"]))
        assert offsets.stamp(Event("/", ["volatile"]), advance=False).args == ["volatile", "epoch.1"]
        assert offsets.position == 1

    @given(st.integers(1, 2**53))
    def test_it_is_read_back(self, position):
        offsets = Offsets("epoch")
        offsets.position = position - 1
        assert offsets.position_of(offsets.stamp(Event("/", ["x"])).args[-1]) == position

    GARBAGE = [
        None,
        True,
        1,
        1.5,
        [],
        {},
        b"epoch.1",
        "",
        "epoch",
        "epoch.",
        "1",
        ".1",
        "other.1",
        "Epoch.1",
        "epoch.x",
        "epoch.1.1",
        "epoch.1\0",
        "epoch." + "f" * 17,
        "epoch." + "f" * 100_000,
        "\ud800",
    ]

    @pytest.mark.parametrize("offset", GARBAGE, ids=range(len(GARBAGE)))
    def test_garbage_and_what_others_have_given_means_nothing(self, offset):
        assert Offsets("epoch").position_of(offset) == 0

    @given(st.text().map("epoch.".__add__) | st.text())
    def test_any_text_is_a_number_or_nothing(self, text):
        assert isinstance(Offsets("epoch").position_of(text), int)


class TestReplay:
    def test_one_that_has_received_nothing_has_missed_what_was_sent_to_it(self):
        offsets = Offsets("epoch")
        for _ in range(5):
            offsets.stamp(Event("/", ["of others"]))
        kept = replay(offsets=offsets)
        assert texts(kept.missed(None)) == []
        put(kept, "a")
        put(kept, "b")
        assert texts(kept.missed(None)) == ["a", "b"]
        assert texts(kept.missed("garbage")) == ["a", "b"], "asking takes nothing away"

    def test_what_the_client_names_has_arrived(self):
        kept = replay()
        put(kept, "a")
        second = put(kept, "b")
        put(kept, "c")
        assert texts(kept.missed(second)) == ["c"]
        assert texts(kept.missed(None)) == ["c"], "for ever: it is kept no longer"

    def test_an_offset_of_somebody_elses_event_counts_as_well(self):
        # A volatile event, or one of a room that the socket has left: what is older has come before it.
        kept = replay()
        put(kept, "a")
        other = kept.offsets.stamp(Event("/", ["for others"])).args[-1]
        put(kept, "b")
        assert texts(kept.missed(other)) == ["b"]

    def test_what_was_sent_in_front_of_a_ping_has_arrived_with_its_pong(self):
        kept = replay()
        first = put(kept, "a")
        position = kept.offsets.position
        put(kept, "b")
        kept.arrived(position)
        assert texts(kept.missed(None)) == ["b"]
        kept.arrived(0)
        assert texts(kept.missed(first)) == ["b"], "never backwards"

    def test_an_offset_of_the_future_is_a_lie(self):
        kept = replay()
        put(kept, "a")
        assert kept.missed("epoch.2") is None
        assert kept.missed("epoch." + "f" * 16) is None
        assert kept.missed("epoch.-1") is not None, "below all is nothing"

    def test_what_does_not_fit_is_dropped_oldest_first_and_never_forgotten(self):
        kept = replay(max_packets=2)
        first, second = put(kept, "a"), put(kept, "b")
        assert texts(kept.missed(None)) == ["a", "b"]
        put(kept, "c")
        assert kept.missed(None) is None
        assert texts(kept.missed(first)) == ["b", "c"], "but it has got what was dropped"
        assert texts(kept.missed(second)) == ["c"]

    def test_what_was_dropped_may_have_arrived_by_a_pong(self):
        kept = replay(max_packets=1)
        put(kept, "a")
        put(kept, "b")
        assert kept.missed(None) is None
        kept.arrived(1)
        assert texts(kept.missed(None)) == ["b"]

    def test_bytes_are_bounded_too_and_one_event_is_always_kept(self):
        kept = replay(max_bytes=100)
        put(kept, "x" * 1000)
        assert len(kept.missed(None)) == 1
        big = kept.offsets.position
        put(kept, "y")
        assert kept.missed(None) is None
        kept.arrived(big)
        assert texts(kept.missed(None)) == ["y"]
        for _ in range(100):
            put(kept, "z")
        assert kept._bytes <= 100
        assert kept.missed(None) is None

    def test_attachments_count_and_stay_with_their_event(self):
        kept = replay(max_packets=2)
        put(kept, "a", attachments=3)
        put(kept, "b")
        first, second = kept.missed(None)
        assert [packet.data for packet in first] == ["a", b"\0", b"\0", b"\0"]
        assert [packet.data for packet in second] == ["b"]
        assert kept._bytes == sum(packet.size for batch in (first, second) for packet in batch)

    @given(
        steps=st.lists(
            st.one_of(
                st.tuples(st.just("put"), st.integers(1, 50)),
                st.tuples(st.just("other"), st.just(0)),
                st.tuples(st.just("arrived"), st.integers(0, 30)),
                st.tuples(st.just("missed"), st.integers(0, 30)),
            ),
            max_size=50,
        ),
        max_packets=st.integers(1, 5),
        max_bytes=st.integers(1, 100),
    )
    def test_against_a_model_that_keeps_all(self, steps, max_packets, max_bytes):
        kept = replay(max_packets, max_bytes)
        sent: list[int] = []
        arrived = 0
        for step, number in steps:
            match step:
                case "put":
                    put(kept, "x" * number)
                    sent.append(kept.offsets.position)
                case "other":
                    kept.offsets.stamp(Event("/", ["x"]))
                case "arrived":
                    arrived = max(arrived, min(number, kept.offsets.position))
                    kept.arrived(min(number, kept.offsets.position))
                case "missed":
                    missed = kept.missed(f"epoch.{number:x}")
                    if number > kept.offsets.position:
                        assert missed is None
                    elif missed is not None:
                        arrived = max(arrived, number)
                        assert [position for position, _, _ in kept._events] == [
                            each for each in sent if each > arrived
                        ]
                        assert len(missed) == len(kept._events)
            assert len(kept._events) <= max_packets
            assert kept._bytes == sum(size for _, size, _ in kept._events)
            assert kept._bytes <= max_bytes or len(kept._events) == 1
