"""Keys and frames of RFC 3079 section 3.5 (corrected) and beyond, with the Magic2 half the RFC does not print."""

from typing import NamedTuple


class KeyVector(NamedTuple):
    bits: int
    start: str
    initial: str
    encrypted: str
    "rc4(initial, 'test message')"
    after: dict[int, str]
    "Key changes since the initial key -> session key."


MAGIC3 = [
    KeyVector(
        40,
        "8B7CDC149B993A1B",
        "D1269EC49FA62E3E",
        "929137917E5803D668D75898",
        {
            1: "D1269ECE4D98D181",
            2: "D1269EDEEFBD8AFF",
            3: "D1269EB1A7FCB215",
            256: "D1269EEC59C203CD",
            257: "D1269E426F77D27D",
            4096: "D1269E5844A39283",
            4097: "D1269EC2F61469CF",
        },
    ),
    KeyVector(
        56,
        "8B7CDC149B993A1B",
        "D15C00C49FA62E3E",
        "3F106833FA448DA842BC57B8",
        {
            1: "D16182A2AB481407",
            2: "D178CC274F63FAF1",
            3: "D1894870DAAB684A",
            256: "D1DF4D3F9A8E8702",
            257: "D15B6B02C5FD833D",
            4096: "D198AAA781BFA674",
            4097: "D158ACA1ED485954",
        },
    ),
    KeyVector(
        128,
        "8B7CDC149B993A1BA118CB153F56DCCB",
        "405CB2247A7956E6E211007AE27B22D4",
        "81848317DF68846272FB5ABE",
        {
            1: "726F10500E2B54135B1B74D7682F0471",
            2: "2805BC7869BEC825573A7803E95A3ACD",
            3: "58128C36CABD54968139FD94B5883D4A",
            256: "7DEACF489DA29586FAEAF17F14FC1773",
            257: "35AEC27E0F3BE8C06ABF63E57F5D57F9",
            4096: "58D30FEA39698607D2627E638F6E12D9",
            4097: "53E2A1B16F09722D2189FC82A18BCBC6",
        },
    ),
]
MAGIC2 = [
    KeyVector(
        40,
        "D5F0E9521E3EA958",
        "D1269ED2AE999038",
        "DA2FFC50B22612D41FA7F2BB",
        {
            1: "D1269E772B557EC1",
            2: "D1269ED36D6287C8",
            3: "D1269E668C5DD844",
            256: "D1269EDE56E3365A",
            257: "D1269E2C0B83860E",
            4096: "D1269E1B5F452319",
            4097: "D1269E2C00936EC6",
        },
    ),
    KeyVector(
        56,
        "D5F0E9521E3EA958",
        "D16A9BD2AE999038",
        "4AB6DF617437264825FB655C",
        {
            1: "D1EF3D78B562DEA9",
            2: "D158DCB865DB5E4C",
            3: "D1F665A1EA7713F6",
            256: "D1CB599C60615FAC",
            257: "D1FD05B26D8C3E7B",
            4096: "D125D6D6FCC63972",
            4097: "D16B3DF2272D34F4",
        },
    ),
    KeyVector(
        128,
        "D5F0E9521E3EA9589645E86051C82226",
        "49D11D0F0CC6BEFBA2A9B4B688F91EEE",
        "B56CA95695E14ACB15F1BA3C",
        {
            1: "0E09C108101DFDDEF6C0E2F2D95D0BAD",
            2: "03273439AC5F94C97F13D9133DF4DFC5",
            3: "146489FCDBCDDFED41085FB0E7DB0166",
            256: "F9365D685C307F4E2C64020DAF26085C",
            257: "4C2D6483B8AFA43B37590B38D7EC131D",
            4096: "E3F0C4AF570CB2911D2BA8D4DBFF3300",
            4097: "3EDB8F1C690523673C8FCC9B0C9B7B5D",
        },
    ),
]
VECTORS = MAGIC3 + MAGIC2

INNER = bytes.fromhex("45000014000000004001 0000 0A000001 0A000002")
"The IPv4 packet of the frame vectors."
STATELESS_LONG = bytes.fromhex("90003F79989876F0F2254A21C66E893061FC2734DB57BBB5")
"128 bit, client to server, count 0, inner protocol 00 21."
STATELESS_SHORT = bytes.fromhex("90001E1DDD9862E4F2254A61876F893A6BFC263FD157B9")
"The same with inner protocol 21."
STATEFUL_FIRST = bytes.fromhex("C1289F22B5982FB866909D588200E38F25700C479040")
"The 22 octets of STATELESS_LONG under the initial key."
