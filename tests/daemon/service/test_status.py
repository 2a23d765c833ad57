"""What is missing of a service."""

from openpptp.daemon.service.status import status


class StatusTests:
    def whats(self, fake, source) -> list[str]:
        return [what for what, _ in status(fake.machine, source).missing]

    def test_not_installed(self, fake, source):
        assert self.whats(fake, source) == ["the service is not installed"]

    def test_installed_but_not_started(self, fake, source, install):
        install(start=False)
        assert self.whats(fake, source) == ["it does not run"]

    def test_started_but_not_enabled(self, fake, source, install):
        install()
        (fake.root / "enabled").unlink()
        what, silent = self.whats(fake, source)
        assert what == "it does not start at the next boot"
        assert silent.startswith("the server does not answer")

    def test_failed(self, fake, source, install):
        install(start=False)
        (fake.root / "failed").touch()
        assert self.whats(fake, source) == ["it does not run: TCP port 1723 is taken"]

    def test_a_unit_that_other_settings_want_otherwise(self, fake, source, install):
        install(start=False)
        source.path.write_text(source.path.read_text() + '[hooks]\ndirectory = "/etc/ppp"\n')
        assert "the unit is not what the settings want now" in self.whats(fake, source)

    def test_a_unit_of_somebody_else(self, fake, source):
        fake.unit.write_text("[Service]\n")
        assert any("written by somebody else" in what for what in self.whats(fake, source))
