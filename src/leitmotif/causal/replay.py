"""Make a logged clip again from the repository's files, and compare it with its line."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from leitmotif.causal.experiment.conditions import Condition
from leitmotif.causal.experiment.measures import sha256_audio
from leitmotif.causal.experiment.prefixes import (
    Prefix,
    opening_seed,
    prefix_of,
    sha256_codes,
)
from leitmotif.causal.experiment.runner import ContinuationSettings, Runner
from leitmotif.causal.experiment.targets import Coordinates, SaeFeatures, Target, WholeSite, resting
from leitmotif.causal.experiment.twins import Twins, slot_of
from leitmotif.config import OrganismCorpus, Params
from leitmotif.errors import StoreError
from leitmotif.files import read_table
from leitmotif.musicgen import HookedMusicGen, Sampling
from leitmotif.musicgen.loading import load_model
from leitmotif.sae.autoencoder.fetch import fetch
from leitmotif.sae.autoencoder.formats import load_sae
from leitmotif.sae.autoencoder.registry import load_registry
from leitmotif.store.cache.entries import WorkCache
from leitmotif.store.reading.reader import ActivationStore
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tables.interventions import InterventionRow
from leitmotif.timing.windows import lasts


@dataclass(frozen=True)
class ReplayFiles:
    """Where a replay finds what a line does not hold."""

    corpus: Path
    manifest: Path
    activations: Path


@dataclass(frozen=True)
class Replayed:
    """A clip made again."""

    same_tokens: bool
    same_audio: bool
    """Bit for bit as 16-bit audio; another machine's codec may differ there."""


def replay(row: InterventionRow, params: Params, files: ReplayFiles) -> Replayed:
    """Continue the line's prefix once more, on its own, and compare hashes.

    Raises StoreError where model, prefix or autoencoder are no longer those of the line, and
    LeitmotifError for a file that cannot be read.
    """
    model = _model(row, params)
    prefix = _prefix(row, model, params, files)
    condition = _condition(row, model, files)
    seconds = row.frames / model.frame_rate
    codes = _continued(prefix, condition, row, model, seconds=seconds, seed=row.seed)
    samples = model.decode_audio(codes[None])[0].cpu().numpy()
    return Replayed(
        same_tokens=sha256_codes(codes) == row.tokens_sha256,
        same_audio=sha256_audio(samples) == row.audio_sha256,
    )


def _condition(row: InterventionRow, model: HookedMusicGen, files: ReplayFiles) -> Condition:
    if row.condition == "position_shift":
        return Condition(row.condition, row.candidate, shift=round(row.strength or 0))
    return Condition(
        row.condition,
        row.candidate,
        None if row.site is None else _target(row, model, files),
        1.0 if row.strength is None else row.strength,
        row.source,
        None if row.steps is None else range(*row.steps),
    )


def _model(row: InterventionRow, params: Params) -> HookedMusicGen:
    own = row.model == params.model.name
    revision = params.model.revision if own else None
    model = load_model(params.model.model_copy(update={"name": row.model, "revision": revision}))
    _same(f"the model {row.model}", model.fingerprint, row.model_fingerprint)
    return model


def _prefix(
    row: InterventionRow, model: HookedMusicGen, params: Params, files: ReplayFiles
) -> Prefix:
    """What the line's clip went on from, with the source of its patches."""
    start = ""
    for plain in _prefixes(row, model, files):
        own = plain.codes if row.opening is None else _opened(row.opening.seed, plain, row, model)
        given = {}
        if row.source is not None:
            given[row.source] = _source(row.source, plain, row, model, params, files)
        counterfactual = row.condition == "counterfactual" and row.source is not None
        start = sha256_codes(given[row.source] if counterfactual and row.source else own)
        if start == row.prefix_sha256:
            break
    _same(f"the prefix of {row.track_id}", start, row.prefix_sha256)
    return replace(plain, codes=own, sources=given)


def _prefixes(row: InterventionRow, model: HookedMusicGen, files: ReplayFiles) -> Iterator[Prefix]:
    """The track's own beginnings, a window each, up to where the model could have gone on."""
    tracks = {track.track_id: track for track in read_table(files.manifest, ManifestTrack)}
    if row.track_id not in tracks:
        raise StoreError(f"{row.track_id} is not in {files.manifest}", fix="use the line's corpus")
    frames = row.prefix_frames - (0 if row.opening is None else row.opening.frames)
    seconds = frames / model.frame_rate
    track = tracks[row.track_id]
    for window in track.windows:
        if window == track.windows[0] or lasts(window, seconds):
            prefix = prefix_of(model, track, files.corpus, seconds=seconds, window=window)
            yield replace(prefix, prompt=row.sampling.prompt)


def _opened(seed: int, plain: Prefix, row: InterventionRow, model: HookedMusicGen) -> Tensor:
    """The track's beginning and what the model put after it [K, P]."""
    assert row.opening is not None
    seconds = row.opening.frames / model.frame_rate
    return _continued(plain, Condition("baseline"), row, model, seconds=seconds, seed=seed)


def _source(
    name: str,
    plain: Prefix,
    row: InterventionRow,
    model: HookedMusicGen,
    params: Params,
    files: ReplayFiles,
) -> Tensor:
    seed, slot = opening_seed(name), slot_of(name)
    if seed is not None and row.opening is not None:
        return _opened(seed, plain, row, model)
    composed = isinstance(params.corpus, OrganismCorpus)
    twins = Twins.of_corpus(files.corpus, Path(params.corpus.path) if composed else None)
    twin = None if slot is None else twins.counterfactual(model, row.track_id, slot)
    if twin is None:
        raise StoreError(
            f"{row.track_id} has no {name} in this corpus",
            found=f"corpus.source {params.corpus.source}",
            expected="the corpus that the line was made with",
        )
    return twin


def _continued(
    prefix: Prefix,
    condition: Condition,
    row: InterventionRow,
    model: HookedMusicGen,
    *,
    seconds: float,
    seed: int,
) -> Tensor:
    """Codes [K, P + T] of a prefix that goes on alone, drawn as the line's clip was."""
    drawn = row.sampling
    continuation = ContinuationSettings(
        seconds=seconds,
        seeds=(seed,),
        sampling=Sampling(drawn.temperature, drawn.top_k, drawn.top_p),
        guidance_scale=drawn.guidance_scale,
    )
    with TemporaryDirectory(prefix="leitmotif-") as folder:
        runner = Runner(model, WorkCache(Path(folder)), continuation, rows=2)
        (clip,) = runner.run([prefix], [condition])
    return clip.codes


def _target(row: InterventionRow, model: HookedMusicGen, files: ReplayFiles) -> Target:
    site = str(row.site)
    indices = tuple([row.feature] if isinstance(row.feature, int) else row.feature or ())
    if row.sae is not None:
        hook = load_registry()[row.sae]
        _same(f"the autoencoder {row.sae}", hook.checkpoint.sha256, str(row.sae_sha256))
        sae = load_sae(fetch(hook.checkpoint)).to(model.device, model.dtype_beside)
        return SaeFeatures(sae, indices, row.sae, hook.checkpoint.sha256, at=site)
    rest = _rest(row, model, files)
    if max(indices, default=0) >= len(rest):
        raise StoreError(
            f"{site} has no such coordinates",
            found=list(indices),
            expected=f"numbers of 0..{len(rest) - 1}",
            fix="check out the revision that the log belongs to",
        )
    return Coordinates(site, indices, rest[list(indices)]) if indices else WholeSite(site, rest)


def _rest(row: InterventionRow, model: HookedMusicGen, files: ReplayFiles) -> Tensor:
    """Where the site rests; of no account where nothing is taken there."""
    if row.source is not None or row.strength == 1.0:
        return torch.zeros(model.width)
    store = ActivationStore(files.activations)
    site = str(row.site)
    header = store.header(site, store.tracks(site)[0])
    _same(
        f"the model of {files.activations}, whose mean is where {site} rests,",
        header.model_fingerprint,
        row.model_fingerprint,
    )
    return resting(store, site)


def _same(what: str, found: str, expected: str) -> None:
    if found != expected:
        raise StoreError(
            f"{what} is not the line's",
            found=f"SHA-256 {found}",
            expected=expected,
            fix="check out the revision that the log belongs to",
        )
