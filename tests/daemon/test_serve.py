import pytest

from openpptp.daemon.config import Settings
from openpptp.daemon.serve import few_descriptors


class DescriptorTests:
    """B-140: that there will be too few is said at the start."""

    @pytest.mark.parametrize(("most", "sessions"), [(64, 0), (100, 36), (316, 252)])
    def test_b140_too_few_for_the_sessions_allowed_are_named_with_the_remedy(self, most, sessions):
        settings = Settings.model_validate({"network": {"pool": ["10.9.0.0/24"]}})
        text = few_descriptors(settings, most)
        assert f"{most} files, which is enough for about {sessions} sessions of the 253 that" in text
        assert "LimitNOFILE=" in text

    def test_enough_are_not_spoken_of(self):
        settings = Settings.model_validate({"network": {"pool": ["10.9.0.0/24"]}})
        assert few_descriptors(settings, 317) == ""
