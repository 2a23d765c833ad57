"""The section of the settings file that says what every user may; its values are the items of a policy."""

from pydantic import Field, ValidationInfo, field_validator

from openpptp.backends.policy import NOTHING, Policy
from openpptp.daemon.sections import Section
from openpptp.daemon.values import check_item


class PolicySection(Section):
    """What every user may, unless something else is said of him by `openpptp user limit NAME`; docs/users.md."""

    pool: str | None = Field(
        default=None, description="Pool to take addresses from, of network.pools.", examples=["office"]
    )
    rate: str | None = Field(
        default=None,
        description="Bits per second of a session, to the user and from the user; more is dropped.",
        examples=["10mbit/2mbit"],
    )
    burst: str | None = Field(
        default=None,
        description="Octets that may come at once where a rate is set; when left out, an eighth of a second's worth.",
        examples=["64KiB/16KiB"],
    )
    quota: str | None = Field(
        default=None,
        description="Octets a user may exchange in a day, week or month, both directions together.",
        examples=["10GiB/month"],
    )
    sessions: str | None = Field(
        default=None,
        description='Sessions of a user at the same time; "1/replace" ends the oldest in favour of a new one.',
        examples=["1/replace"],
    )
    hours: str | None = Field(
        default=None,
        description="Times of day at which users may be connected, by this machine's clock and time zone.",
        examples=["mon-fri/08:00-18:00"],
    )
    idle: str | None = Field(
        default=None, description="Time without a data packet after which a session ends.", examples=["30m"]
    )
    maxconnect: str | None = Field(
        default=None, description="Time after which a session ends, however busy it is.", examples=["12h"]
    )

    @field_validator("*", mode="before")
    @classmethod
    def _read(cls, text: object, info: ValidationInfo) -> str | None:
        return None if text is None else check_item(str(info.field_name), text)

    def policy(self) -> Policy:
        """Return it as users have one."""
        policy = NOTHING
        for name in PolicySection.model_fields:
            text = getattr(self, name)
            policy = policy if text is None else policy.said(name, text)
        return policy
