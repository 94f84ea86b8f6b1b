"""All checks, one after the other."""

from collections.abc import Mapping

import leitmotif.share.protocol.checks  # noqa: F401  # enters them
from leitmotif.errors import LeitmotifError
from leitmotif.share.protocol.inputs import Inputs
from leitmotif.share.protocol.lines import Protocol, ProtocolLine, failed
from leitmotif.share.protocol.registry import CHECKS, Check
from leitmotif.share.revisions import revision
from leitmotif.work.progress import progress

LONGEST = 400
"""Characters of a line's evidence."""


def all_checks() -> Mapping[str, Check]:
    """Every check by its id, in the order of the pipeline."""
    return CHECKS


def run_checks(inputs: Inputs) -> Protocol:
    """Run every check on the repository in the working directory."""
    checks = all_checks().values()
    lines = [_line(check, inputs) for check in progress(checks, "checks", total=len(checks))]
    return Protocol(commit=_commit(), lines=lines)


def _line(check: Check, inputs: Inputs) -> ProtocolLine:
    repro = f"dvc repro {check.stage}".rstrip()
    try:
        outcome = check.find(inputs)
    except LeitmotifError as error:
        detail = "" if error.found is None else f": {error.found}"
        outcome = failed(f"{error.what}{detail}", error.fix or repro)
    except Exception as error:  # noqa: BLE001  # no file, whatever it holds, may stop the others
        outcome = failed(f"cannot be checked: {type(error).__name__}: {error}", repro)
    evidence = " ".join(outcome.evidence.split())
    if len(evidence) > LONGEST:
        evidence = f"{evidence[: LONGEST - 1]}…"
    return ProtocolLine(
        id=check.id,
        item=check.item,
        title=check.title,
        status=outcome.status,
        evidence=evidence,
        fix=outcome.fix and " ".join(outcome.fix.split()),
    )


def _commit() -> str | None:
    try:
        return revision("HEAD").commit
    except LeitmotifError:
        return None
