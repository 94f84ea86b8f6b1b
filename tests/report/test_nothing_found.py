"""Reports of runs that found nothing, could show nothing, or made no clip."""

from pathlib import Path

from leitmotif.causal.experiment.log import write_log
from leitmotif.pipeline import INTERVENTIONS
from leitmotif.report.build import Reported, build_report, write_report
from leitmotif.report.material import read_material
from leitmotif.tables.effects import PossibleRow
from leitmotif.tables.interval import IntervalRow
from leitmotif.tables.interventions import ClipMetrics, read_log
from tests.report.conftest import ALL, built
from tests.report.made import SITE, Made, page_data
from tests.report.made_tracks import add_tracks
from tests.report.parsed import Page
from tests.tables.made import nothing_found


def test_without_findings_the_report_says_so(made: Made, tmp_path: Path) -> None:
    made.rejudge(SITE, "none")
    text = Page(built(made, tmp_path / "report") / "index.html").text
    assert "No finding: nothing that was tried is foresight." in text
    assert "Too few pieces" not in text
    assert "Hear the findings" not in text


def test_of_three_recordings_it_says_that_nothing_could_be_shown(
    made: Made, tmp_path: Path
) -> None:
    made.record()
    few = PossibleRow(gaining=2, losing=1, level=0.05, least=None, likely=None)
    effect = IntervalRow(mean=33.3, low=3.2, high=90.1, p=0.5, n=3, changed=1)
    made.verdicts = [
        row.model_copy(update={"verdict": "unknown", "possible": few, "effect": effect})
        for row in made.verdicts
    ]
    folder = built(made, tmp_path / "report")
    text = Page(folder / "index.html").text
    assert "Too few pieces to tell: no effect could have counted in them" in text
    assert text.count("+33.3 (3.2 to 90.1; 3 pieces, 1 changed, p 0.5)") >= 4
    every = " ".join(Page(path).text for path in folder.rglob("*.html"))
    for contradiction in ("No finding: nothing", "No effect of changing", "moves nothing"):
        assert contradiction not in every
    assert "in 3 pieces (2 that lack the return, 1 that has it) no effect can count" in every
    assert "random control" not in every


def test_nothing_is_carried_is_told_from_nothing_is_known(made: Made, tmp_path: Path) -> None:
    cases = {"from 4 s ahead": (4.0, True), "from nowhere": (None, True)}
    cases["not known: none were exchanged"] = (None, False)
    for number, (says, (lead, exchanged)) in enumerate(cases.items()):
        of_site = {"lead": lead, "exchanged": exchanged}
        made.verdicts = [
            row if row.features else row.model_copy(update=of_site) for row in made.verdicts
        ]
        folder = built(made, tmp_path / str(number))
        every = " ".join(Page(path).text for path in folder.rglob("*.html"))
        assert f"residuals carry the event {says}" in every
        assert not any(
            f"residuals carry the event {other}" in every for other in cases.keys() - {says}
        )


def test_without_clips_the_report_says_so(made: Made, tmp_path: Path) -> None:
    made.kept = False
    folder = built(made, tmp_path / "report")
    assert not (folder / "clips").exists()
    for path in folder.rglob("*.html"):
        assert "There is nothing to listen to" in Page(path).text


def test_a_run_without_a_piece_says_so_and_nothing_else(made: Made, tmp_path: Path) -> None:
    """As of recordings of which the model returns the motif always, or never."""
    none = PossibleRow(gaining=0, losing=0, level=0.05, least=None, likely=None)
    measures = ("delta_recurrence", "towards_source", "clap_similarity", "loudness_db")
    unmeasured = dict.fromkeys((*measures, "spectral_db", "log_likelihood"))
    made.effects = [
        row.model_copy(update={**unmeasured, "clips": 0, "changed": 0}) for row in made.effects
    ]
    unmeasured = dict.fromkeys(
        ("effect", "over_controls", "gained", "lost", "clap_similarity", "log_likelihood")
    )
    made.verdicts = [
        row.model_copy(update={**unmeasured, "verdict": "unknown", "possible": none})
        for row in made.verdicts
    ]
    made.approaches = [nothing_found("naive correlation").model_copy(update={"verdict": "unknown"})]
    made.probes = [row for row in made.probes if row.model != "random_weights"]
    tracks = add_tracks(made)
    write_log(made.root / INTERVENTIONS, [])
    out = tmp_path / "report"
    out.mkdir()
    build_report(out, Reported(read_material(made.root), tracks=tracks), ALL)
    every = {path.name: Page(path).text for path in out.rglob("*.html")}
    for text in every.values():
        assert "nothing to listen to: no piece could show an effect, so no clip was made." in text
        for untrue in ("not kept", "was kept", "in 0 pieces", "0 of 0", "0 pairs answered"):
            assert untrue not in text
    index = every["index.html"]
    empty = (out / "index.html").read_text(encoding="utf-8").count("<span></span>")
    assert empty >= len(made.verdicts), "a row without a bar keeps its columns"
    assert index.count("there is none in which an effect could show") >= 2
    nothing = " \N{EN DASH}" * 3
    assert f"no feature found{nothing} too few pieces to tell unknown" in index
    assert "Effect of a patch" not in index
    assert "Random weights" not in index
    assert "One way to look for foresight" in index
    assert not any("Each button opens a pair" in text for text in every.values())


def test_every_page_of_a_rehearsal_says_that_it_is_one(made: Made, tmp_path: Path) -> None:
    words = "A rehearsal: the model organism does not hear recordings"
    for preset, is_said in (("folder", True), ("musicgen-folder", False), ("organism", False)):
        folder = built(made, tmp_path / preset, tracks=add_tracks(made, preset))
        for path in folder.rglob("*.html"):
            assert (words in Page(path).text) == is_said, (preset, path)


def test_without_a_piece_nothing_is_said_of_cues(made: Made, tmp_path: Path) -> None:
    """Only recordings can be without one, and they have openings."""
    material = read_material(made.write())
    assert material.composed
    write_log(made.root / INTERVENTIONS, [])
    assert not read_material(made.root).composed


def test_what_could_not_be_measured_says_why(made: Made, tmp_path: Path) -> None:
    log = made.write() / INTERVENTIONS
    rows = read_log(log)
    at = next(n for n, row in enumerate(rows) if row.candidate == SITE and row.condition == "patch")
    nothing = {"excluded": "silent", "returns": [], "metrics": ClipMetrics()}
    rows[at] = rows[at].model_copy(update=nothing)
    write_log(log, rows)
    write_report(tmp_path / "report", Reported(read_material(made.root)), ALL)
    path = next((tmp_path / "report/pairs").glob("planner-layers*"))
    first = page_data(path)[0]
    assert first["measured"] is None
    assert first["after"]["state"] == "not measured: silent"
    assert "piece_1 not measured" in Page(path).text
