"""Namespaces for the tests of this folder."""

from tests.netns.fixtures import *  # noqa: F403
