"""The picture of docs/blueprint.md is that of dvc.yaml, and shows all of it."""

import re
from pathlib import Path

import blueprint

from leitmotif.files.yaml_files import read_stages
from leitmotif.share.outs import revision_outs
from leitmotif.share.protocol.run import all_checks
from leitmotif.share.revisions import working_tree

ROOT = Path(__file__).parents[1]


def test_the_picture_is_that_of_the_code() -> None:
    drawn = blueprint.PICTURE.read_text(encoding="utf-8")
    assert drawn == blueprint.picture(), "run scripts/blueprint.py"


def test_every_stage_is_in_one_step() -> None:
    stages = [stage for step in blueprint.STEPS for stage in step.stages]
    assert sorted(stages) == sorted(read_stages(ROOT / "dvc.yaml"))


def test_every_output_and_every_check_is_shown() -> None:
    drawn = blueprint.picture()
    words = set(re.findall(r"[a-z_]+", re.sub(r"<style>.*</style>", "", drawn, flags=re.DOTALL)))
    outs = {Path(out.path).stem for out in revision_outs(working_tree(ROOT)) if out.kind == "out"}
    assert outs <= words
    assert all_checks().keys() <= words


def test_arrows_are_the_dependencies_between_steps() -> None:
    arrows = blueprint.arrows(read_stages(ROOT / "dvc.yaml"))
    assert ("Corpus", "Labels") in arrows
    assert ("SAE alignment", "Probes with controls") in arrows
    assert ("Activations", "Probes with controls") not in arrows  # follows from the two before
    assert blueprint.picture().count('class="arrow"') == len(arrows)


def test_no_text_leaves_its_box() -> None:
    boxes = blueprint.boxes(read_stages(ROOT / "dvc.yaml")).values()
    for box in boxes:
        for part in box.parts:
            if found := re.search(
                r'class="(mono|what|title)[^"]*" x="([\d.]+)" y="(\d+)">(.*)<', part
            ):
                kind, x, y, text = found.groups()
                width = {"mono": 7.3, "what": 7.3, "title": 11.0}[kind] * len(text)
                assert float(x) + width <= box.x + box.width, text
                assert box.y < int(y) < box.y + box.height, text


def test_no_text_leaves_the_picture() -> None:
    texts = re.findall(r'class="mono[^"]*" x="([\d.]+)" y="\d+">(.*)<', blueprint.picture())
    assert texts
    assert all(float(x) + 7.3 * len(text) <= blueprint.WIDTH for x, text in texts)
