"""What tests of the native front share."""

from __future__ import annotations

import pytest

from tests.support.tls import contexts, make_certificate


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """The paths of a certificate for localhost, and of its key."""
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def tls(certificate):
    """A server's TLS context, and a client's."""
    return contexts(*certificate)
