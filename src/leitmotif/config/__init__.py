"""params.yaml as typed, validated settings: one class per stage, one field per key.

Every key must be present, so that DVC can change any of them with ``dvc exp run -S key=value``. No
other key is allowed. ``load_params`` refuses anything else; the error names the key, what was found
and what is allowed.
"""

from leitmotif.config.corpus import (
    RECORDINGS,
    FeaturesParams,
    FolderCorpus,
    ManifestParams,
    MtgJamendoCorpus,
    OrganismCorpus,
)
from leitmotif.config.execution import ExecutionParams
from leitmotif.config.interventions import InterventionsParams, JudgeParams, ReportParams
from leitmotif.config.labels import ProposalsParams
from leitmotif.config.lens import DecoderLensParams, SwapsParams
from leitmotif.config.model import ActivationsParams, ModelParams
from leitmotif.config.params import Params, TextSetting, text_setting
from leitmotif.config.probes import ProbesParams
from leitmotif.config.reading import PARAMS_FILE, load_params, parse_params
from leitmotif.config.resources import UNWATCHED, ResourcesParams
from leitmotif.config.section import Settings

__all__ = [
    "PARAMS_FILE",
    "RECORDINGS",
    "UNWATCHED",
    "ActivationsParams",
    "DecoderLensParams",
    "ExecutionParams",
    "FeaturesParams",
    "FolderCorpus",
    "InterventionsParams",
    "JudgeParams",
    "ManifestParams",
    "ModelParams",
    "MtgJamendoCorpus",
    "OrganismCorpus",
    "Params",
    "ProbesParams",
    "ProposalsParams",
    "ReportParams",
    "ResourcesParams",
    "Settings",
    "SwapsParams",
    "TextSetting",
    "load_params",
    "parse_params",
    "text_setting",
]
