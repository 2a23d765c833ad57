"""Users a program names itself: by a mapping, or by a function that is asked for each name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from openpptp.backends.known import Admitted, Known, decoy, judge, names_of
from openpptp.backends.policy import NOTHING, Policy, parse
from openpptp.backends.proof import Secret
from openpptp.backends.secrets_file import ANYWHERE
from openpptp.credentials import Presented, Refused


@dataclass(frozen=True, slots=True)
class User:
    """What a server is told of one user; at least one of password and nt_hash."""

    password: str | None = field(default=None, repr=False)
    nt_hash: bytes | None = field(default=None, repr=False)
    "16 octets (RFC 2759 section 8.3), in place of the password: enough for MS-CHAPv2."
    policy: str = ""
    "What he may, in the words of a secrets file: 'address 10.9.0.7 rate 10mbit/2mbit'."

    def __post_init__(self) -> None:
        """Raise SetupError when the policy cannot be read, and ValueError without a password."""
        if self.password is None and self.nt_hash is None:
            raise ValueError("a user needs a password or its NT hash")
        parse(self.policy)


Users = Mapping[str, str | User]
"Each user's password, or more that is to be said of him, by name. It may change at any time; no copy is made."
LookUp = Callable[[str], str | User | None]
"Returns what is said of a name that somebody logs in with, at once; None when nobody is called so."


class GivenUsers:
    """A known.UserSource; a name with a domain before it is looked up as it is, then without."""

    def __init__(self, users: Users | LookUp) -> None:
        """Ask users, or look into it, for every log-in."""
        self._look_up: LookUp = users if callable(users) else users.get
        self._decoy = decoy()

    def judge(self, presented: Presented) -> Admitted | Refused:
        """Judge what a peer presented; an unknown user costs the same work as a wrong password."""
        found = (known for name in names_of(presented) if (known := self._known(name)) is not None)
        return judge(presented, next(found, None), self._decoy)

    def policy_of(self, user: str) -> Policy | None:
        """Return what is said of a user who is in; None when he is not known any more."""
        known = self._known(user)
        return None if known is None else known.policy

    def changed(self) -> bool:
        """Tell that nothing is to be read: each answer is as of now."""
        return False

    def refresh(self) -> None:
        """Read nothing."""

    def _known(self, name: str) -> Known | None:
        said = self._look_up(name)
        if said is None:
            return None
        user = User(said) if isinstance(said, str) else said
        policy = parse(user.policy) if user.policy else NOTHING
        return Known(name, Secret(user.password, user.nt_hash), ANYWHERE, policy)
