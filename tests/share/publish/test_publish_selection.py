"""Which files of a checkout may be published."""

import json
import shutil
from pathlib import Path

import pytest

from leitmotif.errors import ConfigError, LeitmotifError, StoreError
from leitmotif.files import read_table, sha256_file, write_table
from leitmotif.files.yaml_files import EditableYaml
from leitmotif.share.publish.card import how_to_load
from leitmotif.share.publish.selection import PublicationSelection, select
from leitmotif.store.reading.index import read_index, write_index
from leitmotif.tables.corpus import ManifestTrack
from tests.share.publish.published_project import (
    KEPT_BACK,
    SHARED,
    SITES,
    commit,
    in_shards,
    lock,
    recording,
)


def paths(selection: PublicationSelection) -> set[str]:
    return {payload.row.path for payload in selection.payloads}


def edit(path: Path, *keys: str, value: object) -> None:
    """Change one setting of a YAML file."""
    yaml = EditableYaml(path.read_text(encoding="utf-8"))
    section = yaml.values
    for key in keys[:-1]:
        section = section[int(key) if key.isdecimal() else key]
    section[keys[-1]] = value
    path.write_text(str(yaml), encoding="utf-8")


def test_files_of_each_kind_are_published(project: Path) -> None:
    folders = [
        *(f"data/activations/{site}" for site in SITES),
        "data/features",
        "data/sae/planner-0",
    ]
    tensors = {f"{folder}/{track}.safetensors" for folder in folders for track in SHARED}
    autoencoder = {
        f"models/organism/sae/layers.0.residual/{name}"
        for name in ("cfg.json", "curve.csv", "sae_weights.safetensors", "training.json")
    }
    tables = {
        *(f"data/activations/{name}.jsonl" for name in ("index", "failures")),
        *(f"data/features/{name}.jsonl" for name in ("artifacts", "near_duplicates")),
        "data/sae/hooks.jsonl",
        *(f"data/{name}.jsonl" for name in ("interventions", "swaps", "swap_summary")),
    }
    clips = {"data/clips/a.wav", "data/clips/b.wav", "data/lens/0.wav", "data/swap_clips/1.wav"}
    assert paths(select(project)) == tensors | autoencoder | tables | clips


@pytest.mark.fault(
    "leitmotif publish",
    "tracks without derivatives, without a licence, or with one that is not known",
    outcome="tensors, features, encodings, clips and rows of them stay here, with the reason",
)
def test_what_a_licence_forbids_stays(project: Path) -> None:
    selection = select(project)
    reasons = dict(zip(KEPT_BACK, ("no_derivatives", "unknown_licence", "no_licence"), strict=True))
    for track, reason in reasons.items():
        rows = [row for row in selection.withheld if f"/{track}." in row.path]
        assert len(rows) == len(SITES) + 2  # features and encoded features
        assert {row.reason for row in rows} == {reason}
        assert {tuple(row.tracks) for row in rows} == {(track,)}
    clips = {Path(row.path).stem: row for row in selection.withheld if "clips" in row.path}
    assert {name: row.reason for name, row in clips.items()} == {
        "c": "no_derivatives",
        "d": "no_licence",  # one of its two tracks
        "lost": "unknown_track",
    }
    assert clips["d"].tracks == ["bare"]
    everything = {row.path for row in selection.withheld} | paths(selection)
    there = [path for path in (project / "data").rglob("*") if path.is_file()]
    assert {path.relative_to(project).as_posix() for path in there} <= everything | {
        "data/manifest.jsonl"
    }


def test_rows_on_tracks_that_stay_are_left_out_of_tables(project: Path) -> None:
    payloads = {payload.row.path: payload for payload in select(project).payloads}
    index = payloads["data/activations/index.jsonl"]
    assert index.content is not None
    rows = [json.loads(line) for line in index.content.splitlines()]
    assert [(row["site"], row["track_id"]) for row in rows] == [
        (site, track) for site in SITES for track in SHARED
    ]
    assert index.row.rows_left_out == len(SITES) * len(KEPT_BACK)
    assert payloads["data/features/near_duplicates.jsonl"].content == b"\n"  # the other one stays
    log = payloads["data/interventions.jsonl"]
    assert log.content is not None
    assert {json.loads(line)["track_id"] for line in log.content.splitlines()} == set(SHARED)
    whole = payloads["data/swaps.jsonl"]
    assert whole.content == (project / "data" / "swaps.jsonl").read_bytes()


@pytest.mark.fault(
    "leitmotif publish",
    "shards with tracks that may not be published",
    outcome="their tensors and rows stay here; the shard is packed anew from the others",
)
def test_a_shard_is_published_without_the_tracks_that_may_not_be(project: Path) -> None:
    store = in_shards(project)
    selection = select(project)
    for site in SITES:
        folder = f"data/activations/{site}"
        payloads = {p.row.path: p for p in selection.payloads if p.row.path.startswith(folder)}
        mixed = payloads[f"{folder}/shard.10.safetensors"]
        assert (mixed.row.tracks, mixed.row.tensors_left_out) == (["free"], 2)
        assert mixed.row.licences == ["CC0 1.0", "MIT"]
        whole = payloads[f"{folder}/shard.11.safetensors"]
        assert (whole.row.tracks, whole.row.tensors_left_out) == (["alike"], 0)
        assert whole.row.sha256 == sha256_file(store / site / "shard.11.safetensors")
        assert f"{folder}/shard.01.safetensors" not in payloads
    withheld = {row.path: row for row in selection.withheld if "activations" in row.path}
    assert [*withheld] == [f"data/activations/{site}/shard.01.safetensors" for site in SITES]
    assert {(row.reason, *row.tracks) for row in withheld.values()} == {
        ("unknown_licence", "strange")
    }
    (index,) = (p for p in selection.payloads if p.row.path.endswith("shards.jsonl"))
    assert index.content is not None
    rows = [json.loads(line) for line in index.content.splitlines()]
    assert sorted(track for row in rows for track in row["tracks"]) == sorted(2 * SHARED)
    assert index.row.rows_left_out == len(SITES)
    assert "leitmotif.ActivationStore" in how_to_load("me/data", selection)


@pytest.mark.fault(
    "leitmotif publish", "a shard of no row", outcome="it stays here, with the reason"
)
def test_a_shard_that_no_row_names_stays(project: Path) -> None:
    store = in_shards(project)
    rows = read_index(store)
    write_index(store, rows[1:])
    lock(project)
    commit(project)
    selection = select(project)
    withheld = {row.path: row.reason for row in selection.withheld}
    assert withheld[f"data/activations/{rows[0].file}"] == "unknown_track"


@pytest.mark.fault(
    "leitmotif publish", "a shard with a track that its row does not name", outcome="refused"
)
def test_a_shard_that_holds_more_than_its_row_says_is_refused(project: Path) -> None:
    store = in_shards(project)
    fewer = {"tracks": ["free"], "frames": [5]}
    rows = [
        row.model_copy(update=fewer if "shard.10" in row.file else {}) for row in read_index(store)
    ]
    write_index(store, rows)
    lock(project)
    commit(project)
    with pytest.raises(StoreError, match="holds other tracks than its index says"):
        select(project)


def test_a_file_has_the_licences_of_all_that_it_was_made_from(project: Path) -> None:
    rows = {payload.row.path: payload.row for payload in select(project).payloads}
    assert rows["data/features/alike.safetensors"].licences == ["CC BY-NC-SA 3.0"]
    assert rows[f"data/activations/{SITES[0]}/free.safetensors"].licences == ["CC0 1.0", "MIT"]
    assert rows["data/clips/b.wav"].licences == ["CC BY 4.0", "CC BY-NC-SA 3.0", "MIT"]
    assert rows["data/clips/b.wav"].tracks == ["alike", "credited"]
    assert rows["data/lens/0.wav"].licences == ["MIT"]


def test_with_musicgen_its_licence_holds_for_what_it_puts_out(project: Path) -> None:
    params = project / "params.yaml"
    edit(params, "model", "name", value="facebook/musicgen-small")
    edit(params, "decoderlens", "model", value=None)
    for section in ("model", "decoderlens"):
        edit(params, section, "watch", value="params.yaml")
    edit(params, "model", "revision", value="1" * 40)
    edit(params, "probes", "comparisons", value=[])
    commit(project)
    rows = {payload.row.path: payload.row for payload in select(project).payloads}
    assert rows["data/lens/0.wav"].licences == ["CC BY-NC 4.0"]
    assert rows["data/features/free.safetensors"].licences == ["CC0 1.0"]


@pytest.mark.fault(
    "leitmotif publish", "a model whose licence is not stated", outcome="refused by name"
)
def test_a_model_needs_a_licence(project: Path) -> None:
    edit(project / "artifacts.yaml", "models", "0", "model", value="models/others")
    commit(project)
    with pytest.raises(ConfigError, match="what models/organism/planner puts out"):
        select(project)


@pytest.mark.fault(
    "leitmotif publish", "a recording under the name of an output", outcome="refused by name"
)
def test_a_recording_is_found_by_its_content(project: Path) -> None:
    (project / "data" / "lens" / "1.wav").write_bytes(recording("free"))
    lock(project)
    commit(project)
    with pytest.raises(LeitmotifError, match=r"data/lens/1\.wav[\s\S]*the recording of free"):
        select(project)


@pytest.mark.fault(
    "leitmotif publish",
    "outputs changed, added, deleted or missing since dvc.lock",
    outcome="refused by name",
)
@pytest.mark.parametrize("how", ["changed", "added", "deleted", "table", "licences"])
def test_outputs_have_to_be_those_of_the_lock(project: Path, how: str) -> None:
    data = project / "data"
    match how:
        case "changed":
            (data / "clips" / "a.wav").write_bytes(b"RIFF clip z")
        case "added":
            (data / "clips" / "z.wav").write_bytes(b"RIFF")
        case "deleted":
            (data / "clips" / "c.wav").unlink()
        case "table":
            (data / "swaps.jsonl").write_text("\n")
        case "licences":
            rows = (data / "manifest.jsonl").read_text()
            (data / "manifest.jsonl").write_text(rows.replace("by-nc-nd", "by"))
    name = {"table": "data/swaps.jsonl", "licences": "data/manifest.jsonl"}.get(how, "data/clips")
    with pytest.raises(StoreError, match=f"{name}: [0-9a-f]{{32}}[\\s\\S]*dvc checkout"):
        select(project)


def test_an_output_that_is_not_here_is_named(project: Path) -> None:
    shutil.rmtree(project / "data" / "sae")
    with pytest.raises(StoreError, match="data/sae is not here"):
        select(project)


def test_an_output_that_is_not_in_the_lock_is_refused(project: Path) -> None:
    path = project / "dvc.lock"
    path.write_text(path.read_text().replace("data/lens", "data/other"))
    commit(project)
    with pytest.raises(StoreError, match=r"data/lens: not in dvc\.lock"):
        select(project)


@pytest.mark.parametrize("name", ["dvc.lock", "dvc.yaml", "params.yaml", "artifacts.yaml"])
def test_what_decides_has_to_be_committed(project: Path, name: str) -> None:
    with (project / name).open("a") as file:
        file.write("\n# later\n")
    with pytest.raises(LeitmotifError, match=f"changes in {name} since"):
        select(project)


def test_other_changes_are_named(project: Path) -> None:
    assert select(project).state.uncommitted == ()
    (project / ".gitignore").write_text((project / ".gitignore").read_text() + "/x\n")
    assert select(project).state.uncommitted == (".gitignore",)


@pytest.mark.parametrize("change", ["edited", "added"])
def test_an_autoencoder_has_to_be_the_committed_one(project: Path, change: str) -> None:
    folder = project / "models" / "organism" / "sae" / "layers.0.residual"
    name = {"edited": "cfg.json", "added": "notes.txt"}[change]
    (folder / name).write_text("{}")
    with pytest.raises(StoreError, match=f"{name} cannot be published"):
        select(project)


def test_only_autoencoders_in_use_are_published(project: Path) -> None:
    edit(project / "params.yaml", "sae", "hooks", value=[])
    commit(project)
    assert not any(path.startswith("models/") for path in paths(select(project)))


@pytest.mark.fault("leitmotif publish", "a line of a table that is not JSON", outcome="named")
@pytest.mark.parametrize("line", ["{", "[1]", '{"a": 1, "a": 2}'])
def test_a_torn_table_is_named(project: Path, line: str) -> None:
    with (project / "data" / "features" / "artifacts.jsonl").open("a") as file:
        file.write(line + "\n")
    lock(project)
    commit(project)
    with pytest.raises(LeitmotifError, match=r"artifacts\.jsonl:7 is not"):
        select(project)


@pytest.mark.fault(
    "leitmotif publish", "a track with two rows of the manifest", outcome="refused by name"
)
def test_a_track_has_one_licence(project: Path) -> None:
    manifest = project / "data" / "manifest.jsonl"
    tracks = read_table(manifest, ManifestTrack)
    free = next(track.licence for track in tracks if track.track_id == "free")
    again = [
        track.model_copy(update={"licence": free}) for track in tracks if track.track_id == "bare"
    ]
    write_table(manifest, [*tracks, *again])
    lock(project)
    commit(project)
    with pytest.raises(LeitmotifError, match=r"manifest\.jsonl:\d+ is not a ManifestTrack"):
        select(project)
