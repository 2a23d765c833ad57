"""The data path that carries nothing."""

from ipaddress import IPv4Address

import pytest

from openpptp.credentials import Encryption
from openpptp.datapath.null import NullDataPath
from openpptp.datapath.seam import Counters, DataPath, Inside
from openpptp.errors import Misuse

ADDRESS = IPv4Address("192.0.2.1")
KEYS = Encryption(bytes(16), 128, False)
INSIDE = Inside(1400, (), True, True, True)


class NullTests:
    def test_everything_asked_is_remembered_in_order(self):
        null = NullDataPath()
        path: DataPath = null
        path.open_call(0, ADDRESS, ADDRESS)
        path.connect_call(0, 5)
        path.send_frame(0, b"one")
        path.encryption_up(0, KEYS, KEYS)
        path.interface_up(0, INSIDE)
        path.encryption_flush(0)
        path.send_frame(0, b"two")
        path.encryption_down(0)
        path.interface_down(0)
        counters = path.counters(0)
        assert path.close_call(0) is counters
        path.close()
        assert " ".join(str(entry[0]) for entry in null.asked) == (
            "open_call connect_call send_frame encryption_up interface_up encryption_flush send_frame "
            "encryption_down interface_down close_call"
        )
        assert null.frames(0) == [b"one", b"two"]
        assert (null.asked[1], null.closed, null.unknown_packets()) == (("connect_call", 0, 5), True, 0)
        assert counters == Counters()

    def test_a_driver_that_uses_a_call_outside_its_life_is_told(self):
        null = NullDataPath()
        with pytest.raises(Misuse, match="send_frame: call 4 is not open"):
            null.send_frame(4, b"x")
        null.open_call(4, ADDRESS, ADDRESS)
        with pytest.raises(Misuse, match="call 4 is open already"):
            null.open_call(4, ADDRESS, ADDRESS)
