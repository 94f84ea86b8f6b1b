"""A web server for the tests of downloads."""

from collections.abc import Iterator

import pytest
from official_layout import Web, serve


@pytest.fixture(scope="module")
def running_web() -> Iterator[Web]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_PROXY", "127.0.0.1")
        with serve() as web:
            yield web


@pytest.fixture
def web(running_web: Web) -> Web:
    """A web server with nothing on it."""
    running_web.reset()
    return running_web
