"""What all the rest comes to."""

from dataclasses import dataclass
from typing import Any

from openpptp.daemon.doctor.report import Report, visible


@dataclass(frozen=True, slots=True)
class Conclusion:
    """One sentence and what to do."""

    label: str
    "The same for programs, in kebab case."
    sentence: str
    remedy: str = ""
    works: bool = False
    "Whether a client can connect, as far as was looked."
    certain: bool = True
    "False: something else would look the same from here; the sentence says so."


@dataclass(frozen=True, slots=True)
class HostReport(Report):
    """The steps of a look at another host, and what they come to."""

    conclusion: Conclusion

    @property
    def exit_code(self) -> int:
        """0: a client can connect, as far as could be looked. 1: it cannot."""
        return 0 if self.conclusion.works else 1

    @property
    def verdict(self) -> str:
        """The last sentence."""
        return self.conclusion.sentence

    def lines(self) -> list[str]:
        """Return a line for each step, the verdict, and the remedy under it."""
        remedy = [f"-> {visible(self.conclusion.remedy)}"] if self.conclusion.remedy else []
        return [*self.result_lines(), "", visible(self.verdict), *remedy]

    def facts(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "patient": self.patient,
            "works": self.conclusion.works,
            "label": self.conclusion.label,
            "verdict": self.verdict,
            "certain": self.conclusion.certain,
            "remedy": self.conclusion.remedy,
            "checks": [each.facts() for each in self.results],
        }
