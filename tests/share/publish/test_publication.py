"""The card and the tables of a publication, and the dry run."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import DatasetCard
from typer.testing import CliRunner

from leitmotif.cli import app
from leitmotif.errors import LeitmotifError, TargetError
from leitmotif.files import read_table, sha256_file
from leitmotif.share.publish.card import card
from leitmotif.share.publish.preview import as_lines
from leitmotif.share.publish.publication import Publication, publication
from leitmotif.share.publish.routing import StatedLicence
from leitmotif.share.publish.rows import PublishedFile, PublishedTrack, WithheldFile
from leitmotif.share.publish.selection import PublicationSelection, select
from tests.share.publish.published_project import KEPT_BACK, LICENCES, SHARED
from tests.share.publish.writable_hub import problems_of_card

NAME = "someone/planner"


@pytest.fixture
def selection(project: Path) -> PublicationSelection:
    return select(project)


@pytest.fixture
def made(selection: PublicationSelection) -> Publication:
    return publication(NAME, selection)


def text_of(made: Publication) -> str:
    return made.descriptions["README.md"].decode()


def front_matter(text: str) -> dict[str, Any]:
    return dict(DatasetCard(text).data.to_dict())  # type: ignore[no-untyped-call]


def test_the_tables_tell_all_of_it(made: Publication, tmp_path: Path) -> None:
    for name, content in made.descriptions.items():
        (tmp_path / name).write_bytes(content)
    listed = read_table(tmp_path / "manifest.jsonl", PublishedFile)
    sent = {payload.row.path: payload.row for payload in made.payloads}
    described = {"manifest.jsonl", "publication.json", "README.md"}
    assert listed == [row for path, row in sorted(sent.items()) if path not in described]
    tracks = read_table(tmp_path / "tracks.jsonl", PublishedTrack)
    assert {row.track_id: row.licence for row in tracks} == LICENCES
    assert [row.track_id for row in tracks if row.published] == list(SHARED)
    withheld = read_table(tmp_path / "withheld.jsonl", WithheldFile)
    assert withheld == made.withheld
    record = json.loads(made.descriptions["publication.json"])
    assert record["manifest_sha256"] == sha256_file(tmp_path / "manifest.jsonl")
    assert record["files"] == len(listed)
    assert record["bytes"] == sum(row.bytes for row in listed)
    for payload in made.payloads:
        if payload.content is None:
            assert payload.file is not None
            assert sha256_file(payload.file.place) == payload.row.sha256


def test_equal_outputs_give_equal_publications(made: Publication, project: Path) -> None:
    again = publication(NAME, select(project))
    assert again.descriptions == made.descriptions


def test_the_front_matter_is_what_the_hub_accepts(made: Publication) -> None:
    text = text_of(made)
    assert problems_of_card(text) == []
    data = front_matter(text)
    assert data["license"] == ["cc-by-4.0", "cc-by-nc-sa-3.0", "cc0-1.0", "mit"]
    configs = {config["config_name"]: config["data_files"] for config in data["configs"]}
    assert configs["interventions"] == "data/interventions.jsonl"
    sent = {payload.row.path for payload in made.payloads}
    assert set(configs.values()) <= sent


def test_the_card_counts_and_names(made: Publication, selection: PublicationSelection) -> None:
    text = text_of(made)
    assert f"`{selection.state.commit}`" in text
    assert "| `data/clips` | 2 | 0.0 |" in text
    assert "<code>models/organism/planner</code>" in text
    assert "- 5 files: its licence forbids sharing what is made from it" in text
    assert "- 12 rows of tables, on tracks that are not published" in text
    assert f'snapshot_download("{NAME}", repo_type="dataset")' in text
    for track in LICENCES:
        (line,) = re.findall(rf"^\| {track} \|.*$", text, flags=re.MULTILINE)
        assert ("| yes |" in line) == (track in SHARED)
    assert "**Model organism.**" in text
    assert "Exploratory" not in text
    assert "Misaligned" not in text
    assert str(selection.root.resolve()) not in text


def test_a_credit_is_text_and_no_markup(made: Publication) -> None:
    (line,) = re.findall(r"^\| credited \|.*$", text_of(made), flags=re.MULTILINE)
    assert len(re.findall(r"(?<!\\)\|", line)) == 5
    assert "<script>" not in line


@pytest.mark.fault(
    "leitmotif publish",
    "markup, bars and new lines in the names of artifacts.yaml and of the model",
    outcome="text in the card, and no markup",
)
def test_names_of_settings_are_text_and_no_markup(selection: PublicationSelection) -> None:
    mark = "A | B\n# <script>`[x](y)"
    licence = StatedLicence(name=mark, url="https://a/b) | [c](d) <e", attribution=mark)
    routing = selection.permissions.routing.model_copy(update={"repository": licence})
    allowed = replace(selection.permissions, routing=routing, models=(licence,))
    model = selection.params.model.model_copy(update={"name": mark})
    params = selection.params.model_copy(update={"model": model})
    text = text_of(publication(NAME, replace(selection, permissions=allowed, params=params)))
    body = text.partition("\n---\n")[2]
    assert "<script>" not in body
    assert re.findall(r"^# .*$", body, flags=re.MULTILINE) == [
        "# Activations and interventions of A &#124; B # &lt;script&gt;&#96;&#91;x&#93;(y)"
    ]
    stated = [line for line in body.split("\n") if "https://a/b" in line]
    assert len(stated) == 2
    assert all(line.count("|") == 3 and line.count("](") == 1 for line in stated)
    assert all(re.search(r"\]\(https://[^\s()|<]+\) \|", line) for line in stated)


@pytest.mark.parametrize(
    ("section", "key", "words"),
    [
        ("probes", "exploratory", "**Exploratory.**"),
        ("sae", "allow_misaligned", "**Misaligned autoencoders were allowed.**"),
    ],
)
def test_the_card_says_what_was_exploratory(
    selection: PublicationSelection, made: Publication, section: str, key: str, words: str
) -> None:
    old = getattr(selection.params, section)
    params = selection.params.model_copy(update={section: old.model_copy(update={key: True})})
    text = card(NAME, replace(selection, params=params), made.record)
    assert words in text


def test_a_licence_that_the_hub_does_not_know_is_named_other(
    selection: PublicationSelection,
) -> None:
    licence = LICENCES["free"]
    assert licence is not None
    mark = licence.model_copy(update={"url": "https://creativecommons.org/publicdomain/mark/1.0/"})
    track = selection.permissions.tracks["free"].model_copy(update={"licence": mark})
    tracks = {**selection.permissions.tracks, "free": track}
    changed = replace(selection, permissions=replace(selection.permissions, tracks=tracks))
    text = text_of(publication(NAME, changed))
    assert problems_of_card(text) == []
    assert "other" in front_matter(text)["license"]


def test_the_dry_run_lists_every_file_once_and_sorted(made: Publication) -> None:
    lines = as_lines(NAME, made)
    pattern = r"^ +([\d,]+)  (\S.*?)  +(\S+)(?:  \(.*\))?$"
    matches = [re.match(pattern, line) for line in lines[1 : 1 + len(made.payloads)]]
    listed = [(m[3], m[2], int(m[1].replace(",", ""))) for m in matches if m is not None]
    rows = [payload.row for payload in made.payloads]
    assert listed == [(row.path, ", ".join(row.licences), row.bytes) for row in rows]
    assert listed == sorted(listed)
    assert f"{len(made.payloads)} files, {made.size / 1e6:.1f} MB" in "\n".join(lines)
    assert sum(line.endswith((": no_licence", ": no_derivatives")) for line in lines) == 10
    assert any(KEPT_BACK[0] in line for line in lines)


def test_the_dry_run_needs_no_hub(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: Publication
) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    arguments = ["publish", NAME, "--dry-run", "--endpoint", "http://127.0.0.1:9"]
    out = tmp_path / "preview"
    done = CliRunner().invoke(app, [*arguments, "--out", str(out)], catch_exceptions=False)
    assert done.exit_code == 0
    assert done.output.splitlines() == as_lines(NAME, made)
    for name, content in made.descriptions.items():
        assert (out / name).read_bytes() == content
    again = CliRunner().invoke(app, [*arguments, "--out", str(out)])
    assert isinstance(again.exception, TargetError)
    replaced = CliRunner().invoke(app, [*arguments, "--out", str(out), "--replace"])
    assert replaced.exit_code == 0


def test_out_is_for_the_dry_run(project: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["publish", NAME, "--out", str(tmp_path / "x")])
    assert isinstance(done.exception, LeitmotifError)
    assert "--dry-run" in str(done.exception)
