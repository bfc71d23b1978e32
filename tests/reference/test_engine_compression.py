"""The reference's cases of compressed answers to polls, in each way of being served."""

from __future__ import annotations

import pytest

from tests.support.echo_server import only_socket
from tests.support.raw_client import raw_client
from trio_socketio import EngineConfig, HTTPCompression, Server

GZIP = {"accept-encoding": "gzip, deflate"}


@pytest.mark.parametrize(("size", "threshold", "coding"), [(200, 0, "gzip"), (200, 207, None), (200, 206, "gzip")])
async def test_the_threshold(way, size, threshold, coding):
    server = Server(EngineConfig(http_compression=HTTPCompression(threshold=threshold)))
    async with way(server) as url, raw_client(url) as client:
        query = await client.open_polling()
        await client.post(query, "40")
        await client.get(query)
        event = "x" * size
        await only_socket(server).emit(event)
        response = await client.get(query, headers=GZIP)
        assert response.text == f'42["{event}"]'
        assert response.headers.get("content-encoding") == coding
