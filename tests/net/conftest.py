"""Namespaces for the tests of this folder."""

from collections.abc import Iterator

import pytest
from tests.netns.fixtures import *  # noqa: F403
from tests.netns.namespace import Namespace


@pytest.fixture
def alone(namespace: Namespace) -> Iterator[Namespace]:
    """Run the whole test inside an empty namespace."""
    with namespace.inside():
        yield namespace
