"""What a check finds, and the protocol that all of them make up."""

from typing import Final, Literal

from leitmotif.tables.base import Table

FORMAT: Final = "leitmotif-check/1"
Status = Literal["pass", "fail", "not applicable"]


class Outcome(Table):
    """What one check found."""

    status: Status
    """``not applicable`` where settings switch off what would be checked."""
    evidence: str
    """Numbers and names, in one line."""
    fix: str | None = None
    """Command or edit that mends a failure; None without one."""


class ProtocolLine(Outcome):
    """A line of the protocol."""

    id: str
    """Name of the check."""
    item: str
    """What of the article it implements: an item of its checklist, or one of its pitfalls."""
    title: str
    """What is true where the check passes."""


class Protocol(Table):
    """All lines, in the order of the pipeline."""

    format: Literal["leitmotif-check/1"] = FORMAT
    """Name and version of this form."""
    commit: str | None
    """Of the repository; null outside git. A line says whether files differ from it."""
    lines: list[ProtocolLine]
    """One for each check."""

    def count(self, status: Status) -> int:
        """How many lines have a status."""
        return sum(line.status == status for line in self.lines)

    @property
    def failed(self) -> list[ProtocolLine]:
        """The lines that fail."""
        return [line for line in self.lines if line.status == "fail"]


def passed(evidence: str) -> Outcome:
    """The condition is met."""
    return Outcome(status="pass", evidence=evidence)


def failed(evidence: str, fix: str) -> Outcome:
    """The condition is not met, or could not be looked at."""
    return Outcome(status="fail", evidence=evidence, fix=fix)


def not_applicable(why: str) -> Outcome:
    """The settings, or whoever called, switch off what would be checked."""
    return Outcome(status="not applicable", evidence=why)
