"""Reports as files: what pages say and in which order; the same inputs give the same bytes."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from leitmotif.claims import CLAIM
from leitmotif.cli import app
from leitmotif.config import ReportParams, load_params
from leitmotif.errors import LeitmotifError, StageError, TargetError
from leitmotif.files import read_table, write_table
from leitmotif.files.targets import RECORD
from leitmotif.pipeline import EFFECTS, VERDICTS
from leitmotif.report.build import Reported, write_report
from leitmotif.report.lens.sources import read_lens
from leitmotif.report.material import read_material
from leitmotif.report.swaps.sources import read_swaps
from leitmotif.stages.report import report
from leitmotif.tables.effects import EffectRow, VerdictRow
from tests.report.conftest import ALL, built
from tests.report.lens.made_lens import write_lens
from tests.report.made import MARKUP, SITE, Made, page_data
from tests.report.made_all import write_all
from tests.report.made_tracks import add_tracks
from tests.report.parsed import Page
from tests.report.swaps.made_swaps import write_swaps
from tests.tables.made import aligned


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def test_the_same_inputs_give_the_same_bytes(
    report_folder: Path, made: Made, tmp_path: Path
) -> None:
    assert bytes_of(built(made, tmp_path / "again")) == bytes_of(report_folder)


def test_every_address_leads_to_a_file_of_the_folder(report_folder: Path) -> None:
    for path in report_folder.rglob("*.html"):
        for address in Page(path).addresses:
            if not address.startswith(("https://creativecommons.org/", "#")):
                assert (path.parent / address.partition("#")[0]).is_file(), (path.name, address)
        for pair in page_data(path):
            for which in ("before", "after"):
                for suffix in ("js", "flac"):
                    assert (report_folder / f"clips/{pair[which]['clip']}.{suffix}").is_file()
            if "page" in pair:
                assert (path.parent / pair["page"].partition("#")[0]).is_file()


def test_names_with_markup_stay_text(report_folder: Path) -> None:
    for path in report_folder.rglob("*.html"):
        assert MARKUP not in path.read_text(encoding="utf-8")
        page = Page(path)
        assert page.tags.count("img") == 1  # the icon
    assert MARKUP in Page(report_folder / "index.html").text
    assert any(
        pair["candidate"] == f"{MARKUP}:7" for pair in page_data(report_folder / "blind.html")
    )


def test_the_table_says_what_the_metrics_say(report_folder: Path) -> None:
    text = Page(report_folder / "index.html").text
    assert (
        "naive correlation 1 feature of planner-1 0.58 0.970 0.0 (0.0 to 0.0; 2 pieces, p 0.001)"
        in text
    )
    assert text.count("at the site that interventions select") == 1
    assert "at the site that interventions select: +62.0 (52.0 to 72.0; 2 pieces, p 0.001)" in text
    assert (
        "aligned and causal 1 feature of planner-1 0.71 0.970 +87.5 (75.5 to 99.5; 2 pieces" in text
    )
    assert "Three ways to look for foresight" in text
    assert "misaligned autoencoder no feature found" in text
    assert (
        "naive test 0.300 (0.250 to 0.350; 2 draws, p 0.001) , by the controlled test "
        "0.050 (0.040 to 0.060; 2 draws, p 0.001)" in text
    )


def test_the_tracks_that_are_left_are_counted_with_reasons(made: Made, tmp_path: Path) -> None:
    folder = built(made, tmp_path / "report", tracks=add_tracks(made))
    text = Page(folder / "index.html").text
    funnel = text[text.index("From recordings to pieces") : text.index("Figures What")]
    assert "Of 2 tracks, 1 was probed" in funnel
    assert "given 3" in funnel
    assert "decoded and verified 2 1 file could not be used" in funnel
    assert re.search(r"the proposals had 0.50 \(.*; 2 tracks\)", funnel)
    assert "50 % of the sound was not searched: 2 recordings are longer" in funnel
    assert (
        "Openings of planner. The motif returned after 5 of 16 openings of 2 recordings . An "
        "effect can show in 1 of these: where the motif returns after some openings and not after "
        "others." in funnel
    )
    assert "piece_1 : 3.0 of 6.0 s searched, 50 % not" in funnel


def test_findings_come_first_and_what_is_entangled_last_and_never_as_a_finding(
    report_folder: Path,
) -> None:
    text = Page(report_folder / "index.html").text
    tried = text[text.index("Everything that was tried") :]
    order = [
        "Findings: foresight",
        "Decodable, not causal",
        "Look-back",
        "Entangled (not findings)",
    ]
    places = [tried.index(title) for title in order]
    assert places == sorted(places)
    findings, apart = tried[: places[1]], tried[places[3] :]
    assert SITE in findings
    assert "planner-1:9" not in findings
    assert "planner-1:9" in apart
    assert {pair["candidate"] for pair in page_data(report_folder / "index.html")} == {SITE}
    assert {pair["condition"] for pair in page_data(report_folder / "index.html")} == {
        "patch_ahead"
    }


def test_each_pair_is_of_one_piece_with_its_places_marked(report_folder: Path) -> None:
    pairs = page_data(next((report_folder / "pairs").glob("planner-layers*")))
    assert len(pairs) == 2 * 4
    first = pairs[0]
    assert (first["condition"], first["track"], first["measured"]) == (
        "patch_ahead",
        "piece_1",
        "before",
    )
    assert first["boundary"] == 1.0
    assert first["due"] == 60_000 / 32_000
    kinds = {mark["kind"]: (mark["from"], mark["to"]) for mark in first["marks"]}
    assert kinds == {"slot": (1.875, 3.0), "line": (1.0, 1.0), "motif": (0.0, 0.5)}
    (returned,) = first["before"]["marks"]
    assert (returned["kind"], returned["from"], returned["to"]) == ("return", 2.0, 2.5)
    assert first["before"]["state"] == "the motif returns at 2.00 s"
    (changed,) = first["after"]["marks"]
    assert (changed["kind"], changed["from"], changed["to"]) == ("changed", 1.0, 2.0)
    assert first["after"]["state"] == "the motif does not return"
    untouched = next(pair for pair in pairs if pair["condition"] == "zero_effect_ahead")
    assert untouched["before"]["clip"] == untouched["after"]["clip"]
    assert untouched["facts"][0] == ["difference", "none: the clips are equal, sample by sample"]
    numbered = {pair["condition"] for pair in pairs if "random" in pair["condition"]}
    assert numbered == {"random_feature_ahead_1", "random_feature_ahead_2"}


def test_the_blind_test_has_each_sound_once(report_folder: Path) -> None:
    pairs = page_data(report_folder / "blind.html")
    sounds = [(pair["before"]["sha256"], pair["after"]["sha256"]) for pair in pairs]
    # Changed or not, of two pieces; the reader's clips only differ under the other cue.
    assert len(set(sounds)) == len(sounds) == 2 * 3


def test_pairs_that_begin_differently_are_not_blind(report_folder: Path) -> None:
    of_cue = page_data(next((report_folder / "pairs").glob("planner-the-other-cue-*")))
    assert of_cue
    assert not any(pair["alike"] for pair in of_cue)
    blind = page_data(report_folder / "blind.html")
    assert all(pair["alike"] for pair in blind)
    assert {pair["condition"] for pair in blind}.isdisjoint({"counterfactual"})
    assert "4 pairs of the report are not here" in Page(report_folder / "blind.html").text


def test_brands_are_on_every_page(made: Made, tmp_path: Path) -> None:
    made.approaches = [row.model_copy(update={"exploratory": True}) for row in made.approaches]
    made.alignment = [aligned(misaligned="MISALIGNED: planner-1 reads layers.2.residual")]
    folder = built(made, tmp_path / "report")
    for path in folder.rglob("*.html"):
        text = Page(path).text
        assert "Exploratory: tracks with undecided proposals" in text
        assert "planner-1 reads layers.2.residual" in text


@pytest.mark.fault("report", "a clip is missing", outcome="named error")
def test_a_clip_that_is_lost_stops_the_build_with_its_name(made: Made, tmp_path: Path) -> None:
    root = made.write()
    lost = next((root / "data/clips").iterdir())
    lost.unlink()
    with pytest.raises(StageError, match=lost.name):
        write_report(tmp_path / "report", Reported(read_material(root)), ALL)
    assert not (tmp_path / "report").exists()


def test_a_log_of_another_run_stops_the_build(made: Made, tmp_path: Path) -> None:
    root = made.write()
    others = [row for row in made.effects if (row.candidate, row.name) != (SITE, "patch_ahead")]
    write_table(root / EFFECTS, others)
    with pytest.raises(LeitmotifError, match="of no condition"):
        write_report(tmp_path / "report", Reported(read_material(root)), ALL)


def test_only_the_conditions_asked_for_are_shown(made: Made, tmp_path: Path) -> None:
    folder = built(made, tmp_path / "report", ReportParams(conditions=["patch"], features=0))
    pairs = page_data(next((folder / "pairs").glob("planner-layers*")))
    assert {pair["condition"] for pair in pairs} == {"patch_ahead"}
    assert not list((folder / "pairs").glob("*the-other-cue*"))


def test_a_shift_of_positions_stands_beside_the_verdict_and_is_none(
    made: Made, tmp_path: Path
) -> None:
    plain = (built(Made(tmp_path / "plain"), tmp_path / "without") / "index.html").read_text()
    assert "Positions moved" not in plain
    made.shift()
    settings = ALL.model_copy(update={"conditions": [*ALL.conditions, "position_shift"]})
    folder = built(made, tmp_path / "built", settings)
    text = Page(folder / "index.html").text
    assert text.count("Positions moved by 50 steps, and nothing else") == 2
    assert "2 of 4 clips changed. No verdict rests on this." in text
    (page,) = (folder / "pairs").glob("planner-positions-moved-*")
    shown = page.read_text()
    assert "nothing but positions, moved by 50 steps" in shown
    assert "Nothing is changed but the positions" in shown
    assert "the verdict rests on this" not in shown
    pairs = page_data(page)
    marked = {mark["kind"] for pair in pairs for mark in pair["after"]["marks"]}
    assert marked <= {"return"}  # no stretch is marked as changed
    assert all(pair["alike"] for pair in pairs)


def test_of_recordings_it_says_from_where_the_model_went_on(made: Made, tmp_path: Path) -> None:
    made.record()
    folder = built(made, tmp_path / "report")
    of_opening = next((folder / "pairs").glob("planner-the-other-opening-*"))
    text = "".join(Page(path).text for path in sorted(folder.rglob("*.html")))
    assert "patched from the run after the other opening in the gap" in text
    assert "positive towards the effect of the other opening" in text
    assert "another beginning: the other opening" in Page(of_opening).text
    assert "the other cue" not in text


def test_the_claim_is_quoted_as_the_documents_state_it(
    report_folder: Path, repo_root: Path
) -> None:
    stated = " ".join((repo_root / "docs/claim.md").read_text().split())
    assert CLAIM in stated
    assert CLAIM in " ".join(Page(report_folder / "index.html").text.split())


def test_a_report_replaces_a_report_and_nothing_else(made: Made, tmp_path: Path) -> None:
    reported, out = Reported(read_material(made.write())), tmp_path / "out"
    out.mkdir()
    write_report(out, reported, ALL)
    before = (out / "index.html").stat().st_ino
    with pytest.raises(TargetError, match="--replace"):
        write_report(out, reported, ALL)
    write_report(out, reported, ALL, replace=True)
    assert (out / "index.html").stat().st_ino != before
    (out / "notes.txt").write_text("mine")
    with pytest.raises(TargetError, match=r"notes\.txt, which was added"):
        write_report(out, reported, ALL, replace=True)
    assert (out / "notes.txt").read_text() == "mine"


def test_layers_have_a_page_and_a_tab_only_if_they_were_heard(
    made: Made, report_folder: Path, tmp_path: Path
) -> None:
    assert not (report_folder / "lens.html").exists()
    assert "Layers" not in Page(report_folder / "blind.html").texts
    lens = read_lens("tiny", write_lens(tmp_path))
    folder = tmp_path / "report"
    write_report(folder, Reported(read_material(made.write()), lens=lens), ALL)
    assert "tiny, 3 layers" in Page(folder / "lens.html").text
    for path in folder.rglob("*.html"):
        assert "Layers" in Page(path).texts
    # Answers to another report are kept apart.
    ids = [Page(root / "index.html").text.split("report ")[-1] for root in (report_folder, folder)]
    assert ids[0] != ids[1]


def test_swaps_have_a_page_and_a_tab_only_if_there_were_any(
    made: Made, report_folder: Path, tmp_path: Path
) -> None:
    assert not (report_folder / "swaps.html").exists()
    assert "Swaps" not in Page(report_folder / "blind.html").texts
    swaps = read_swaps("tiny", write_swaps(tmp_path))
    folder = tmp_path / "report"
    write_report(folder, Reported(read_material(made.write()), swaps=swaps), ALL)
    assert "tiny, 3 layers" in Page(folder / "swaps.html").text
    for path in folder.rglob("*.html"):
        assert "Swaps" in Page(path).texts
    # Answers to another report are kept apart.
    ids = [Page(root / "index.html").text.split("report ")[-1] for root in (report_folder, folder)]
    assert ids[0] != ids[1]


def test_the_stage_and_the_command_write_the_same_pages(
    made: Made, repo_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_all(made, repo_root)
    monkeypatch.chdir(made.root)
    report(load_params())
    counts = json.loads(Path("metrics/report.json").read_text())
    judged = read_table(VERDICTS, VerdictRow)
    effects = [row for row in read_table(EFFECTS, EffectRow) if row.condition != "baseline"]
    assert len(judged) == 4
    assert counts == {"pairs": 2 * len(effects)}
    # Both candidates, and the other one that was changed.
    assert len(list(Path("data/report/features").glob("planner-1-*"))) == 3
    pair = next(Path("data/report/pairs").glob("planner-planner-1-9*"))
    assert 'href="../features/planner-1-9.html"' in pair.read_text(encoding="utf-8")
    assert f'href="../pairs/{pair.name}"' in Path(
        "data/report/features/planner-1-9.html"
    ).read_text(encoding="utf-8")
    assert 'href="../features/index.html">Features</a>' in Path(
        "data/report/features/planner-1-9.html"
    ).read_text(encoding="utf-8")
    for page in ("lens.html", "swaps.html"):
        assert "concepts, 3 layers" in Page(Path("data/report") / page).text
    done = CliRunner().invoke(app, ["report", "--out", "elsewhere"])
    assert done.exit_code == 0, done.output
    assert re.search(r"open elsewhere/index\.html", done.output)
    (Path("elsewhere") / RECORD).unlink()  # DVC knows what the stage made
    assert bytes_of(Path("elsewhere")) == bytes_of(Path("data/report"))
