"""The protocols without any input or output: bytes to packets, packets to bytes.

Nothing here knows of Trio, clocks, randomness or logging. The invariant of the whole layer, which the tests attack:
**any input gives packets or a RemoteProtocolError, never another exception, in time linear to its size.**
"""
