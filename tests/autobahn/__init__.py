"""The Autobahn test suite against the WebSocket of ``serve``: ``nox -s autobahn``."""
