"""The inverse of openpptp.wire.notation: a line as pppd prints it -> the octets of the frame.

    frame('[LCP ConfReq id=0x1 <mru 1400> <auth chap MS-v2> <magic 0x1a2b3c4d>]')
    frame('[CHAP Response id=0x7 <0102...>, name = "bob"]')       the value must be there, not <hidden>
    frame('[PAP AuthReq id=0x1 user="bob" password="x"]')
    frame('[IP data] 45 00 ...')   frame('[proto=0x8207] 01 01 00 04')

`describe` here is describe_frame with secrets shown, so that describe(frame(text)) == text.
"""

import re
from ipaddress import IPv4Address

from openpptp.wire.auth import ChapValue, PapRequest
from openpptp.wire.notation import (
    CODES,
    CONFIGURE_CODES,
    CONTROL_PROTOCOLS,
    DATA_PROTOCOLS,
    RAS_MARK,
    describe_frame,
)
from openpptp.wire.notation_options import AUTHENTICATION, CHAP_ALGORITHMS, ENDPOINT_CLASSES, MPPE_LETTERS
from openpptp.wire.ppp import (
    CcpOption,
    Code,
    IpcpOption,
    Ipv6cpOption,
    LcpOption,
    Option,
    Packet,
    Protocol,
    encode_frame,
    encode_options,
)

_FRAME = re.compile(
    r"\[(?:(?P<name>\w+) data|proto=(?P<proto>0x[0-9a-f]+)|(?P<control>\w+) (?P<code>\S+) id=(?P<id>0x[0-9a-f]+)"
    r"(?P<body>.*))\](?P<tail>(?: [0-9a-f]{2})*)",
    re.DOTALL,
)
_STRING = r'"((?:[^"\\]|\\.)*)"'
_OPTION = re.compile(r" <([^<>]*)>")
_HEX = re.compile(r"(?: [0-9a-f]{2})*")
_ESCAPE = re.compile(r"\\([0-7]{3}|.)")


def describe(frame: bytes) -> str:
    """Return a frame in pppd's notation, secrets shown."""
    return describe_frame(frame, secrets=True)


def frame(text: str, **compression: bool) -> bytes:
    """Return the PPP frame a line of pppd's notation stands for; ValueError when it cannot be read."""
    match = _FRAME.fullmatch(text)
    if not match:
        raise ValueError(f"not in pppd's notation: {text}")
    tail = bytes.fromhex(match["tail"])
    if match["proto"]:
        return encode_frame(int(match["proto"], 16), tail, **compression)
    if match["name"]:
        return encode_frame(_key(DATA_PROTOCOLS, match["name"]), tail, **compression)
    protocol = _key(CONTROL_PROTOCOLS, match["control"])
    word = match["code"]
    code = int(word[5:], 16) if word.startswith("code=") else _key(CODES[protocol], word)
    data = _data(protocol, code, match["body"])
    return encode_frame(protocol, Packet(code, int(match["id"], 16), data).encode() + tail, **compression)


def _key(words: dict[int, str], word: str) -> int:
    for key, candidate in words.items():
        if candidate == word:
            return int(key)
    raise ValueError(f"unknown word: {word}")


def _read(pattern: str, body: str) -> re.Match[str] | None:
    return re.fullmatch(pattern, body, re.DOTALL)


def _octets(body: str) -> bytes:
    if not _HEX.fullmatch(body):
        raise ValueError(f"not understood: {body!r}")
    return bytes.fromhex(body)


def _unquote(text: str) -> bytes:
    letters = {"n": "\n", "r": "\r", "t": "\t"}
    plain = _ESCAPE.sub(lambda m: chr(int(m[1], 8)) if len(m[1]) == 3 else letters.get(m[1], m[1]), text)
    return plain.encode("latin-1")


def _data(protocol: int, code: int, body: str) -> bytes:
    if protocol in (Protocol.PAP, Protocol.CHAP):
        return _authentication_data(protocol, body)
    if protocol != Protocol.EAP and code in CONFIGURE_CODES:
        options = [_option(protocol, m[1]) for m in _OPTION.finditer(body)]
        return encode_options(options) + _octets(_OPTION.sub("", body))
    if m := _read(r" " + _STRING, body):
        return _unquote(m[1])
    if m := _read(r" magic=(0x[0-9a-f]+) ras-error=(\d+).*", body):
        return int(m[1], 16).to_bytes(4, "big") + RAS_MARK + int(m[2]).to_bytes(4, "big")
    if m := _read(r" magic=(0x[0-9a-f]+)(?: seconds=(\d+))?(?: " + _STRING + r")?((?: [0-9a-f]{2})*)", body):
        seconds = int(m[2]).to_bytes(4, "big") if code == Code.TIME_REMAINING else b""
        return int(m[1], 16).to_bytes(4, "big") + seconds + _unquote(m[3] or "") + bytes.fromhex(m[4])
    return _octets(body)


def _authentication_data(protocol: int, body: str) -> bytes:
    if m := _read(rf" user={_STRING} password={_STRING}((?: [0-9a-f]{{2}})*)", body):
        return PapRequest(_unquote(m[1]), _unquote(m[2])).encode() + bytes.fromhex(m[3])
    if m := _read(r" <([0-9a-f]*)>, name = " + _STRING, body):
        return ChapValue(bytes.fromhex(m[1]), _unquote(m[2])).encode()
    if m := _read(rf" {_STRING}((?: [0-9a-f]{{2}})*)", body):
        message = _unquote(m[1])
        return (bytes((len(message),)) if protocol == Protocol.PAP else b"") + message + bytes.fromhex(m[2])
    return _octets(body)


def _option(protocol: int, text: str) -> Option:
    if text.startswith(" "):
        octets = bytes.fromhex(text)
        assert octets[1] == len(octets), f"option length of <{text}>"
        return Option(octets[0], octets[2:])
    word, _, rest = text.partition(" ")
    reader = _READERS[protocol].get(word)
    if reader is None:
        raise ValueError(f"unknown option <{text}>")
    option, read = reader
    return Option(option, read(rest))


def _size(size):
    return lambda rest: int(rest, 0).to_bytes(size, "big")


def _nothing(rest):
    assert not rest
    return b""


def _addresses(rest):
    return b"".join(IPv4Address(a).packed for a in rest.split())


def _with_protocol(words):
    def read(rest):
        word, *octets = rest.split()
        protocol = _key(words, word) if word in words.values() else int(word, 16)
        head = protocol.to_bytes(2, "big")
        if protocol == Protocol.CHAP and octets:
            algorithm, *octets = octets
            known = algorithm in CHAP_ALGORITHMS.values()
            head += bytes((_key(CHAP_ALGORITHMS, algorithm) if known else int(algorithm, 16),))
        return head + bytes.fromhex("".join(octets))

    return read


def _callback(rest):
    word, *octets = rest.split()
    return bytes((6 if word == "CBCP" else int(word),)) + bytes.fromhex("".join(octets))


def _endpoint(rest):
    kind, _, value = rest.strip("[]").partition(":")
    number = ENDPOINT_CLASSES.index(kind) if kind in ENDPOINT_CLASSES else int(kind)
    if kind == "IP" and value.count(".") == 3:
        return bytes((number,)) + IPv4Address(value).packed
    return bytes((number,)) + bytes.fromhex(re.sub("[:.]", "", value))


def _mppe(rest):
    letters, _, unknown = rest.partition(" +U ")
    bits = sum(MPPE_LETTERS[word[1]] for word in letters.split() if word[0] == "+")
    return (bits | int(unknown or "0", 16)).to_bytes(4, "big")


def _bsd(rest):
    version, bits = rest.split()
    return bytes((int(version[1:]) << 5 | int(bits),))


def _deflate(rest):
    return bytes((int(rest) - 8 << 4 | 8, 0))


_READERS = {
    Protocol.LCP: {
        "mru": (LcpOption.MAXIMUM_RECEIVE_UNIT, _size(2)),
        "asyncmap": (LcpOption.ASYNC_CONTROL_CHARACTER_MAP, _size(4)),
        "auth": (LcpOption.AUTHENTICATION_PROTOCOL, _with_protocol(AUTHENTICATION)),
        "quality": (LcpOption.QUALITY_PROTOCOL, _with_protocol({Protocol.LINK_QUALITY_REPORT: "lqr"})),
        "magic": (LcpOption.MAGIC_NUMBER, _size(4)),
        "pcomp": (LcpOption.PROTOCOL_FIELD_COMPRESSION, _nothing),
        "accomp": (LcpOption.ADDRESS_CONTROL_FIELD_COMPRESSION, _nothing),
        "callback": (LcpOption.CALLBACK, _callback),
        "mrru": (LcpOption.MULTILINK_MAXIMUM_RECEIVE_UNIT, _size(2)),
        "ssnhf": (LcpOption.SHORT_SEQUENCE_NUMBERS, _nothing),
        "endpoint": (LcpOption.ENDPOINT_DISCRIMINATOR, _endpoint),
    },
    Protocol.CCP: {
        "mppe": (CcpOption.MPPE, _mppe),
        "bsd": (CcpOption.BSD_COMPRESS, _bsd),
        "deflate": (CcpOption.DEFLATE, _deflate),
        "deflate(old#)": (CcpOption.DEFLATE_DRAFT, _deflate),
    },
    Protocol.IPCP: {
        "addrs": (IpcpOption.IP_ADDRESSES, _addresses),
        "compress": (IpcpOption.IP_COMPRESSION_PROTOCOL, _with_protocol({Protocol.VJ_COMPRESSED: "VJ"})),
        "addr": (IpcpOption.IP_ADDRESS, _addresses),
        "ms-dns1": (IpcpOption.PRIMARY_DNS, _addresses),
        "ms-dns2": (IpcpOption.SECONDARY_DNS, _addresses),
        "ms-wins": (IpcpOption.PRIMARY_NBNS, _addresses),
        "ms-wins2": (IpcpOption.SECONDARY_NBNS, _addresses),
    },
    Protocol.IPV6CP: {
        "addr": (Ipv6cpOption.INTERFACE_IDENTIFIER, lambda rest: bytes.fromhex(rest[6:].replace(":", ""))),
        "compress": (Ipv6cpOption.IPV6_COMPRESSION_PROTOCOL, _size(2)),
    },
}
