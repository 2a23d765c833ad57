"""Where a server's settings come from, as its command line says it: our file, or pptpd's."""

from dataclasses import dataclass
from pathlib import Path

from openpptp.daemon.api_socket import path_for, path_in
from openpptp.daemon.config import DEFAULT_PATH, Settings, load
from openpptp.daemon.importing import load_pptpd
from openpptp.errors import SetupError


@dataclass(frozen=True, slots=True)
class Source:
    """A settings file, and whose it is."""

    path: Path = DEFAULT_PATH
    pptpd: bool = False
    "It is pptpd.conf, or one like it."

    @property
    def option(self) -> str:
        """The option of `openpptp serve` that names it."""
        return "--pptpd-conf" if self.pptpd else "--config"

    def load(self, *, need_users: bool = True) -> Settings:
        """Return the settings; raise SetupError when they are not right.

        need_users is off for what has to do with all but the users.
        """
        return load_pptpd(self.path)[0] if self.pptpd else load(self.path, need_users=need_users)

    def api(self) -> Path:
        """Return where the API's socket of a server with these settings lies, even when they are broken."""
        if not self.pptpd:
            return path_for(self.path)
        try:
            return path_in(self.load().server.runtime_directory)
        except SetupError:
            return path_for(DEFAULT_PATH)


def chosen(config: Path, pptpd_conf: Path | None, *, config_is_default: bool) -> Source:
    """Return what the two options name together; raise SetupError when they exclude each other."""
    if pptpd_conf is None:
        return Source(config.absolute())
    if not config_is_default:
        raise SetupError("--config and --pptpd-conf exclude each other; leave one out", exit_code=2)
    return Source(pptpd_conf.absolute(), pptpd=True)
