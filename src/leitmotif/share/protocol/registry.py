"""The registry of checks.

A check is a function of the inputs with ``@check`` above it, in a module of ``checks``: that is
all there is to adding one. It returns what it found. What it cannot read it may let raise: the line
then fails with the file's name, and the other lines are not touched.
"""

from collections.abc import Callable
from dataclasses import dataclass

from leitmotif.share.protocol.inputs import Inputs
from leitmotif.share.protocol.lines import Outcome

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
"""Those that were entered, by id; ``leitmotif.share.protocol.run`` imports all of them."""


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
