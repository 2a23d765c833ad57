"""The settings of the server: one TOML file, read whole, all its mistakes reported at once."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from openpptp.backends.policy import NONE
from openpptp.backends.pools import MAX_ADDRESSES
from openpptp.backends.ranges import overlaps
from openpptp.credentials import AuthMethod
from openpptp.daemon.admission import LoginLimits
from openpptp.daemon.api_socket import has_group
from openpptp.daemon.hook_programs import refusal
from openpptp.daemon.mistakes import Mistake, line_of, mistakes_of
from openpptp.daemon.policy_section import PolicySection
from openpptp.daemon.sections import (
    AccountingSection,
    AdminSection,
    AuthSection,
    HooksSection,
    LimitsSection,
    LogSection,
    NetworkSection,
    PppSection,
    Section,
    ServerSection,
    UsersSection,
)
from openpptp.daemon.wishes import DataPathWishes
from openpptp.errors import SetupError
from openpptp.ppp.settings import EncryptionPolicy, LinkSettings
from openpptp.tunnel.settings import TunnelSettings

DEFAULT_PATH = Path("/etc/openpptp/openpptp.toml")
"RFC 3079 derives MPPE keys from these only."
PLACEHOLDERS: dict[tuple[str, str], Any] = {("network", "pool"): ["192.0.2.0/24"]}
"Stand-ins for required keys while the rest of a broken file is checked; never returned."


class Settings(Section):
    """Everything the server is told before it starts."""

    server: ServerSection = Field(default=ServerSection(), description="Where the server listens.")
    network: NetworkSection = Field(description="The addresses clients get and how they reach the world.")
    ppp: PppSection = Field(default=PppSection(), description="The PPP link to each client.")
    auth: AuthSection = Field(default=AuthSection(), description="Who may come in; encryption.")
    limits: LimitsSection = Field(default=LimitsSection(), description="How much peers may take.")
    policy: PolicySection = Field(default=PolicySection(), description="What every user may.")
    users: UsersSection = Field(default=UsersSection(), description="User names and passwords.")
    accounting: AccountingSection = Field(default=AccountingSection(), description="Who was connected, and when.")
    hooks: HooksSection = Field(default=HooksSection(), description="Programs that run with sessions.")
    admin: AdminSection = Field(default=AdminSection(), description="Who may steer the running server.")
    log: LogSection = Field(default=LogSection(), description="What is logged.")

    def encryption(self) -> EncryptionPolicy:
        """Return the MPPE policy as the link takes it."""
        return EncryptionPolicy(
            enabled=self.auth.encryption != "off",
            required=self.auth.encryption == "required",
            key_bits=frozenset(self.auth.key_bits),
            stateful=self.auth.stateful,
        )

    def link(self) -> LinkSettings:
        """Return how we negotiate PPP with a client."""
        return LinkSettings(
            mru=self.ppp.mru,
            echo_interval=self.ppp.echo_interval,
            echo_failures=self.ppp.echo_failures,
            authenticate_peer=self.auth.methods,
            our_name=self.server.name,
            refusal_delay=self.auth.refusal_delay,
            encryption=self.encryption(),
            our_ipv4=self.network.our_address(),
            ipv6=self.ppp.ipv6,
        )

    def tunnel(self) -> TunnelSettings:
        """Return how we keep a control connection and which calls we take."""
        return TunnelSettings(
            link=self.link(),
            host_name=self.server.name,
            maximum_calls=self.limits.calls_per_connection,
            start_timeout=self.limits.start_timeout,
            call_timeout=self.limits.call_timeout,
            session_timeout=self.limits.session_timeout,
            gre_timeout=self.limits.gre_timeout,
            echo_interval=self.server.control_echo_interval,
        )

    def log_in_limits(self) -> LoginLimits:
        """Return how many log-ins may fail before one has to wait."""
        limits = self.limits
        return LoginLimits(
            limits.failures_per_source,
            limits.source_forgiven_after,
            limits.failures_per_user,
            limits.user_forgiven_after,
        )

    def data_path(self) -> DataPathWishes:
        """Return which data path is wanted."""
        return DataPathWishes(self.server.data_path, self.server.carrier, self.server.threads)

    def warnings(self) -> list[str]:
        """Return what is allowed but weak or surely not meant, one sentence each."""
        return [*_weak_choices(self), *_small_pool(self), *_quota_uncounted(self), *_hooks_not_run(self.hooks)]


def load(path: Path, *, need_users: bool = True) -> Settings:
    """Read a settings file; raise SetupError with exit code 2 and one line per mistake.

    need_users is off for commands that make the secrets file.
    """
    text = read_text(path, "there is no such settings file; make one with: sudo openpptp setup")
    settings, found = _judge(parse_toml(path, text), need_users=need_users)
    if found or settings is None:
        raise SetupError("\n".join(f"{path}{line_of(text, mistake.key)}: {mistake}" for mistake in found), exit_code=2)
    return settings


def of_sections(sections: dict[str, Any], *, need_users: bool = True) -> Settings:
    """Return the settings a program names, by section and key; raise SetupError with one line per mistake."""
    settings, found = _judge(sections, need_users=need_users)
    if found or settings is None:
        raise SetupError("\n".join(map(str, found)), exit_code=2)
    return settings


def _judge(raw: dict[str, Any], *, need_users: bool) -> tuple[Settings | None, list[Mistake]]:
    """Return the settings and all that is wrong with them; where nothing is wrong there are settings."""
    settings: Settings | None
    found: list[Mistake] = []
    try:
        settings = Settings.model_validate(raw)
    except ValidationError as error:
        found = mistakes_of(error, Settings)
        settings = _readable_part(raw, found)
    broken = {mistake.key for mistake in found}
    if settings is not None:
        found += [m for m in contradictions(settings, need_users=need_users) if not broken.intersection(m.involves)]
    return settings, found


def read_text(path: Path, if_missing: str) -> str:
    """Return what a TOML file holds; raise SetupError in words."""
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise SetupError(f"{path}: {if_missing}", exit_code=2) from None
    except PermissionError:
        raise SetupError(f"{path}: may not be read by this user; run as root (sudo)", exit_code=3) from None
    except OSError as error:
        raise SetupError(f"{path}: cannot be read: {error.strerror}", exit_code=2) from None
    except UnicodeDecodeError as error:
        sentence = f"{path}: octet {error.start + 1} is not UTF-8; save the file as UTF-8"
        raise SetupError(sentence, exit_code=2) from None


def parse_toml(path: Path, text: str) -> dict[str, Any]:
    """Return what a TOML file says; raise SetupError with its line."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        what, _, place = str(error).removesuffix(")").rpartition(" (at line ")
        line, _, column = place.partition(", column ")
        where = f":{line}:{column}" if column else ""
        sentence = f"{path}{where}: is not TOML: {what or error}; text needs quotes, lists need [ ]"
        raise SetupError(sentence, exit_code=2) from None


def _readable_part(raw: dict[str, Any], found: list[Mistake]) -> Settings | None:
    """Return the settings without what is broken, so that the rest can be checked in the same run."""
    rest = {name: dict(section) for name, section in raw.items() if isinstance(section, dict)}
    for section, _, key in (mistake.key.partition(".") for mistake in found):
        rest.get(section, {}).pop(key, None)
        if not key:
            rest.pop(section, None)
    for (section, key), value in PLACEHOLDERS.items():
        rest.setdefault(section, {}).setdefault(key, value)
    try:
        return Settings.model_validate(rest)
    except ValidationError:
        return None


def contradictions(settings: Settings, *, need_users: bool = True) -> Iterator[Mistake]:
    """Yield what each key allows alone but not together with another or with this machine."""
    auth = settings.auth
    if auth.encryption == "required" and not any(method.makes_keys for method in auth.methods):
        names = " and ".join(method.value for method in auth.methods)
        yield Mistake(
            "auth.methods",
            f"encryption is required, but {names} make{'s' if len(auth.methods) == 1 else ''} no keys for it",
            remedy='add "MS-CHAPv2", or give encryption up with encryption = "off"',
            involves=("auth.methods", "auth.encryption"),
        )
    yield from _pool_contradictions(settings.network)
    if settings.ppp.ipv6 and settings.ppp.mru < 1280:
        yield Mistake(
            "ppp.mru",
            f"IPv6 needs 1280 (got {settings.ppp.mru})",
            remedy="raise it, or set ipv6 = false",
            involves=("ppp.mru", "ppp.ipv6"),
        )
    if settings.admin.group is not None and not has_group(settings.admin.group):
        yield Mistake(
            "admin.group",
            f'this machine has no such group (got "{settings.admin.group}")',
            remedy=f"make it with: sudo groupadd --system {settings.admin.group}",
            involves=("admin.group",),
        )
    if settings.policy.pool not in {None, NONE, *settings.network.pools}:
        yield Mistake(
            "policy.pool",
            f'network.pools has no such pool (got "{settings.policy.pool}")',
            remedy="name one that is there",
            involves=("policy.pool", "network.pools"),
        )
    if need_users and not settings.users.places():
        yield Mistake(
            "users.file",
            f'there is no such file (got "{settings.users.file}")',
            remedy="make it with: sudo openpptp user add NAME --generate",
            involves=("users.file",),
        )


def _pool_contradictions(network: NetworkSection) -> Iterator[Mistake]:
    for first, second in overlaps(network.ranges()):
        yield Mistake(
            "network.pool",
            f"{first} and {second} overlap",
            remedy="name each address once",
            involves=("network.pool", "network.pools"),
        )
    if all(not entry.without(network.our_address()) for entry in network.pool):
        yield Mistake(
            "network.pool",
            f"has no address for clients: its only one, {network.our_address()}, is our own",
            remedy="add addresses",
            involves=("network.pool", "network.local_address"),
        )
    addresses = sum(entry.size for entry in network.ranges())
    if addresses > MAX_ADDRESSES:
        yield Mistake(
            "network.pool",
            f"holds {addresses} addresses, but no more than {MAX_ADDRESSES} calls can exist",
            remedy="take a /16 or less",
            involves=("network.pool",),
        )


def _weak_choices(settings: Settings) -> Iterator[str]:
    auth = settings.auth
    keyless = [method.value for method in auth.methods if not method.makes_keys]
    if AuthMethod.PAP in auth.methods:
        yield "auth.methods allows PAP: passwords cross the network in clear text"
    if AuthMethod.CHAP_MD5 in auth.methods:
        yield "auth.methods allows CHAP-MD5: whoever records a log-in can guess passwords quickly"
    if AuthMethod.MSCHAP_V1 in auth.methods:
        yield "auth.methods allows MS-CHAPv1: the password can be computed from one recorded log-in"
    if keyless and auth.encryption == "required":
        yield f"auth.methods allows {', '.join(keyless)}, which makes no keys; such a log-in is in vain"
    if auth.encryption == "optional":
        yield "auth.encryption is optional: a client, or someone on the way, can choose clear text"
    if auth.encryption == "off":
        yield "auth.encryption is off: everything crosses the network in clear text"
    weak = sorted(set(auth.key_bits) - {128})
    if weak and auth.encryption != "off":
        yield f"auth.key_bits allows {' and '.join(map(str, weak))} bits, which any computer breaks"
    if auth.stateful and auth.encryption != "off":
        yield "auth.stateful is on: a forced reset makes the same key stream protect two packets"


def _hooks_not_run(hooks: HooksSection) -> Iterator[str]:
    if hooks.directory is not None and not hooks.directory.is_dir():
        yield f"hooks.directory: there is no directory {hooks.directory}; nothing of it is run"
    for event, path in hooks.commands().items():
        why = refusal(path)
        if why is not None:
            yield f"hooks.{event.name.lower()}: {path} is not run as it is now: {why}"


def _quota_uncounted(settings: Settings) -> Iterator[str]:
    if settings.policy.quota not in {None, NONE} and not settings.accounting.on:
        yield "policy.quota is counted from the start of the server only: accounting.on is false"


def _small_pool(settings: Settings) -> Iterator[str]:
    addresses = sum(entry.size for entry in settings.network.leases())
    if "sessions" in settings.limits.model_fields_set and addresses < settings.limits.sessions:
        yield (
            f"limits.sessions is {settings.limits.sessions}, but network.pool has {addresses} addresses: "
            "clients beyond that are refused"
        )
