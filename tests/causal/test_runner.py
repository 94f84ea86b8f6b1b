"""Clips under conditions: the same noise, one change, resumable, as good alone as in a batch."""

import errno
from pathlib import Path

import pytest
import torch

from leitmotif.causal.experiment.conditions import Condition
from leitmotif.causal.experiment.prefixes import Prefix
from leitmotif.causal.experiment.runner import Clip, ContinuationSettings, Runner
from leitmotif.causal.experiment.targets import Coordinates, SaeFeatures, WholeSite
from leitmotif.causal.experiment.twins import Planted, Twins
from leitmotif.errors import ModelError, StoreError
from leitmotif.musicgen import HookedMusicGen, Sampling
from leitmotif.store.cache.entries import WorkCache
from tests.sae.making import random_sae

SITE = "layers.1.residual"
WHOLE = WholeSite(SITE, torch.zeros(32))
BASELINE = Condition("baseline")
TWIN = Condition("counterfactual", source="other")
SHORT = ContinuationSettings(seconds=0.3, seeds=(1, 2))


def sae_features() -> SaeFeatures:
    sae = random_sae(width=32)
    return SaeFeatures(sae, (3, 17), "tiny", "0" * 64)


def conditions() -> list[Condition]:
    features = sae_features()
    coordinate = Coordinates(SITE, (4,), torch.tensor([0.5]))
    return [
        BASELINE,
        Condition("zero_effect", "features", features),
        Condition("zero_effect", "site", WHOLE),
        Condition("ablate", "features", features, 0.0),
        Condition("scale", "coordinate", coordinate, -3.0),
        Condition("patch", "site", WHOLE, source="other"),
        Condition("random_feature", "site", coordinate, 0.0),
        TWIN,
    ]


def clips(
    model: HookedMusicGen,
    cache: Path,
    prefixes: list[Prefix],
    of: list[Condition],
    continuation: ContinuationSettings = SHORT,
    rows: int = 64,
) -> list[Clip]:
    return list(Runner(model, WorkCache(cache), continuation, rows=rows).run(prefixes, of))


def of(made: list[Clip], condition: Condition) -> list[torch.Tensor]:
    return [clip.codes for clip in made if clip.condition is condition]


@pytest.fixture(scope="module")
def made(
    exact_model: HookedMusicGen,
    prefixes: list[Prefix],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[list[Condition], list[Clip]]:
    given = conditions()
    return given, clips(exact_model, tmp_path_factory.mktemp("clips"), prefixes, given)


def same(clips_of_a: list[Clip], other: list[Clip]) -> bool:
    return len(clips_of_a) == len(other) and all(
        a.id == b.id and torch.equal(a.codes, b.codes)
        for a, b in zip(clips_of_a, other, strict=True)
    )


def test_clips_come_by_track_seed_and_condition(
    made: tuple[list[Condition], list[Clip]], prefixes: list[Prefix]
) -> None:
    given, clips_made = made
    order = [(clip.prefix.track_id, clip.seed, clip.condition) for clip in clips_made]
    assert order == [(p.track_id, seed, c) for p in prefixes for seed in (1, 2) for c in given]
    for clip in clips_made:
        start = clip.prefix.sources["other"] if clip.condition is TWIN else clip.prefix.codes
        assert torch.equal(clip.codes[:, : clip.prefix_frames], start)
        assert clip.codes.shape == (4, 35)
        assert clip.finite


def test_identity_changes_no_token_and_edits_do(made: tuple[list[Condition], list[Clip]]) -> None:
    given, clips_made = made
    baseline = torch.stack(of(clips_made, BASELINE))
    for condition in given[1:3]:
        assert torch.equal(torch.stack(of(clips_made, condition)), baseline)
    for condition in given[3:6]:
        assert not torch.equal(torch.stack(of(clips_made, condition)), baseline)


def test_conditions_share_their_noise_and_seeds_do_not(
    exact_model: HookedMusicGen, prefixes: list[Prefix], tmp_path: Path
) -> None:
    """What is changed at the last step alone leaves all before as it was."""
    late = Condition("scale", "late", WHOLE, -5.0, steps=range(34, 40))
    clips_made = clips(exact_model, tmp_path, prefixes[:1], [BASELINE, late])
    before, after = of(clips_made, BASELINE), of(clips_made, late)
    assert torch.equal(before[0][0, :34], after[0][0, :34])
    assert not torch.equal(before[0], after[0])
    assert not torch.equal(before[0], before[1])


def test_a_shift_of_positions_changes_nothing_else(
    exact_model: HookedMusicGen,
    prefixes: list[Prefix],
    made: tuple[list[Condition], list[Clip]],
    tmp_path: Path,
) -> None:
    given, clips_made = made
    shifted = Condition("position_shift", shift=9)
    both = clips(exact_model, tmp_path, prefixes, [*given, shifted])
    of_shifted = [clip for clip in both if clip.condition is shifted]
    assert same([clip for clip in both if clip.condition is not shifted], clips_made)
    assert any(
        not torch.equal(*pair) for pair in zip(of(both, BASELINE), of(both, shifted), strict=True)
    )
    for clip in of_shifted:
        alone = exact_model.generate(
            seconds=SHORT.seconds,
            prefix=clip.prefix.codes[None],
            tracks=[f"{clip.prefix.track_id} {clip.seed}"],
            position_offset=9,
        )
        assert torch.equal(clip.codes, alone.codes[0].cpu())


def test_a_model_that_begins_elsewhere_has_clips_of_its_own(
    exact_model: HookedMusicGen, prefixes: list[Prefix], tmp_path: Path
) -> None:
    """In one cache, whose addresses tell them apart; back at 0 the old ones are found."""
    shifted = Condition("position_shift", shift=9)
    plain = clips(exact_model, tmp_path, prefixes[:1], [BASELINE, shifted])
    try:
        moved = clips(exact_model.count_from(9), tmp_path, prefixes[:1], [BASELINE])
    finally:
        exact_model.count_from(0)
    assert not {clip.id for clip in moved} & {clip.id for clip in plain}
    for one, other in zip(of(moved, BASELINE), of(plain, shifted), strict=True):
        assert torch.equal(one, other)
    runner = Runner(exact_model, WorkCache(tmp_path), SHORT)
    assert same(list(runner.run(prefixes[:1], [BASELINE, shifted])), plain)
    assert runner.generated == 0


@pytest.mark.parametrize("rows", [2, 5, 16])
def test_a_clip_does_not_depend_on_its_batch(
    exact_model: HookedMusicGen,
    prefixes: list[Prefix],
    made: tuple[list[Condition], list[Clip]],
    tmp_path: Path,
    rows: int,
) -> None:
    given, clips_made = made
    assert same(clips(exact_model, tmp_path, prefixes, given, rows=rows), clips_made)


def test_prompted_clips_are_edited_in_both_halves(
    exact_model: HookedMusicGen, prefixes: list[Prefix], tmp_path: Path
) -> None:
    with_prompts = [
        Prefix(p.track_id, p.codes, f"a {word} piece", p.sources)
        for p, word in zip(prefixes, ("calm", "happy", "sad"), strict=True)
    ]
    given = conditions()
    together = clips(exact_model, tmp_path / "a", with_prompts, given)
    alone = clips(exact_model, tmp_path / "b", with_prompts, given, rows=2)
    assert same(together, alone)
    assert torch.equal(*(torch.stack(of(together, given[i])) for i in (0, 1)))
    with pytest.raises(ModelError, match="1 of 2"):
        clips(exact_model, tmp_path, [with_prompts[0], prefixes[1]], given)


def test_patching_everything_gives_the_other_run(
    exact_model: HookedMusicGen, prefixes: list[Prefix], tmp_path: Path
) -> None:
    """The last block's residual decides the tokens: patched at all steps, it is the twin's."""
    last = WholeSite("layers.2.residual", torch.ones(32))
    everywhere = Condition("patch", "all", last, source="other", steps=range(100))
    clips_made = clips(exact_model, tmp_path, prefixes, [everywhere, TWIN])
    for mine, twin in zip(of(clips_made, everywhere), of(clips_made, TWIN), strict=True):
        assert torch.equal(mine[:, 20:], twin[:, 20:])


@pytest.mark.fault("intervention clips", "process killed", outcome="resumed, the same clips")
def test_a_killed_run_goes_on_with_the_clips_of_an_unbroken_one(
    exact_model: HookedMusicGen,
    prefixes: list[Prefix],
    made: tuple[list[Condition], list[Clip]],
    tmp_path: Path,
) -> None:
    given, clips_made = made
    broken = Runner(exact_model, WorkCache(tmp_path), SHORT, rows=9).run(prefixes, given)
    for _ in range(11):
        next(broken)
    broken.close()
    # What a kill leaves of a clip that was being written.
    (tmp_path / f".{'0' * 64}.{'0' * 64}.safetensors.1.partial").write_bytes(b"half")
    kept = len(list(tmp_path.glob("*.safetensors")))
    again = Runner(exact_model, WorkCache(tmp_path), SHORT, rows=9)
    assert same(list(again.run(prefixes, given)), clips_made)
    assert again.generated == len(clips_made) - kept
    once_more = Runner(exact_model, WorkCache(tmp_path), SHORT)
    assert same(list(once_more.run(prefixes, given)), clips_made)
    assert once_more.generated == 0


def test_other_settings_are_other_clips(
    exact_model: HookedMusicGen, prefixes: list[Prefix], tmp_path: Path
) -> None:
    moved = Condition("ablate", "x", Coordinates(SITE, (4,), torch.tensor([0.5])), 0.0)
    for continuation, condition in [
        (SHORT, moved),
        (ContinuationSettings(0.4, (1, 2)), moved),
        (ContinuationSettings(0.3, (1, 2), Sampling(top_k=5)), moved),
        (SHORT, Condition("ablate", "x", Coordinates(SITE, (4,), torch.tensor([0.6])), 0.0)),
        (SHORT, Condition("ablate", "x", moved.target, 0.0, steps=range(21, 30))),
    ]:
        runner = Runner(exact_model, WorkCache(tmp_path), continuation)
        list(runner.run(prefixes[:1], [condition]))
        assert runner.generated == 2


@pytest.mark.fault(
    "intervention clips", "no memory for a batch", outcome="smaller batches, the same clips"
)
@pytest.mark.parametrize(
    "error",
    [
        torch.cuda.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ],
)
def test_out_of_memory_halves_the_batch(
    exact_model: HookedMusicGen,
    prefixes: list[Prefix],
    made: tuple[list[Condition], list[Clip]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    given, clips_made = made
    generate, batches = HookedMusicGen.generate, []

    def limited(self: HookedMusicGen, *args: object, **settings: object) -> object:
        batches.append(len(settings["prefix"]))
        if batches[-1] > 10:
            raise error
        return generate(self, *args, **settings)

    monkeypatch.setattr(HookedMusicGen, "generate", limited)
    assert same(clips(exact_model, tmp_path, prefixes, given), clips_made)
    assert batches[:4] == [54, 27, 14, 7]
    assert max(batches[3:]) <= 7


@pytest.mark.fault("intervention clips", "no memory for one clip", outcome="named error")
def test_memory_for_not_one_clip_is_said(
    exact_model: HookedMusicGen,
    prefixes: list[Prefix],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def never(*args: object, **settings: object) -> None:
        raise MemoryError

    monkeypatch.setattr(HookedMusicGen, "generate", never)
    with pytest.raises(ModelError, match="memory does not suffice"):
        clips(exact_model, tmp_path, prefixes, [BASELINE])


def test_other_errors_are_not_taken_for_memory(
    exact_model: HookedMusicGen, prefixes: list[Prefix], tmp_path: Path
) -> None:
    beyond = Condition("ablate", "x", WholeSite("layers.9.residual", torch.zeros(32)), 0.0)
    with pytest.raises(ModelError, match=r"0\.\.2"):
        clips(exact_model, tmp_path, prefixes, [beyond])
    with pytest.raises(ModelError, match="cannot be patched from twin"):
        clips(exact_model, tmp_path, prefixes, [Condition("patch", "x", WHOLE, source="twin")])
    with pytest.raises(ModelError, match="given twice"):
        clips(exact_model, tmp_path, [prefixes[0], prefixes[0]], [BASELINE])
    with pytest.raises(ModelError, match="correspond"):
        Prefix("t", prefixes[0].codes, sources={"s": prefixes[0].codes[:, 1:]})


@pytest.mark.fault("intervention clips", "full disk", outcome="whole clips only")
def test_a_full_disk_leaves_whole_clips_only(
    exact_model: HookedMusicGen,
    prefixes: list[Prefix],
    made: tuple[list[Condition], list[Clip]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from leitmotif import tensors

    given, clips_made = made
    write, written = tensors.TensorFile.write, []

    def full(self: tensors.TensorFile, path: Path) -> None:
        if len(written) == 5:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(path)
        write(self, path)

    with monkeypatch.context() as patched:
        patched.setattr(tensors.TensorFile, "write", full)
        with pytest.raises(StoreError, match="disk is full"):
            clips(exact_model, tmp_path, prefixes, given)
    assert len(list(tmp_path.iterdir())) == 5
    assert same(clips(exact_model, tmp_path, prefixes, given), clips_made)


def test_a_dose_beyond_all_numbers_is_noticed(
    exact_model: HookedMusicGen, prefixes: list[Prefix], tmp_path: Path
) -> None:
    last = WholeSite("layers.2.residual", torch.zeros(32))
    given = [BASELINE, Condition("scale", "x", last, 1e308)]
    clips_made = clips(exact_model, tmp_path, prefixes, given)
    assert [clip.finite for clip in clips_made] == [True, False] * 6
    assert [clip.finite for clip in clips(exact_model, tmp_path, prefixes, given)] == [
        True,
        False,
    ] * 6


def returned(planted: Planted, clip: Clip) -> bool:
    """Whether the slot's first codebook is that of the motif (every frame is coded alone)."""
    steps = planted.slot_steps(0)
    motif, slot = clip.codes[0, : len(steps)], clip.codes[0, steps.start : steps.stop]
    return float((motif == slot).double().mean()) > 0.8


def test_the_gap_decides_in_the_planner_and_not_in_the_reader(
    planner: HookedMusicGen,
    reader: HookedMusicGen,
    pieces: list[Prefix],
    twins: Twins,
    tmp_path: Path,
) -> None:
    """Patched from the twin, the planner does what the twin's cue says, the reader what its own."""
    known = [twins.planted(piece.track_id, planner) for piece in pieces]
    planted = {twin.truth.track_id: twin for twin in known if twin is not None}
    any_of = next(iter(planted.values()))
    said = {track_id: twin.returns[0] for track_id, twin in planted.items()}
    assert 0 < sum(said.values()) < len(said)
    site = WholeSite("layers.1.residual", torch.zeros(128))
    gap = Condition("patch", "gap", site, source="twin", steps=any_of.gap_steps(0))
    slot = Condition("patch", "slot", site, source="twin", steps=any_of.slot_steps(0))
    twin = Condition("counterfactual", source="twin")
    same_site = Condition("zero_effect", "gap", site)
    given = [BASELINE, same_site, gap, slot, twin]
    continuation = ContinuationSettings(seconds=9 * 0.64, sampling=Sampling(top_k=50))
    share = {}
    for name, model in (("planner", planner), ("reader", reader)):
        made = clips(model, tmp_path, pieces, given, continuation)
        share[name] = [
            sum(
                returned(planted[clip.prefix.track_id], clip) == said[clip.prefix.track_id]
                for clip in made
                if clip.condition is condition
            )
            / len(pieces)
            for condition in given
        ]
        tokens = [torch.stack(of(made, condition)) for condition in given]
        assert torch.equal(tokens[0], tokens[1])
    assert share == {"planner": [1.0, 1.0, 0.0, 0.0, 0.0], "reader": [1.0, 1.0, 1.0, 0.0, 0.0]}


@pytest.mark.fault(
    "interventions",
    "a dose whose residuals are numbers and their norm is none, also in the prefix",
    outcome="an excluded clip; the others are as they were",
)
@pytest.mark.parametrize("steps", [None, range(3, 30)])
def test_a_row_without_numbers_harms_no_other(
    exact_model: HookedMusicGen, prefixes: list[Prefix], tmp_path: Path, steps: range | None
) -> None:
    site = WholeSite("layers.1.residual", torch.zeros(32))
    mild = Condition("scale", "x", site, 2.0, steps=steps)
    given = [BASELINE, Condition("scale", "x", site, 1e200, steps=steps), mild]
    clips_made = clips(exact_model, tmp_path / "with", prefixes, given)
    assert [clip.finite for clip in clips_made] == [True, False, True] * 6
    alone = clips(exact_model, tmp_path / "alone", prefixes, [BASELINE, mild])
    kept = [clip for clip in clips_made if clip.finite]
    assert same(kept, alone)
