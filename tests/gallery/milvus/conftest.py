"""Galleries with names of their own on the shared server."""

import uuid
from collections.abc import Iterator

import pytest

from tests.gallery.contract.conftest import drop, run_sketchseek
from tests.gallery.milvus_server import shared

__all__ = ["run_sketchseek", "url"]


@pytest.fixture
def url() -> Iterator[str]:
    """The address of a gallery that is not there yet."""
    place = shared().url(f"test_{uuid.uuid4().hex[:12]}")
    yield place
    drop(place)
