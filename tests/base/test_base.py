"""What stands at the bottom: limits, logging, the control of the public surface."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
from dataclasses import fields, is_dataclass
from typing import get_type_hints

import pytest

import trio_socketio
from trio_socketio import Limits
from trio_socketio._logging import SCOPES, enable_debug, enable_debug_from_environment, masked, scope_logger, shortened
from trio_socketio._util import plain_exceptions


@pytest.fixture
def loggers():
    """Put the loggers back as they were."""
    yield
    for scope in SCOPES:
        logger = scope_logger(scope)
        logger.setLevel(logging.NOTSET)
        logger.handlers.clear()


class TestLimits:
    @pytest.mark.parametrize("field", Limits.__dataclass_fields__)
    def test_each_is_checked(self, field):
        for wrong in (0, -1):
            with pytest.raises(ValueError, match=rf"Limits\({field}=.*give a number above 0"):
                Limits(**{field: wrong})
        for wrong in ("5", None, True):
            with pytest.raises(TypeError, match=field):
                Limits(**{field: wrong})

    def test_whole_numbers(self):
        with pytest.raises(TypeError, match="whole number"):
            Limits(max_attachments=1.5)
        assert Limits(connect_timeout=1).connect_timeout == 1

    def test_a_payload_must_hold_a_handshake(self):
        with pytest.raises(ValueError, match="256 bytes or more"):
            Limits(max_payload=255)

    def test_frozen(self):
        with pytest.raises(AttributeError):
            Limits().max_payload = 5


@pytest.mark.usefixtures("loggers")
class TestLogging:
    @pytest.mark.parametrize(
        ("scopes", "expected"),
        [
            ("*", set(SCOPES)),
            ("trio_socketio:*", set(SCOPES)),
            ("engine", {"engine"}),
            ("trio_socketio:engine, trio_socketio:serve", {"engine", "serve"}),
            ("express:*,other,trio_socketio:socket", {"socket"}),
            ("", set()),
        ],
    )
    def test_scopes(self, scopes, expected):
        enable_debug(scopes)
        enable_debug(scopes)
        on = {scope for scope in SCOPES if scope_logger(scope).isEnabledFor(logging.DEBUG)}
        assert on == expected
        assert all(len(scope_logger(scope).handlers) == 1 for scope in expected)

    def test_a_scope_that_does_not_exist(self):
        with pytest.raises(ValueError, match="choose from engine"):
            enable_debug("trio_socketio:nonsense")

    def test_environment(self, monkeypatch):
        monkeypatch.setenv("DEBUG", "somebody:else")
        enable_debug_from_environment()
        assert not scope_logger("engine").isEnabledFor(logging.DEBUG)
        monkeypatch.setenv("DEBUG", "trio_socketio:engine")
        enable_debug_from_environment()
        assert scope_logger("engine").isEnabledFor(logging.DEBUG)

    def test_payloads_are_cut_and_escaped(self):
        assert shortened("a\nb") == "'a\\nb'"
        assert len(shortened("x" * 10_000)) < 250
        assert shortened(b"\x00" * 10_000).endswith("...")
        assert shortened(["x" * 10_000]).endswith("...")
        assert masked("abcdefgh") == "abcd..."

    def test_silent_by_default(self):
        script = "import trio_socketio, logging; logging.getLogger('trio_socketio.engine').error('not shown')"
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
        assert done.stderr == b""


class TestSurface:
    def test_public_names_report_the_public_module(self):
        for name in trio_socketio.__dict__:
            value = getattr(trio_socketio, name)
            if isinstance(value, type) and value is not str and not name.startswith("_"):
                assert value.__module__ == "trio_socketio", name
                assert value.__doc__, name

    def test_fields_of_public_data_can_be_decoded_by_their_types(self):
        data = [value for value in vars(trio_socketio).values() if isinstance(value, type) and is_dataclass(value)]
        assert trio_socketio.Handshake in data
        for each in data:
            hints = get_type_hints(each)
            assert hints.keys() >= {field.name for field in fields(each)}, each
            assert not [hint for hint in hints.values() if isinstance(hint, str)], each

    def test_single_exceptions_come_out_plainly(self):
        with pytest.raises(LookupError), plain_exceptions():
            raise ExceptionGroup("", [ExceptionGroup("", [LookupError()])])
        with pytest.RaisesGroup(LookupError, KeyError), plain_exceptions():
            raise ExceptionGroup("", [LookupError(), KeyError()])
        with pytest.raises(KeyError), plain_exceptions():
            raise KeyError


def test_exceptions():
    refused = trio_socketio.ConnectionRefused("no", {"code": 1})
    assert (str(refused), refused.message, refused.data) == ("no", "no", {"code": 1})
    assert trio_socketio.ConnectionRefused().message == "Forbidden"
    with pytest.raises(TypeError, match="is the text that the client is told, not 403"):
        trio_socketio.ConnectionRefused(403)
    with pytest.raises(ValueError, match="surrogates"):
        trio_socketio.ConnectionRefused("\ud800")
    gone = trio_socketio.Disconnected("ping timeout")
    assert (gone.reason, str(gone)) == ("ping timeout", "disconnected: ping timeout")
    assert isinstance(gone, trio_socketio.SocketIOError)


def test_stream_of_traces(loggers):
    stream = io.StringIO()
    enable_debug("engine")
    logger = scope_logger("engine")
    logger.handlers[0].setStream(stream)
    logger.debug("hello")
    assert "trio_socketio.engine hello" in stream.getvalue()
