"""Each way of being served, for the reference's cases."""

from __future__ import annotations

import pytest

from tests.support.served import WAYS


@pytest.fixture(params=sorted(WAYS))
def way(request):
    return WAYS[request.param]
