"""The keys of a profile in words: the page in docs, from the model itself."""

from openpptp.daemon.client.profile import Profile
from openpptp.daemon.settings_text import sections_page

HEAD = """\
# Profile keys

<!-- Made by `python -m openpptp.daemon.client.profile_text` from the keys themselves; do not edit. -->

A profile is a TOML file, `~/.config/openpptp/NAME.toml` or, for this machine, `/etc/openpptp/profiles/NAME.toml`. What
it is for and how it is made stands in [client.md](client.md). Required are `server.hosts` and `auth.user`; an unknown
key is an error. Options of `openpptp connect` override its keys.
"""


def profile_page() -> str:
    """Return docs/profile.md."""
    return HEAD + sections_page(Profile)


if __name__ == "__main__":
    print(profile_page(), end="")  # noqa: T201 - the way docs/profile.md is made
