"""Sampling: noise that belongs to a row, filters, prefixes, captures."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from leitmotif.errors import ModelError
from leitmotif.musicgen import GREEDY, HookedMusicGen, Intervention, Sampling
from leitmotif.musicgen.noise import RowNoise
from leitmotif.musicgen.sampling import draw

WORDS = ["a calm piece", "a happy fast piece with guitar melody", "a sad piece with drums"]
VECTOR = torch.randn(32, generator=torch.Generator().manual_seed(3))


@settings(max_examples=12)
@given(
    prompts=st.lists(st.sampled_from(WORDS), min_size=1, max_size=5),
    seed=st.integers(0, 2**63 - 1),
    held=st.integers(0, 6),
    data=st.data(),
)
def test_a_row_does_not_depend_on_its_batch(
    exact_model: HookedMusicGen, prompts: list[str], seed: int, held: int, data: st.DataObject
) -> None:
    """Token-exact in float64: each row alone gives what it gave among any others."""
    rows = len(prompts)
    tracks = [f"track {i}" for i in range(rows)]
    prefix = torch.randint(64, (rows, 4, held), generator=torch.Generator().manual_seed(held))
    start = prefix if held else None
    batch = exact_model.generate(prompts, seconds=0.2, prefix=start, tracks=tracks, seed=seed)
    row = data.draw(st.integers(0, rows - 1))
    alone = exact_model.generate(
        prompts[row],
        seconds=0.2,
        prefix=prefix[row : row + 1] if held else None,
        tracks=[tracks[row]],
        seed=seed,
    )
    assert torch.equal(batch.codes[row], alone.codes[0])


@settings(max_examples=8)
@given(seed=st.integers(0, 2**63 - 1), name=st.text(max_size=8))
def test_conditions_of_a_track_share_their_noise(
    exact_model: HookedMusicGen, seed: int, name: str
) -> None:
    push = Intervention("layers.1.residual", "add", VECTOR, strength=3.0, rows=[1])
    pair = exact_model.generate(
        WORDS[0], seconds=0.4, tracks=[name, name], seed=seed, interventions=[push]
    )
    alone = exact_model.generate(WORDS[0], seconds=0.4, tracks=[name], seed=seed)
    pushed_alone = exact_model.generate(
        WORDS[0],
        seconds=0.4,
        tracks=[name],
        seed=seed,
        interventions=[Intervention("layers.1.residual", "add", VECTOR, strength=3.0)],
    )
    assert torch.equal(pair.codes[0], alone.codes[0])
    assert torch.equal(pair.codes[1], pushed_alone.codes[0])


def test_seeds_and_tracks_change_the_noise(model: HookedMusicGen) -> None:
    def clip(seed: int, track: str) -> Tensor:
        return model.generate(seconds=0.5, seed=seed, tracks=[track]).codes

    first = clip(0, "a")
    assert torch.equal(first, clip(0, "a"))
    assert not torch.equal(first, clip(1, "a"))
    assert not torch.equal(first, clip(0, "b"))


def test_the_prefix_is_shared_by_rows_that_agree_on_it(
    exact_model: HookedMusicGen, codes: Tensor
) -> None:
    """Seven conditions of two tracks: the prefix runs once a track unless it is changed."""
    prefix = codes[[0, 0, 0, 1, 1, 1, 1]]
    tracks = ["x"] * 3 + ["y"] * 4
    site = "layers.1.residual"
    rows_seen = []

    def count(x: Tensor) -> Tensor:
        rows_seen.append(tuple(x.shape[:2]))
        return x

    target = torch.randn(1, 5, 32, generator=torch.Generator().manual_seed(9))
    interventions = [
        Intervention(site, "add", VECTOR, rows=[1, 4], steps=range(21, 40)),
        Intervention(site, "project_out", VECTOR, rows=[2, 5]),
        Intervention(site, "replace", target, rows=[6], steps=range(3, 8)),
        Intervention("layers.0.mlp", count),
    ]
    # A function may treat rows differently, so it forbids sharing; without it 5 prefixes suffice.
    clips = exact_model.generate(
        prefix=prefix, seconds=0.3, tracks=tracks, interventions=interventions, capture=[site]
    )
    assert rows_seen[0] == (7, 21)
    shared = exact_model.generate(
        prefix=prefix, seconds=0.3, tracks=tracks, interventions=interventions[:3], capture=[site]
    )
    assert torch.equal(clips.codes, shared.codes)
    torch.testing.assert_close(clips.activations[site], shared.activations[site])
    assert shared.activations[site].shape == (7, 20 + 15 + 3, 32)
    for row in range(7):
        mine = []
        for item in interventions[:3]:
            if item.rows is not None and row in item.rows:
                mine.append(
                    Intervention(
                        site,
                        item.change,
                        item.tensor,
                        rows=[0],
                        steps=item.steps,
                    )
                )
        alone = exact_model.generate(
            prefix=prefix[row : row + 1],
            seconds=0.3,
            tracks=[tracks[row]],
            interventions=mine,
            capture=[site],
        )
        assert torch.equal(shared.codes[row], alone.codes[0]), row
        torch.testing.assert_close(shared.activations[site][row], alone.activations[site][0])


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_activations_during_generation_are_those_of_a_forward_pass(
    exact_model: HookedMusicGen, codes: Tensor, guidance: float
) -> None:
    sites = [f"layers.{i}.residual" for i in range(3)] + ["layers.1.cross_attention"]
    clip = exact_model.generate(
        WORDS[:2], seconds=0.4, prefix=codes, guidance_scale=guidance, capture=sites, seed=2
    )
    _, with_prompt = exact_model.run_with_cache(clip.codes, WORDS[:2], sites=sites)
    _, without = exact_model.run_with_cache(clip.codes, sites=sites)
    for site in sites:
        torch.testing.assert_close(clip.activations[site], with_prompt[site], atol=1e-9, rtol=0)
        if guidance != 1.0:
            torch.testing.assert_close(clip.unconditional[site], without[site], atol=1e-9, rtol=0)
    assert len(clip.unconditional) == (4 if guidance != 1.0 else 0)


def test_prefix_is_kept_and_the_continuation_is_new(model: HookedMusicGen, codes: Tensor) -> None:
    clip = model.generate(prefix=codes, seconds=0.5, seed=1)
    assert clip.prefix_frames == 20
    assert torch.equal(clip.codes[:, :, :20], codes)
    assert clip.continuation.shape == (2, 4, 25)
    assert clip.codes.max() < 64


def test_greedy_ignores_the_seed(model: HookedMusicGen) -> None:
    clips = [model.generate(seconds=0.3, seed=s, sampling=GREEDY).codes for s in (0, 1)]
    assert torch.equal(*clips)


def test_samples_follow_the_distribution() -> None:
    """Gumbel-max is exact: counts over many noises match softmax within sampling error."""
    logits = torch.tensor([2.0, 1.0, 0.0, -1.0, -8.0]).expand(1, 4, 5)
    names = [str(i) for i in range(500)]
    noise = RowNoise(7, names, codebooks=4, codebook_size=5, device=torch.device("cpu"))
    drawn = torch.cat(
        [draw(logits, noise.at(step), Sampling(top_k=None)).flatten() for step in range(20)]
    )
    share = torch.bincount(drawn, minlength=5) / len(drawn)
    torch.testing.assert_close(share, logits[0, 0].softmax(-1), atol=0.01, rtol=0)


def test_noise_is_read_by_step_and_not_in_sequence() -> None:
    def make() -> RowNoise:
        return RowNoise(
            1, ["a", "b", "a"], codebooks=2, codebook_size=6, device=torch.device("cpu")
        )

    forwards, backwards = make(), make()
    steps = range(70)
    ahead = [forwards.at(step).clone() for step in steps]
    behind = [backwards.at(step).clone() for step in reversed(steps)][::-1]
    assert torch.equal(torch.stack(ahead), torch.stack(behind))
    assert torch.equal(ahead[5][0], ahead[5][2])
    assert not torch.equal(ahead[5][0], ahead[5][1])
    assert len(torch.stack(ahead)[:, 0].unique()) == 70 * 2 * 6


@given(
    logits=st.lists(st.floats(-9, 9, width=32), min_size=3, max_size=12, unique=True),
    top_k=st.integers(1, 14),
    top_p=st.floats(0.05, 1.0),
    temperature=st.floats(0.1, 3.0),
)
def test_filters_keep_what_transformers_keep(
    logits: list[float], top_k: int, top_p: float, temperature: float
) -> None:
    from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

    scores = torch.tensor([logits])
    theirs = TemperatureLogitsWarper(temperature)(None, scores)
    theirs = TopKLogitsWarper(top_k)(None, theirs)
    theirs = TopPLogitsWarper(top_p)(None, theirs)
    kept = set(torch.isfinite(theirs[0]).nonzero().flatten().tolist())
    settings_ = Sampling(temperature=temperature, top_k=top_k, top_p=top_p)
    ours = set()
    for token in range(len(logits)):
        nudge = torch.zeros(1, 1, len(logits))
        nudge[..., token] = 1e6  # noise that chooses this token if the filters leave it
        ours.add(int(draw(scores[None], nudge, settings_)))
    # Rounding may decide differently only where the mass before a token equals top_p.
    mass = theirs.new_tensor(logits).div(temperature).softmax(-1).sort(descending=True)[0].cumsum(0)
    if (mass - top_p).abs().min() > 1e-5:
        assert ours == kept


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seconds": 0.0}, "nothing to generate"),
        ({"seconds": 1.0, "tracks": []}, "rows is unclear"),
        ({"seconds": 1.0, "prompts": WORDS[:2], "tracks": ["a"]}, "rows is unclear"),
        ({"seconds": 1.0, "prompts": [""]}, "empty"),
        ({"seconds": 1.0, "prefix": torch.zeros(1, 4, 3)}, "not codes"),
        ({"seconds": 1.0, "prefix": torch.full((1, 4, 3), 64)}, r"0\.\.63"),
        ({"seconds": 1.0, "prefix": torch.zeros(1, 3, 3, dtype=torch.long)}, "not codes"),
        ({"seconds": 1.0, "capture": ["layers.7.mlp"]}, r"0\.\.2"),
    ],
)
def test_impossible_requests_are_refused(
    model: HookedMusicGen, arguments: dict, message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        model.generate(**arguments)


@pytest.mark.parametrize(
    "bad", [{"temperature": -1.0}, {"top_k": 0}, {"top_p": 0.0}, {"top_p": 1.5}]
)
def test_impossible_sampling_is_refused(bad: dict) -> None:
    with pytest.raises(ModelError, match="expected"):
        Sampling(**bad)
