"""The stages on a folder of audiocraft's give what they give on one of `transformers`."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import MusicgenForConditionalGeneration

from leitmotif.cli.presets import use
from leitmotif.config import load_params
from leitmotif.pipeline import (
    ACTIVATIONS,
    EFFECTS,
    INTERCHANGE,
    INTERVENTIONS,
    METRICS,
    PROBES,
    PROPOSALS,
    VERDICTS,
)
from leitmotif.stages.activations import activations
from leitmotif.stages.calibration import calibration
from leitmotif.stages.corpus import corpus
from leitmotif.stages.features import features
from leitmotif.stages.interchange import interchange
from leitmotif.stages.interventions import interventions
from leitmotif.stages.labels import labels
from leitmotif.stages.manifest import manifest
from leitmotif.stages.probes import probes
from leitmotif.stages.sae import sae
from leitmotif.tables.proposals import write_proposals
from leitmotif.tensors import read_tensors
from tests.musicgen.audiocraft_files import (
    CODEC_SETTINGS,
    codec,
    export,
    language_model,
    settings,
)

SITES = ["layers.0.residual", "layers.3.residual"]
SHIPPED = "models/organism/planner"
CHANGED = [
    "corpus.pieces=20",
    "manifest.tracks=13",
    f"activations.sites=[{', '.join(SITES)}]",
    "sae.hooks=[planner-0, planner-3]",
    "sae.allow_misaligned=true",  # they are of the planner by its name
    "sae.spliced_tracks=2",
    "probes.folds=3",
    "probes.permutations=99",
    "probes.shifts=99",
    "probes.seeds=1",
    "probes.comparisons=[]",
    f"calibration.site={SITES[0]}",
    "calibration.targets=10",
    "calibration.each=1",
    "calibration.permutations=99",
    "interchange.tracks=4",
    "interventions.tracks=2",
    "interventions.candidates=1",
    "interventions.doses=[]",
    "interventions.random=1",
    "interventions.kept_tracks=1",
]


def own_folder(shipped: Path, folder: Path) -> Path:
    """The weights of the planner, as audiocraft exports them."""
    theirs = MusicgenForConditionalGeneration.from_pretrained(shipped, dtype=torch.float32)
    folder.mkdir()
    sizes = {"dim": 128, "num_layers": 6, "hidden_scale": 4, "card": 256}
    of_model = settings(**{f"transformer_lm__{name}": size for name, size in sizes.items()})
    of_codec = settings(
        CODEC_SETTINGS,
        seanet__dimension=128, seanet__n_filters=8, seanet__true_skip=True, rvq__bins=256,
    )  # fmt: skip
    export(folder / "state_dict.bin", language_model(theirs), of_model)
    export(folder / "compression_state_dict.bin", codec(theirs), of_codec)
    theirs.text_encoder.save_pretrained(folder / "t5-base")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(shipped / name, folder / "t5-base")
    return folder


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, repo_root: Path) -> Path:
    """Two projects that differ in the model's folder alone, in which the stages have run."""
    root = tmp_path_factory.mktemp("audiocraft")
    own = own_folder(repo_root / SHIPPED, root / "own")
    for name, model in (("theirs", SHIPPED), ("ours", str(own))):
        project = root / name
        (project / "data/decisions").mkdir(parents=True)
        for kept in ("src", "presets", "models", "controls.yaml", "hooks.yaml", "concepts.yaml"):
            (project / kept).symlink_to(repo_root / kept)
        for kept in ("params.yaml", "dvc.yaml"):
            shutil.copy(repo_root / kept, project)
        changed = [*CHANGED, f"model.name={model}", f"model.watch={model}"]
        use("organism", changed, root=project, force=True)
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(project)
            params = load_params(project / "params.yaml")
            for stage in (corpus, manifest, features, activations):
                stage(params)
            write_proposals(PROPOSALS, [])
            for stage in (labels, sae, probes, calibration, interchange, interventions):
                stage(params)
    return root


def test_activations_are_equal(finished: Path) -> None:
    files = sorted((finished / "theirs" / ACTIVATIONS).rglob("*.safetensors"))
    assert len(files) == 2 * 13
    for file in files:
        theirs, of_theirs = read_tensors(file)
        ours, of_ours = read_tensors(finished / "ours" / file.relative_to(finished / "theirs"))
        assert theirs.keys() == ours.keys()
        assert all(np.array_equal(theirs[name], ours[name]) for name in theirs)
        assert (of_theirs["model"], of_ours["model"]) == (SHIPPED, str(finished / "own"))


@pytest.mark.parametrize(
    "table",
    [PROBES, INTERCHANGE, INTERVENTIONS, EFFECTS, VERDICTS, METRICS / "interchange.json"],
    ids=str,
)
def test_what_is_found_is_equal_but_for_the_models_name(table: Path, finished: Path) -> None:
    texts = []
    for project, folder in (("theirs", SHIPPED), ("ours", str(finished / "own"))):
        text = (finished / project / table).read_text(encoding="utf-8")
        names = {folder: "FOLDER", f'"{Path(folder).name}"': '"MODEL"'}
        for name, other in names.items():
            text = text.replace(name, other)
        texts.append(text)
    assert texts[0] == texts[1]
    assert texts[0].count("\n") > 1
