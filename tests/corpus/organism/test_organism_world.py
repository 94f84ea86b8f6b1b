"""The description of the composed world refuses what cannot be composed."""

import json
from pathlib import Path
from typing import Any

import pytest

from leitmotif.corpus.organism.world import World, load_world
from leitmotif.errors import CorpusError


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"slot_bars": [9, 12]}, "4.48 s after the cue"),
        ({"slot_bars": [10, 13]}, "exceed 13"),
        ({"slot_bars": [10, 2]}, "overlap"),
        ({"slot_bars": [12, 10]}, "in order"),
        ({"slot_bars": [9, 10, 12]}, "cannot be shared by 3 slots"),
        ({"cue_bar": 0, "statement_bars": [1, 2]}, "the motif first"),
        ({"statement_bars": []}, "at least one statement"),
        ({"filler_openings": [[0, 8]]}, "no melody of these scales opens with"),
        ({"filler_openings": [[0, 4]]}, "no melody of these scales opens with"),
        ({"filler_openings": []}, "may not be empty"),
        ({"filler_openings": [[0, 2]], "bars": 30}, "24 bars of filler cannot fill 30"),
        ({"variations": {"exact": 0.5}}, "add up to 0.5"),
        ({"variations": {"backwards": 1.0}}, "variations.backwards"),
        ({"transposition": 3}, "a happy motif that returns transposed may open like filler"),
        ({"instruments": ["guitar"]}, "no other instrument"),
        ({"ostinato": 1.5}, "ostinato"),
        ({"scales": {"happy": [0, 2, 4], "sad": [0, 2]}}, "one length in common"),
        ({"gains": {"melody": 0.9, "cue": 0.3, "drums": 0.2}}, "clips"),
        ({"instruments": ["kazoo"]}, "instruments.0"),
        ({"bars": 13.5}, "bars"),
        ({"swing": True}, "swing"),
    ],
)
def test_an_impossible_world_is_refused_by_name(
    organism: Path, tmp_path: Path, change: dict[str, Any], named: str
) -> None:
    description = json.loads((organism / "varied.json").read_text(encoding="utf-8"))
    path = tmp_path / "world.json"
    path.write_text(json.dumps(description | change), encoding="utf-8")
    with pytest.raises(CorpusError, match=named) as caught:
        load_world(path)
    assert "world.json" in str(caught.value)


def test_the_models_world_is_the_varied_one_with_exact_returns(world: World, varied: World) -> None:
    assert world == varied.model_copy(update={"variations": {"exact": 1.0}})
    assert set(varied.variations) == {"exact", "instrument", "transposed", "ornamented"}


def test_a_missing_description_says_which_one_to_use(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"models/organism/world\.json"):
        load_world(tmp_path / "none.json")
