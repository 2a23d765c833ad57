"""When data may flow: what the layers of a link have reached, and the interface they allow."""

from openpptp.machine import Deadline, Output
from openpptp.ppp import outputs as ppp
from openpptp.ppp.settings import LinkSettings
from openpptp.tunnel.outputs import InterfaceUp
from openpptp.wire.ppp import MPPE_OVERHEAD

ENCRYPTION_GRACE = 3.0  # ours: seconds optional encryption may take after IPCP; CCP repeats after 1, 2, 3 seconds
NETWORK_GRACE = 0.3  # ours: seconds the second of IPCP and IPv6CP may take before the first goes up alone


class Layers:
    """LCP, authentication, CCP, IPCP and IPv6CP of one link, as far as data depends on them."""

    def __init__(self, call_id: int, settings: LinkSettings, path_mru: int) -> None:
        """Begin with nothing open."""
        self.user: str | None = None
        self.key_bits: int | None = None
        "Of MPPE; None while nothing is encrypted."
        self.deadline: Deadline | None = None
        "Until when a layer that is still on its way is waited for."
        self._call_id = call_id
        self._settings = settings
        self._path_mru = path_mru
        self._opened: ppp.LinkOpened | None = None
        self._ipv4: ppp.Ipv4Up | None = None
        self._ipv6: ppp.Ipv6Up | None = None
        self._ipv6_possible = settings.ipv6
        self._network_since: float | None = None
        self._encryption_possible = False
        "Whether there are keys, and CCP has not come to an end."

    @property
    def encrypted(self) -> bool:
        """Whether CCP has opened with MPPE."""
        return self.key_bits is not None

    def take(self, output: Output) -> None:
        """Remember what the link says it has reached or lost."""
        match output:
            case ppp.LinkOpened():
                self._opened = output
                self._ipv6_possible = self._settings.ipv6
                self._encryption_possible = False
            case ppp.PeerAuthenticated(user, method):
                self.user = user
                self._encryption_possible |= method.makes_keys
            case ppp.WeAuthenticated(method):
                self.user = self.user or self._settings.our_name
                self._encryption_possible |= method.makes_keys
            case ppp.EncryptionUp(send):
                self.key_bits = send.key_bits
            case ppp.EncryptionDown() | ppp.EncryptionDeclined():
                self.key_bits = None
                self._encryption_possible = False
            case ppp.Ipv4Up() | ppp.Ipv4Down():
                self._ipv4 = output if isinstance(output, ppp.Ipv4Up) else None
            case ppp.Ipv6Declined():
                self._ipv6_possible = False
            case ppp.Ipv6Up() | ppp.Ipv6Down():
                self._ipv6 = output if isinstance(output, ppp.Ipv6Up) else None

    def interface(self, now: float, *, up: bool) -> InterfaceUp | None:
        """Return the interface that the layers allow now; up says that there is one already."""
        self.deadline = None
        if self._ipv4 is None and self._ipv6 is None:
            self._network_since = None
            return None
        if self._network_since is None:
            self._network_since = now
        if self._opened is None or (self._settings.encryption.required and not self.encrypted):
            return None
        if not up:
            self.deadline = self._grace(self._network_since, now)
            if self.deadline is not None:
                return None
        return self._interface(self._opened, self._ipv4, self._ipv6)

    def _grace(self, since: float, now: float) -> Deadline | None:
        """Return until when a layer that is still on its way is waited for; None when nothing is.

        Optional encryption that opens a moment after IPCP must not find data sent in clear before it; a peer that
        answers nothing to CCP costs ENCRYPTION_GRACE. One that refuses it costs nothing.
        """
        settings = self._settings
        waiting: list[Deadline] = []
        if settings.encryption.enabled and self._encryption_possible and not self.encrypted:
            waiting.append(Deadline(since + ENCRYPTION_GRACE, "optional encryption (CCP)"))
        if settings.ipv4 and self._ipv6_possible and (self._ipv4 is None or self._ipv6 is None):
            waiting.append(Deadline(since + NETWORK_GRACE, "the other network protocol"))
        return max((d for d in waiting if d.when > now), default=None)

    def _interface(self, opened: ppp.LinkOpened, ipv4: ppp.Ipv4Up | None, ipv6: ppp.Ipv6Up | None) -> InterfaceUp:
        mtu = min(opened.peer_mru, self._path_mru)
        if self.encrypted:
            mtu -= MPPE_OVERHEAD  # the MRU counts what MPPE adds
        return InterfaceUp(
            call_id=self._call_id,
            user=self.user or "",
            our_address=ipv4.our_address if ipv4 is not None else None,
            peer_address=ipv4.peer_address if ipv4 is not None else None,
            dns=ipv4.dns if ipv4 is not None else (),
            wins=ipv4.wins if ipv4 is not None else (),
            our_identifier=ipv6.our_identifier if ipv6 is not None else None,
            peer_identifier=ipv6.peer_identifier if ipv6 is not None else None,
            mtu=mtu,
            key_bits=self.key_bits,
            # Once MPPE is up nothing passes in clear any more, however optional it was (RFC 3078 section 2, B-111).
            encryption_required=self._settings.encryption.required or self.encrypted,
            compress_address_control=opened.compress_address_control,
            compress_protocol=opened.compress_protocol,
        )
