"""Whether the judge can be loaded, which of recordings is first needed after hours of trials."""

from leitmotif.config import OrganismCorpus, Params
from leitmotif.judge.models.clap import Clap


def check_judge(params: Params) -> None:
    """Load the judge and drop it, unless pieces are composed: then it is needed at once.

    Raises ModelError where it cannot be loaded.
    """
    if not isinstance(params.corpus, OrganismCorpus):
        judge = params.judge
        Clap.from_pretrained(
            judge.clap,
            revision=judge.clap_revision,
            device=judge.device,
            dtype=params.model.dtype_beside,
        )
