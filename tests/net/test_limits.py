import resource

import pytest

from openpptp.net.limits import MOST_DESCRIPTORS, has_memory, raise_descriptor_limit

INFINITY = resource.RLIM_INFINITY


class DescriptorTests:
    """RLIMIT_NOFILE: most systems start a program with 1,024 and would let it have more."""

    @pytest.fixture
    def system(self, monkeypatch):
        """Return what is asked of a system whose limits the test sets."""
        asked = []
        self.limits, self.refuses = (1024, 4096), False

        def set_limit(_kind: int, limits: tuple[int, int]) -> None:
            if self.refuses:
                raise ValueError("not allowed to raise maximum limit")
            asked.append(limits)

        monkeypatch.setattr(resource, "getrlimit", lambda _kind: self.limits)
        monkeypatch.setattr(resource, "setrlimit", set_limit)
        return asked

    @pytest.mark.parametrize(
        ("limits", "asked_for", "found"),
        [
            ((1024, 4096), [(4096, 4096)], 4096),
            ((1024, 1 << 20), [(MOST_DESCRIPTORS, 1 << 20)], MOST_DESCRIPTORS),
            ((1024, INFINITY), [(MOST_DESCRIPTORS, INFINITY)], MOST_DESCRIPTORS),
            ((64, 64), [], 64),
            ((1 << 20, 1 << 20), [], 1 << 20),
            ((INFINITY, INFINITY), [], MOST_DESCRIPTORS),
        ],
    )
    def test_it_is_raised_as_far_as_it_may_be(self, system, limits, asked_for, found):
        self.limits = limits
        assert raise_descriptor_limit() == found
        assert system == asked_for

    def test_a_system_that_refuses_leaves_it_as_it_is(self, system):
        self.refuses = True
        assert raise_descriptor_limit() == 1024


class MemoryTests:
    """RLIMIT_AS, and what the system promises."""

    def test_what_there_is_is_there_and_stays_free(self):
        assert all(has_memory(1 << 20) for _ in range(1000))

    def test_b141_what_no_system_has_is_not_there(self):
        assert not has_memory(1 << 60)
