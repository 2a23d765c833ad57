"""The tests of datapath/path.py against native/path.c, encapsulate.c and decapsulate.c."""

from tests.datapath import test_path as reference
from tests.native.paths import NativePath


class Subject:
    def path(self, *, receive_window: int = 64, first_sequence: int = 0) -> NativePath:
        return NativePath(receive_window=receive_window, first_sequence=first_sequence)


class ConversationTests(Subject, reference.ConversationTests):
    pass


class OutwardsTests(Subject, reference.OutwardsTests):
    pass


class InwardsTests(Subject, reference.InwardsTests):
    pass


class WindowTests(Subject, reference.WindowTests):
    pass


class EarlyTests(Subject, reference.EarlyTests):
    pass


class EncryptionTests(Subject, reference.EncryptionTests):
    pass


class RobustnessTests(Subject, reference.RobustnessTests):
    pass
