"""pppd's options on authentication and MPPE -> [auth], stricter than pppd where they are silent."""

from openpptp.credentials import AuthMethod
from openpptp.daemon.import_report import Draft, Place, Verdict
from openpptp.daemon.pppd_names import WHY_WEAK


class AuthOptions:
    """Collects the options; finish() settles what follows from all of them."""

    def __init__(self, draft: Draft) -> None:
        """Begin with nothing asked for."""
        self._draft = draft
        self._methods: dict[AuthMethod, Place] = {}
        self._encryption: tuple[str, Place] | None = None
        self._bits: dict[int, Place] = {}
        self._stateful: tuple[bool, Place] | None = None

    @property
    def uses_pap(self) -> bool:
        """Whether PAP is among the methods asked for."""
        return AuthMethod.PAP in self._methods

    def method(self, place: Place, text: str, method: AuthMethod) -> None:
        """Let clients use a method."""
        self._methods.setdefault(method, place)
        if method in WHY_WEAK:
            self._draft.tell(
                place, text, Verdict.DANGEROUS, f"auth.methods has {method.value} then: {WHY_WEAK[method]}"
            )
        else:
            self._draft.tell(place, text, Verdict.HONOURED, f"auth.methods has {method.value}")

    def mppe(self, place: Place, text: str, meaning: str) -> None:
        """Take one of the options of pppd_names.MPPE."""
        verdict, words = Verdict.HONOURED, 'auth.encryption = "required"'
        match meaning:
            case "require-mppe":
                self._encryption = ("required", place)
                words += ", 128 bit only; require-mppe-40 would allow 40 as well"
            case "require-mppe-40":
                self._encryption, self._bits[40] = ("required", place), place
                verdict, words = Verdict.DANGEROUS, "auth.key_bits has 40 then, which any computer breaks"
            case "require-mppe-128":
                self._encryption, self._bits[128] = ("required", place), place
            case "nomppe":
                self._encryption = ("off", place)
                verdict = Verdict.DANGEROUS
                words = 'auth.encryption = "off" then: everything crosses the network in clear text'
            case "nomppe-40":
                self._bits.pop(40, None)
                words = "auth.key_bits has no 40"
            case "nomppe-128":
                self._bits.pop(128, None)
                self._bits[40] = place
                verdict, words = Verdict.DANGEROUS, "only 40 bit is left, which any computer breaks"
            case "mppe-stateful":
                self._stateful = (True, place)
                verdict = Verdict.DANGEROUS
                words = "auth.stateful = true then: a forced reset makes the same key stream protect two packets"
            case _:
                self._stateful = (False, place)
                words = "auth.stateful = false"
        self._draft.tell(place, text, verdict, words)

    def old_mppe(self, place: Place, text: str, value: str) -> None:
        """Take the one word that forks of 2003 had: `mppe required,stateless,no40`."""
        meanings = {
            "required": "require-mppe",
            "require": "require-mppe",
            "stateless": "nomppe-stateful",
            "stateful": "mppe-stateful",
            "no40": "nomppe-40",
            "no56": "nomppe-40",
            "no128": "nomppe-128",
            "128": "require-mppe-128",
            "40": "require-mppe-40",
            "none": "nomppe",
        }
        for part in value.split(","):
            name = f"{text.partition(' ')[0]} {part}"
            if part in meanings:
                self.mppe(place, name, meanings[part])
            else:
                self._draft.tell(place, name, Verdict.IGNORED, f"{part} is not known here")

    def finish(self, default: Place) -> None:
        """Set [auth]; default is the place of what no option says."""
        methods = [method for method in AuthMethod if method in self._methods]
        keyless = bool(methods) and not any(method.makes_keys for method in methods)
        if methods:
            self._draft.set(self._methods[methods[0]], "auth", "methods", [method.value for method in methods])
        else:
            self._draft.tell(
                default,
                "",
                Verdict.HONOURED,
                "auth.methods is MS-CHAPv2 alone, where pppd would take any; require-... allows more",
            )
        if self._encryption is not None:
            kind, place = self._encryption
            self._draft.set(place, "auth", "encryption", kind)
        elif keyless:
            place = self._methods[methods[0]]
            words = self._draft.set(place, "auth", "encryption", "off")
            why = f"{words} follows: no method asked for makes keys; add require-mschap-v2 and require-mppe-128"
            self._draft.tell(place, "", Verdict.DANGEROUS, why)
        else:
            self._draft.tell(
                default,
                "",
                Verdict.HONOURED,
                "MPPE 128 bit is required, where pppd would let clients in without; nomppe gives it up",
            )
        if self._bits:
            place = next(iter(self._bits.values()))
            self._draft.set(place, "auth", "key_bits", sorted(self._bits, reverse=True))
        if self._stateful is not None:
            self._draft.set(self._stateful[1], "auth", "stateful", self._stateful[0])
