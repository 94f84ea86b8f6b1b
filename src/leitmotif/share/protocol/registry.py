"""The registry of checks, and how all of them are run.

A check is a function of the inputs with ``@check`` above it, in a module of ``checks``: that is
all there is to adding one. It returns what it found. What it cannot read it may let raise: the line
then fails with the file's name, and the other lines are not touched.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from leitmotif.errors import LeitmotifError
from leitmotif.share.protocol.inputs import Inputs
from leitmotif.share.protocol.lines import Line, Outcome, Protocol, failed
from leitmotif.share.revisions import revision

LONGEST = 400
"""Characters of a line's evidence."""
Find = Callable[[Inputs], Outcome]


@dataclass(frozen=True)
class Check:
    """One condition of the protocol."""

    id: str
    title: str
    item: str
    stage: str
    """Whose outputs it looks at: ``dvc repro STAGE`` mends what nothing better is known for. Empty
    for the repository as a whole."""
    find: Find


CHECKS: dict[str, Check] = {}
"""Those that were entered, by id; ``all_checks`` has all of them."""


def check(name: str, title: str, *, item: str, stage: str) -> Callable[[Find], Find]:
    """Enter a function into the registry.

    Parameters
    ----------
    name : id of the line.
    title : what is true where it passes.
    item : of the article: an item of its checklist, or a pitfall.
    stage : whose outputs it looks at.
    """

    def enter(find: Find) -> Find:
        CHECKS[name] = Check(name, title, item, stage, find)
        return find

    return enter


def all_checks() -> Mapping[str, Check]:
    """Every check by its id, in the order of the pipeline."""
    import leitmotif.share.protocol.checks  # noqa: F401  # enters them

    return CHECKS


def run_checks(inputs: Inputs) -> Protocol:
    """Run every check on the repository in the working directory."""
    return Protocol(commit=_commit(), lines=[_line(one, inputs) for one in all_checks().values()])


def _line(one: Check, inputs: Inputs) -> Line:
    repro = f"dvc repro {one.stage}".rstrip()
    try:
        outcome = one.find(inputs)
    except LeitmotifError as error:
        found = "" if error.found is None else f": {error.found}"
        outcome = failed(f"{error.what}{found}", error.fix or repro)
    except Exception as error:  # noqa: BLE001  # no file, whatever it holds, may stop the others
        outcome = failed(f"cannot be checked: {type(error).__name__}: {error}", repro)
    evidence = " ".join(outcome.evidence.split())
    if len(evidence) > LONGEST:
        evidence = f"{evidence[: LONGEST - 1]}…"
    return Line(
        id=one.id,
        item=one.item,
        title=one.title,
        status=outcome.status,
        evidence=evidence,
        fix=outcome.fix and " ".join(outcome.fix.split()),
    )


def _commit() -> str | None:
    try:
        return revision("HEAD").commit
    except LeitmotifError:
        return None
