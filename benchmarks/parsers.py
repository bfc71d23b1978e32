"""What encoding and decoding a packet costs with each parser; ``python -m benchmarks.parsers``."""

from __future__ import annotations

import sys
import timeit

from trio_socketio import Event, JSONParser, Limits, MessagePackParser, Parser

PACKETS = {
    "two small arguments": Event("/", ["message", "hello", 1]),
    "the same, asking for an answer": Event("/", ["message", "hello", 1], 7),
    "an object of four": Event("/", ["message", {"id": 17, "text": "hello", "to": ["a", "b"], "at": 1.5}]),
    "100 bytes": Event("/", ["frame", bytes(range(100))]),
    "10,000 bytes": Event("/", ["frame", bytes(range(100)) * 100]),
    "200 points": Event("/", ["points", [[n * 0.1, n] for n in range(200)]]),
}
SECONDS = 0.1
"""Of one of the rounds, of which the best counts."""


def cost(parser: Parser, packet: Event) -> tuple[float, float, int]:
    """Return microseconds to encode and to decode, and bytes on a WebSocket."""
    messages = parser.encode(packet)
    decoder = parser.decoder(Limits())

    def decode() -> None:
        for message in messages:
            decoder.feed(message)

    return _best(lambda: parser.encode(packet)), _best(decode), sum(len(message) for message in messages)


def _best(what: object) -> float:
    timer = timeit.Timer("what()", globals={"what": what})
    number = max(1, int(SECONDS / (timer.timeit(100) / 100)))
    return min(timer.repeat(7, number)) / number * 1e6


def main() -> None:
    """Write the table of docs/topics/parsers.md."""
    sys.stdout.write("| event with | encode (us): JSON, MessagePack | decode (us) | bytes |\n|---|---|---|---|\n")
    for name, packet in PACKETS.items():
        json, msgpack = cost(JSONParser(), packet), cost(MessagePackParser(), packet)
        times = " | ".join(f"{json[i]:.1f}, {msgpack[i]:.1f}" for i in (0, 1))
        sys.stdout.write(f"| {name} | {times} | {json[2]:,}, {msgpack[2]:,} |\n")


if __name__ == "__main__":
    main()
