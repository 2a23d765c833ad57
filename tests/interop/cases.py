"""The log-ins each real peer is tried with, as each program says them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import pytest


@dataclass(frozen=True, slots=True)
class Case:
    """One authentication method with one encryption."""

    method: str
    key_bits: int | None

    _WORDS: ClassVar = {"MS-CHAPv2": "mschap-v2", "MS-CHAPv1": "mschap", "CHAP-MD5": "chap", "PAP": "pap"}

    def pppd_client(self) -> list[str]:
        """Return pppd's options that leave this log-in only."""
        refused = ["refuse-eap", *(f"refuse-{word}" for name, word in self._WORDS.items() if name != self.method)]
        return [*refused, self._mppe()]

    def pppd_server(self) -> list[str]:
        """Return pppd's options that demand this log-in."""
        return [f"require-{self._WORDS[self.method]}", self._mppe()]

    def _mppe(self) -> str:
        return f"require-mppe-{self.key_bits}" if self.key_bits else "nomppe"

    def settings(self) -> Mapping[str, object]:
        """Return our [auth] section; nothing of it is there by default but MS-CHAPv2 and 128 bits."""
        if self.key_bits:
            return {"methods": [self.method], "encryption": "required", "key_bits": [self.key_bits]}
        return {"methods": [self.method], "encryption": "off"}

    def flags(self) -> list[str]:
        """Return the options of `openpptp connect`."""
        if self.key_bits:
            return ["--allow-method", self.method, "--key-bits", str(self.key_bits)]
        return ["--allow-method", self.method, "--encryption", "off"]


CASES = [
    pytest.param(case, id=f"{case.method}-{f'MPPE-{case.key_bits}' if case.key_bits else 'clear'}")
    for case in (
        Case("MS-CHAPv2", 128),
        Case("MS-CHAPv2", None),
        Case("MS-CHAPv1", 128),
        Case("CHAP-MD5", None),
        Case("PAP", None),
        Case("MS-CHAPv2", 40),
    )
]
