"""The link of a peer whose client is away: it takes all, and keeps nothing."""

from __future__ import annotations

import itertools

import pytest
from trio.testing import assert_checkpoints

from trio_socketio import Disconnected
from trio_socketio._server.replay import Offsets, Replay
from trio_socketio._server.tenant import AWAY
from trio_socketio._socket.peer import Peer
from trio_socketio._wire.engine_packet import EnginePacket, PacketType
from trio_socketio._wire.json_parser import JSONParser


class TestAway:
    async def test_it_takes_all_and_never_lets_wait(self):
        batch = [EnginePacket(PacketType.MESSAGE, "x")]
        for _ in range(10_000):
            AWAY.send(batch)
            AWAY.put(batch)
        AWAY.flush()
        AWAY.serve_waiting()
        done = []
        await AWAY.put_in_turn(None, lambda: done.append(True))
        assert done

    async def test_what_is_emitted_over_it_is_kept_by_the_journal_alone(self):
        kept = Replay(Offsets("epoch"), 2, 1000)
        peer = Peer("/", AWAY, JSONParser(), max_pending_acks=1, ack_ids=itertools.count(), journal=kept)
        peer.emit_nowait("x", [1])
        with assert_checkpoints():
            await peer.emit("x", [2])
        assert [batch[0].data for batch in kept.missed(None)] == ['2["x",1,"epoch.1"]', '2["x",2,"epoch.2"]']
        assert peer.answer_nowait(0, ["to nobody"], flushes=False)
        peer.leave("over")
        with pytest.raises(Disconnected, match="over"):
            peer.emit_nowait("x", [3])
        assert len(kept.missed(None)) == 2
