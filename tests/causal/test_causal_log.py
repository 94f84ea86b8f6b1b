"""The log of interventions: whole or not at all, as its schema says, and enough to replay from."""

import errno
import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import soundfile
import torch

from leitmotif import cli, files
from leitmotif.causal.experiment.conditions import Condition
from leitmotif.causal.experiment.hearing import ListeningSettings
from leitmotif.causal.experiment.log import row_of, write_audio, write_log
from leitmotif.causal.experiment.measures import ClipMeasurer, MeasuredClip
from leitmotif.causal.experiment.pieces import AHEAD, COUNTERFACTUAL
from leitmotif.causal.experiment.prefixes import Opening, Prefix, prefix_of
from leitmotif.causal.experiment.runner import ContinuationSettings, Runner
from leitmotif.causal.experiment.targets import Coordinates, SaeFeatures, WholeSite
from leitmotif.causal.experiment.twins import Twins, slot_of, source_name
from leitmotif.corpus.organism.composer import render, score_of, sounds
from leitmotif.corpus.organism.shard import encode_mp3
from leitmotif.corpus.organism.synthesis import SoundBank
from leitmotif.corpus.organism.world import World
from leitmotif.errors import AudioError, LeitmotifError, StoreError
from leitmotif.files import sha256_file, write_table
from leitmotif.judge.models import Clap
from leitmotif.musicgen import HookedMusicGen, Sampling
from leitmotif.recurrence.continuation import Return
from leitmotif.recurrence.search.settings import SearchSettings
from leitmotif.sae.autoencoder.fetch import fetch
from leitmotif.sae.autoencoder.formats import load_sae
from leitmotif.sae.autoencoder.registry import load_registry
from leitmotif.share.protocol.schemas import schema_of
from leitmotif.store.cache.entries import WorkCache
from leitmotif.tables.base import Span
from leitmotif.tables.corpus import ManifestTrack, Window
from leitmotif.tables.effects import Kind
from leitmotif.tables.interventions import LOG, InterventionRow, read_log
from leitmotif.tables.truth import Truth
from tests.tables.made import manifest_track

MODEL = "models/organism/planner"
SITE = "layers.1.residual"
HOW = ContinuationSettings(seconds=2.0, seeds=(4,), sampling=Sampling(top_k=50))


@pytest.fixture(scope="module")
def workplace(
    repo_root: Path, world: World, truths: list[Truth], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A copy of what a replay reads: params, models, and a corpus of two tracks."""
    root = tmp_path_factory.mktemp("workplace")
    (root / "models").symlink_to(repo_root / "models")
    shutil.copy(repo_root / "presets/organism.yaml", root / "params.yaml")
    shutil.copy(repo_root / "hooks.yaml", root / "hooks.yaml")
    bank, tracks = SoundBank(world), []
    for row in truths[:2]:
        path = root / f"data/corpus/{row.track_id}.mp3"
        path.parent.mkdir(parents=True, exist_ok=True)
        score = score_of(world, row)
        path.write_bytes(encode_mp3(render(bank, sounds(world, score)), world.sample_rate))
        tracks.append(
            manifest_track(
                track_id=row.track_id, path=path.name, sha256=sha256_file(path), seconds=8.32
            )
        )
    write_table(root / "data/corpus/truth.jsonl", truths[:2])
    write_table(root / "data/manifest.jsonl", tracks)
    return root


def prefix(model: HookedMusicGen, root: Path, repo_root: Path) -> Prefix:
    track = files.read_table(root / "data/manifest.jsonl", ManifestTrack)
    corpus = root / "data/corpus"
    twins = Twins.of_corpus(corpus, repo_root / "models/organism/world.json")
    twin = twins.counterfactual(model, "piece_0", 0)
    assert twin is not None
    other = twins.counterfactual(model, "piece_0", 1)
    assert other is not None
    sources = {source_name(0): twin, source_name(1): other}
    return prefix_of(model, track[0], corpus, seconds=1.28, sources=sources)


@pytest.fixture(scope="module")
def measured(planner: HookedMusicGen, workplace: Path, repo_root: Path) -> list[MeasuredClip]:
    hook = load_registry(repo_root / "hooks.yaml")["planner-1"]
    sae = load_sae(fetch(hook.checkpoint, root=repo_root))
    features = SaeFeatures(sae, (3, 5), hook.name, hook.checkpoint.sha256)
    whole = WholeSite(SITE, torch.zeros(128))
    coordinate, second = Coordinates(SITE, (7,), torch.zeros(1)), source_name(1)
    given = [
        Condition("baseline"),
        Condition("counterfactual", source=source_name(0)),
        Condition("zero_effect", "a", features),
        Condition("scale", "a", features, -4.0),
        Condition("patch", "site", whole, source=source_name(0), steps=range(68, 120)),
        Condition("random_feature", "a", coordinate, 1.0, source=second, steps=range(10, 90)),
        Condition("position_shift", shift=25),
    ]
    clap = Clap.from_pretrained(str(repo_root / "models/organism/judges/clap"), device="cpu")
    cache = WorkCache(workplace / ".leitmotif/clips")
    clips = Runner(planner, cache, HOW).run([prefix(planner, workplace, repo_root)], given)
    return list(ClipMeasurer(planner, clap, ListeningSettings(SearchSettings(), {})).measure(clips))


def rows_of(clips: Iterable[MeasuredClip], model: HookedMusicGen) -> list[InterventionRow]:
    return [
        row_of(
            clip,
            HOW,
            name=clip.clip.condition.kind,
            model=MODEL,
            model_fingerprint=model.fingerprint,
            sample_rate=model.sample_rate,
        )
        for clip in clips
    ]


@pytest.fixture(scope="module")
def rows(measured: list[MeasuredClip], planner: HookedMusicGen) -> list[InterventionRow]:
    return rows_of(measured, planner)


def test_lines_fit_the_schema_and_are_read_back(
    rows: list[InterventionRow], tmp_path: Path
) -> None:
    path = tmp_path / "interventions.jsonl"
    assert write_log(path, rows) == 7
    for line in path.read_text().splitlines():
        jsonschema.validate(json.loads(line), schema_of(InterventionRow))
        assert set(json.loads(line)) == set(InterventionRow.model_fields)
    assert read_log(path) == rows
    assert [row.feature for row in rows] == [None, None, [3, 5], [3, 5], None, 7, None]
    assert rows[0].tokens_sha256 == rows[2].tokens_sha256
    assert rows[0].clip_id != rows[2].clip_id
    assert rows[4].steps == (68, 120)
    shifted = rows[6]
    assert (shifted.condition, shifted.strength, shifted.site) == ("position_shift", 25.0, None)
    assert shifted.prefix_sha256 == rows[0].prefix_sha256
    assert shifted.tokens_sha256 != rows[0].tokens_sha256
    assert all(row.metrics.clap_similarity is not None for row in rows)


def test_where_nothing_is_like_the_motif_the_line_has_no_place(
    measured: list[MeasuredClip], planner: HookedMusicGen, tmp_path: Path
) -> None:
    nothing = Return(Span(start_sample=0, samples=20_480), False, 1.0, 0, -math.inf, 1.0)
    row = row_of(
        replace(measured[0], returns=(nothing,)),
        HOW,
        name="baseline",
        model=MODEL,
        model_fingerprint=planner.fingerprint,
        sample_rate=planner.sample_rate,
    )
    assert (row.returns[0].start_sample, row.returns[0].score) == (None, None)
    assert write_log(tmp_path / LOG.name, [row]) == 1


@pytest.mark.fault("intervention clips", "a write that fails", outcome="whole or not there")
def test_a_clip_is_whole_or_not_there(
    measured: list[MeasuredClip],
    rows: list[InterventionRow],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a full disk the old log stays, no half file does, and the log names no lost clip."""
    log, clip = tmp_path / LOG.name, tmp_path / "clips/a.wav"
    write_audio(clip, measured[0], 32_000)
    samples, rate = soundfile.read(clip, dtype="int16")
    assert (len(samples), rate) == (164 * 640, 32_000)
    write_log(log, [rows[0].model_copy(update={"file": "clips/a.wav"})])
    before = log.read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(StoreError, match="disk is full"):
            write_audio(tmp_path / "clips/b.wav", measured[1], 32_000)
        with pytest.raises(StoreError, match="disk is full"):
            write_log(log, rows)
    assert log.read_bytes() == before
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.wav", "clips", LOG.name]
    with pytest.raises(StoreError, match=r"1 missing, such as clips/b\.wav"):
        write_log(log, [rows[0].model_copy(update={"file": "clips/b.wav"})])
    assert log.read_bytes() == before


Replay = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run_replay(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Replay:
    """Run `leitmotif replay` in this process, which is quicker than to start another."""

    def run(root: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
        capsys.readouterr()
        with monkeypatch.context() as patch:
            patch.chdir(root)
            patch.setattr(sys, "argv", ["leitmotif", "replay", *arguments])
            with pytest.raises(SystemExit) as ended:
                cli.main()
        out, err = capsys.readouterr()
        code = ended.value.code
        assert isinstance(code, int)
        return subprocess.CompletedProcess(arguments, code, out, err)

    return run


@pytest.mark.parametrize("line", [1, 2, 4, 5, 6, 7])
def test_a_clip_is_made_again(
    rows: list[InterventionRow], workplace: Path, line: int, run_replay: Replay
) -> None:
    write_log(workplace / LOG, rows)
    done = run_replay(workplace, str(line))
    assert done.returncode == 0, done.stderr
    row = rows[line - 1]
    assert f"{row.clip_id}: {row.condition} of piece_0, seed 4: tokens equal" in done.stdout
    assert "audio equal" in done.stdout


@pytest.mark.parametrize("kind", ["patch", "counterfactual"])
def test_what_the_model_itself_put_after_a_prefix_is_made_again(
    planner: HookedMusicGen, workplace: Path, repo_root: Path, kind: Kind, run_replay: Replay
) -> None:
    """Recordings have no twin; the line names the openings by their seeds."""
    corpus = workplace / "data/corpus"
    track, _ = files.read_table(workplace / "data/manifest.jsonl", ManifestTrack)
    plain = prefix_of(planner, track, corpus, seconds=0.64)
    cache = WorkCache(workplace / ".leitmotif/clips")
    openings = replace(HOW, seconds=0.72, seeds=(9, 10))
    own, other = Runner(planner, cache, openings).run([plain], [Condition("baseline")])
    opened = replace(
        plain,
        codes=own.codes,
        sources={COUNTERFACTUAL: other.codes},
        tracks={COUNTERFACTUAL: Opening(10, 36).name},
        windows={AHEAD: range(69, 100)},
        opening=Opening(9, 36),
    )
    whole = WholeSite(SITE, torch.zeros(128))
    treated = {
        "patch": Condition("patch", "site", whole, source=COUNTERFACTUAL, window=AHEAD),
        "counterfactual": Condition("counterfactual", source=COUNTERFACTUAL),
    }[kind]
    clap = Clap.from_pretrained(str(repo_root / "models/organism/judges/clap"), device="cpu")
    clips = Runner(planner, cache, HOW).run([opened], [Condition("baseline"), treated])
    made = ClipMeasurer(planner, clap, ListeningSettings(SearchSettings(), {})).measure(clips)
    rows = rows_of(made, planner)
    assert [row.source for row in rows] == [None, "opening.10"]
    assert [row.opening and row.opening.seed for row in rows] == [9, 9]
    write_log(workplace / LOG, rows)
    for line in ("1", "2"):
        done = run_replay(workplace, line)
        assert "tokens equal, audio equal" in done.stdout, done.stderr


def test_a_clip_from_a_later_window_is_made_again(
    planner: HookedMusicGen,
    workplace: Path,
    tmp_path: Path,
    repo_root: Path,
    run_replay: Replay,
) -> None:
    """The line has the codes' hash, which says which window of the recording they begin."""
    root = shutil.copytree(workplace, tmp_path / "windows", symlinks=True)
    whole = files.read_table(root / "data/manifest.jsonl", ManifestTrack)[0]
    windows = [Window(start_frame=start, frames=104) for start in (0, 104, 208, 312)]
    track = whole.model_copy(update={"windows": windows})
    write_table(root / "data/manifest.jsonl", [track])
    plain = prefix_of(planner, track, root / "data/corpus", seconds=0.64, window=windows[2])
    clips = Runner(planner, WorkCache(root / "clips"), HOW).run([plain], [Condition("baseline")])
    clap = Clap.from_pretrained(str(repo_root / "models/organism/judges/clap"), device="cpu")
    made = ClipMeasurer(planner, clap, ListeningSettings(SearchSettings(), {})).measure(clips)
    rows = rows_of(made, planner)
    write_log(root / LOG, rows)
    done = run_replay(root, "1")
    assert "tokens equal, audio equal" in done.stdout, done.stderr


def test_another_clip_is_noticed(
    rows: list[InterventionRow], workplace: Path, run_replay: Replay
) -> None:
    wrong = rows[3].model_copy(update={"seed": 5})
    write_log(workplace / LOG, [wrong])
    done = run_replay(workplace, "1")
    assert done.returncode == 1
    assert "tokens differ" in done.stdout
    missing = run_replay(workplace, "2")
    assert missing.returncode == 1
    assert missing.stderr == f"error: {LOG} has no line 2\n  expected: 1 to 1\n"


def test_other_files_than_the_lines_are_refused(
    rows: list[InterventionRow], workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from leitmotif.causal.replay import ReplayFiles, replay
    from leitmotif.config import load_params

    monkeypatch.chdir(workplace)
    data = Path("data")
    known = ReplayFiles(data / "corpus", data / "manifest.jsonl", data / "activations")
    other = "0" * 64
    for number, update, message in [
        (0, {"model_fingerprint": other}, "the model .* is not the line's"),
        (0, {"prefix_sha256": other}, "the prefix of piece_0 is not the line's"),
        (3, {"sae_sha256": other}, "the autoencoder planner-1 is not the line's"),
        (0, {"track_id": "piece_9"}, "piece_9 is not in"),
        (5, {"strength": 0.0, "source": None}, "data/activations"),
    ]:
        with pytest.raises(LeitmotifError, match=message):
            replay(rows[number].model_copy(update=update), load_params(), known)


@pytest.mark.fault(
    "leitmotif replay",
    "a line whose values contradict each other or the model",
    outcome="refused by name, or another clip",
)
@pytest.mark.parametrize(
    ("number", "update"),
    [
        (1, {"source": "twin.slotX"}),
        (5, {"feature": 10**6, "sae": None, "sae_sha256": None}),
        (5, {"feature": -1, "sae": None, "sae_sha256": None}),
        (5, {"site": "nonsense"}),
        (3, {"steps": [10**6, 10**6 + 5]}),
        (0, {"frames": 2**70}),
        (0, {"prefix_frames": 2**70}),
        (0, {"opening": {"seed": 1, "frames": 10**6}}),
        (0, {"condition": "position_shift", "strength": 1e308}),
        (0, {"model": ""}),
        (0, {"site": "layers.1.residual", "condition": "scale", "strength": 1e300}),
    ],
)
def test_a_line_that_contradicts_itself_is_refused(
    rows: list[InterventionRow],
    workplace: Path,
    run_replay: Replay,
    number: int,
    update: dict[str, Any],
) -> None:
    line = rows[number].model_dump(mode="json") | {"frames": 8} | update
    (workplace / LOG).write_text(json.dumps(line) + "\n", encoding="utf-8")
    done = run_replay(workplace, "1")
    assert done.returncode == 1
    assert done.stderr.startswith("error: "), done.stderr
    assert "Traceback" not in done.stderr


def test_what_a_replay_lacks_is_said_at_the_command_line(
    rows: list[InterventionRow], workplace: Path, tmp_path: Path, run_replay: Replay
) -> None:
    """A changed model, a recording that is gone, no log: one message, no traceback."""
    for name in ("params.yaml", "hooks.yaml"):
        shutil.copy(workplace / name, tmp_path)
    (tmp_path / "models").symlink_to(workplace / "models")
    without_log = run_replay(tmp_path, "1")
    shutil.copytree(workplace / "data", tmp_path / "data")
    changed = rows[0].model_copy(update={"model": "models/organism/reader"})
    write_log(tmp_path / LOG, [rows[0], changed])
    (tmp_path / "data/corpus/piece_0.mp3").unlink()
    for done, message in [
        (without_log, f"{LOG} does not exist"),
        (run_replay(tmp_path, "1"), "data/corpus/piece_0.mp3 does not exist"),
        (run_replay(tmp_path, "2"), "the model models/organism/reader is not the line's"),
    ]:
        assert done.returncode == 1
        assert done.stderr.startswith(f"error: {message}\n"), done.stderr
        assert "  to do:    " in done.stderr
        assert done.stdout == ""


def test_sources_have_names() -> None:
    assert slot_of(source_name(1)) == 1
    assert slot_of("track_0000100") is None


def test_a_prefix_beyond_the_track_is_refused(planner: HookedMusicGen, workplace: Path) -> None:
    track = files.read_table(workplace / "data/manifest.jsonl", ManifestTrack)[0]
    corpus = workplace / "data/corpus"
    with_prompt = prefix_of(planner, track, corpus, seconds=1.0, prompt=True)
    assert with_prompt.prompt == "music"
    assert with_prompt.codes.shape == (4, 50)
    with pytest.raises(AudioError, match="shorter than its prefix"):
        prefix_of(planner, track, corpus, seconds=10.0)
