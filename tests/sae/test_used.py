"""Which autoencoders an experiment uses."""

from pathlib import Path

import pytest
import torch

from leitmotif.errors import ConfigError, ModelError
from leitmotif.sae.autoencoder.used import load_used


@pytest.fixture(autouse=True)
def at_home(repo_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repo_root)


def test_each_has_the_site_that_is_asked_for_and_the_precision() -> None:
    own, moved = load_used(["planner-1", "planner-0@hook_layers.2"], dtype="float64")
    assert (own.site, moved.site) == ("layers.1.residual", "layers.2.residual")
    assert {used.sae.W_enc.dtype for used in (own, moved)} == {torch.float64}


@pytest.mark.parametrize("second", ["planner-1", "planner-0@layers.1.residual"])
def test_two_at_one_site_are_refused_by_name(second: str) -> None:
    with pytest.raises(ConfigError, match=r"activations of layers\.1\.residual") as refused:
        load_used(["planner-1", second])
    assert refused.value.found == f"planner-1 and {second}"
    both = load_used(["planner-1", second], several_a_site=True)
    assert [used.site for used in both] == ["layers.1.residual"] * 2


def test_what_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match="no autoencoder 'planner-9'"):
        load_used(["planner-9"])
    with pytest.raises(ModelError, match="no such device"):
        load_used(["planner-1"], device="nowhere")
