"""All of params.yaml, and which of its settings hold text."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import Field, PrivateAttr

from leitmotif.config.corpus import (
    FeaturesParams,
    FolderCorpus,
    ManifestParams,
    MtgJamendoCorpus,
    OrganismCorpus,
)
from leitmotif.config.execution import ExecutionParams
from leitmotif.config.interventions import (
    InterchangeParams,
    InterventionsParams,
    JudgeParams,
    ReportParams,
    SummaryParams,
)
from leitmotif.config.labels import LabelsParams, ProposalsParams
from leitmotif.config.lens import DecoderLensParams, SwapsParams
from leitmotif.config.model import ActivationsParams, ModelParams, SaeParams
from leitmotif.config.probes import CalibrationParams, ProbesParams
from leitmotif.config.resources import ResourcesParams
from leitmotif.config.section import Settings


class Params(Settings):
    """All of params.yaml."""

    corpus: Annotated[
        OrganismCorpus | FolderCorpus | MtgJamendoCorpus, Field(discriminator="source")
    ]
    manifest: ManifestParams
    features: FeaturesParams
    model: ModelParams
    activations: ActivationsParams
    proposals: ProposalsParams
    labels: LabelsParams
    sae: SaeParams
    probes: ProbesParams
    calibration: CalibrationParams
    judge: JudgeParams
    decoderlens: DecoderLensParams
    swaps: SwapsParams
    interchange: InterchangeParams
    interventions: InterventionsParams
    summary: SummaryParams
    report: ReportParams
    execution: ExecutionParams
    resources: ResourcesParams
    _auto: frozenset[str] = PrivateAttr(default=frozenset())

    @property
    def auto(self) -> frozenset[str]:
        """Settings that are ``auto``, such as ``probes.folds``; see ``leitmotif.config.auto``."""
        return self._auto

    @property
    def halves(self) -> int:
        """Rows of a continuation: 2 with classifier-free guidance, else 1.

        Pieces have prompts only where tracks are read with those of their tags.
        """
        prompted = self.activations.prompt == "tags"
        return 2 if prompted and self.interventions.guidance_scale != 1 else 1


CORPORA: dict[str, type[Settings]] = {
    "organism": OrganismCorpus,
    "folder": FolderCorpus,
    "mtg-jamendo": MtgJamendoCorpus,
}


TextSetting = Literal["yes", "or null", "no"]


def text_setting(place: Sequence[str], corpus_source: object = None) -> TextSetting:
    """Whether a setting holds text, or text or null; ``no`` also where there is no such setting.

    ``place`` is such as ``("model", "name")``. ``corpus_source`` decides about those of ``corpus``.
    """
    section: Any = None
    if len(place) == 2 and place[0] in Params.model_fields:
        section = Params.model_fields[place[0]].annotation
        if place[0] == "corpus":
            section = CORPORA.get(str(corpus_source), FolderCorpus)
    field = section.model_fields.get(place[1]) if section else None
    if field is None:
        return "no"
    kinds = get_args(field.annotation) if get_origin(field.annotation) is not list else (list,)
    if get_origin(field.annotation) is Literal or field.annotation is str:
        return "yes"
    return "or null" if set(kinds) == {str, type(None)} else "no"
