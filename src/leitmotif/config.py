"""params.yaml as typed, validated settings: one class per stage, one field per key.

Every key must be present (DVC can then change any of them with ``dvc exp run -S key=value``) and no
other key may be. ``load_params`` refuses anything else with the key's name, what was found and what
is allowed.
"""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from leitmotif.claims import Claims
from leitmotif.errors import ConfigError
from leitmotif.sites import canonical_site
from leitmotif.yaml_files import read_yaml

PARAMS_FILE = Path("params.yaml")


class Settings(BaseModel):
    """Base of every section: immutable, and strict about unknown keys and types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class OrganismCorpus(Settings):
    """Music composed by this repository, written as a shard in MTG-Jamendo's layout."""

    source: Literal["organism"]
    path: str
    """World description that the composer reads; also what DVC watches for changes."""
    pieces: Annotated[int, Field(ge=1, le=10_000)]
    """Pieces composed, the ineligible ones (short, sung, unlicensed) included."""
    seed: Annotated[int, Field(ge=0)]


class FolderCorpus(Settings):
    """Every wav, flac, ogg and mp3 below a folder of one's own."""

    source: Literal["folder"]
    path: str
    """The folder; DVC watches its contents."""


class MtgJamendoCorpus(Settings):
    """Shards of MTG-Jamendo, downloaded and verified against the official checksums."""

    source: Literal["mtg-jamendo"]
    path: str
    """Pinned description of the release: metadata revision and the files' SHA-256."""
    shards: Annotated[list[Annotated[int, Field(ge=0, le=99)]], Field(min_length=1)]
    """Numbers of the tar files to use; shard 0 holds 202 tracks."""
    audio_url: str
    """Base address; ``<dataset>/<data type>/<tar>`` is appended."""
    metadata_url: str
    """Base address; ``<revision>/<file>`` is appended."""
    retries: Annotated[int, Field(ge=0, le=100)]
    """Attempts after the first, per file; each resumes where the last one stopped."""


class ManifestParams(Settings):
    """Which tracks of the verified corpus are used, in metadata order."""

    tracks: Annotated[int, Field(ge=1)]
    """The first so many eligible tracks."""
    min_seconds: Annotated[float, Field(gt=0)]
    """Shortest track that is eligible."""
    required_tag_prefixes: list[str]
    """A track needs a tag starting with each, such as ``instrument---``; empty demands none."""
    excluded_tag_words: list[str]
    """A track with a tag containing one of these is left out (``voice``, ``vocal``)."""
    require_licence: bool
    """Leave out tracks whose licence is unknown."""
    window_seconds: Annotated[float, Field(ge=1, le=30)]
    """Audio read in the model's context; MusicGen was trained on 30 s."""
    windows: Literal["first", "all"]
    """One window from the track's start, or the whole track in adjacent windows."""


class FeaturesParams(Settings):
    """Chroma, energy, onset strength and source artifacts of each track."""

    min_seconds: Annotated[float, Field(gt=0)]
    """Decoded audio shorter than this is a failure (``too_short``)."""
    silence_dbfs: Annotated[float, Field(le=0)]
    """A track whose loudest 100 ms lie below this RMS level is a failure (``silent``)."""
    max_failures: Annotated[int, Field(ge=0)]
    """More failed tracks than this stop the stage."""


class ModelParams(Settings):
    """The model under study."""

    name: str
    """Hub id (``facebook/musicgen-small``) or a folder, in `transformers`' layout."""
    revision: Annotated[str | None, Field(pattern=r"^[0-9a-f]{40}$")]
    """Commit of the hub repository; null for a folder, required for a hub id."""
    watch: str
    """What DVC watches for a change of the weights: the folder itself, or for a hub id, which its
    revision pins, any file of this repository, such as the preset."""
    device: Literal["auto", "cpu", "cuda", "mps"]
    dtype: Literal["float64", "float32", "bfloat16", "float16"]
    """Precision of the forward pass. With ``float64`` all that is computed beside it (codec,
    autoencoders, judges) is float64 too, and every output has the same bytes on any processor."""
    text_padding: Literal["auto", "masked", "attended"]
    """Whether cross-attention masks padding (`transformers`) or attends to zeros (audiocraft);
    ``auto`` follows the checkpoint's origin."""

    @field_validator("revision")
    @classmethod
    def _pinned(cls, revision: str | None, info: ValidationInfo) -> str | None:
        name = info.data.get("name")
        if name is not None and _is_hub_id(name) and revision is None:
            raise ValueError(
                f"model.name {name!r} is not a folder here, so it is read as a hub id, which needs "
                "a 40-digit revision: results must not change when the hub does"
            )
        return revision

    @field_validator("watch")
    @classmethod
    def _watches_the_folder(cls, watch: str, info: ValidationInfo) -> str:
        name = info.data.get("name")
        if name is not None and not _is_hub_id(name) and watch != name:
            raise ValueError(
                f"model.name is the folder {name!r}, so watch must be {name!r} too: otherwise "
                "changed weights would not make the activations stale"
            )
        return watch

    @property
    def dtype_beside(self) -> Literal["float64", "float32"]:
        """Precision of what is computed beside the model: codec, autoencoders and judges."""
        return "float64" if self.dtype == "float64" else "float32"


def _is_hub_id(name: str) -> bool:
    return not Path(name).exists() and name.count("/") == 1


Site = Annotated[str, AfterValidator(canonical_site)]


class ActivationsParams(Settings):
    """What is cached of the model while it reads each track, teacher-forced."""

    sites: Annotated[list[Site], Field(min_length=1)]
    prompt: Literal["none", "tags"]
    """Unconditional, or conditioned on a sentence made from the track's tags."""
    dtype: Literal["float16", "float32"]
    """Precision of the stored tensors."""
    max_failures: Annotated[int, Field(ge=0)]
    """More failed tracks than this stop the stage."""

    @field_validator("sites")
    @classmethod
    def _distinct(cls, sites: list[str]) -> list[str]:
        repeated = sorted({site for site in sites if sites.count(site) > 1})
        if repeated:
            raise ValueError(f"listed twice (hook_layers.N is an alias): {', '.join(repeated)}")
        return sites


class ProposalsParams(Settings):
    """Where motifs may recur: what is searched for, and what becomes a proposal."""

    lengths: Annotated[list[Annotated[float, Field(ge=0.2)]], Field(min_length=1)]
    """Seconds: lengths of motif windows, ascending."""
    min_lag: Annotated[float, Field(ge=0)]
    """Seconds from a motif's start to its recurrence's, at least; they never overlap."""
    tempo: Annotated[float, Field(ge=0, le=0.2)]
    """Share by which a recurrence may be faster or slower."""
    transpositions: Annotated[int, Field(ge=0, le=6)]
    """Semitones by which a recurrence may lie higher or lower."""
    rhythm: Annotated[float, Field(ge=0, le=2)]
    """What a rhythm correlation of 1 counts, beside a similarity of pitch of 1."""
    overlap: Annotated[float, Field(gt=0, le=1)]
    """Proposals are merged if both their windows have this intersection over union."""
    texture_seconds: Annotated[float, Field(gt=0)]
    """What is shorter counts as texture: the null keeps blocks of this length."""
    max_texture: Annotated[float, Field(gt=0, le=1)]
    """Pairs of whose similarity texture explains a larger share are left out."""
    per_minute: Annotated[float, Field(gt=0)]
    """Most proposals a minute of audio; a short track may have 20."""
    p: Annotated[float, Field(gt=0, lt=1)]
    """A track has proposals only if its best one has at most this family-wise p-value."""
    false_per_minute: Annotated[float, Field(ge=0)]
    """From such a track, proposals are kept down to the score that this many false ones a minute
    would reach if nothing returned."""
    min_score: Annotated[float, Field(ge=0, le=1)]
    """Least likeness of a proposal: 0 is what texture alone reaches, 1 an exact repetition."""
    null_rounds: Annotated[int, Field(ge=0)]
    """Surrogates of each track in which nothing returns, to measure how many have proposals."""
    seed: Annotated[int, Field(ge=0)]
    """Of the surrogates."""


class LabelsParams(Settings):
    """Which recurrences count as verified."""

    source: Literal["score", "decisions"]
    """The organism's score, or what people decided on the review page."""
    decisions: str
    """Folder of the decision logs, one JSON-lines file a reviewer, kept in git."""
    min_reviewers: Annotated[int, Field(ge=1)]
    """First decisions that a pair needs before it can become a label."""


class SaeParams(Settings):
    """Sparse autoencoders: which are used, and how their alignment is measured."""

    hooks: list[str]
    """Entries of hooks.yaml; ``NAME@SITE`` reads another site than its own, which is a mismatch."""
    allow_misaligned: bool
    """Go on after a mismatch, with every file and metric that comes of it branded."""
    reach: Annotated[int, Field(ge=1)]
    """Neighbouring sites on either side at which an autoencoder must do worse."""
    spliced_tracks: Annotated[int, Field(ge=2)]
    """Tracks on which the model is run with reconstructions in the place of a site."""
    seed: Annotated[int, Field(ge=0)]
    """Of the resamples."""

    @field_validator("hooks")
    @classmethod
    def _once(cls, hooks: list[str]) -> list[str]:
        names = [hook.partition("@")[0] for hook in hooks]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"listed twice: {', '.join(repeated)}")
        return hooks


class ProbesParams(Settings):
    """Whether features say something about recurrences to come that the controls do not."""

    horizons: Annotated[list[list[float]], Field(min_length=1)]
    """Pairs [after, until]: a recurrence counts if its onset is so many seconds ahead."""
    minimum_seconds: Annotated[float, Field(ge=0)]
    """Horizons that begin nearer than this are reported as continuity; no claim is made of them."""
    start_seconds: Annotated[float, Field(ge=0)]
    """Where a context's first row is. On the organism: after the cue has been read."""
    stride: Annotated[int, Field(ge=1)]
    """Every so many decoder steps are a row."""
    folds: Annotated[int, Field(ge=3)]
    """Parts of the tracks; at least 4 tracks in each."""
    permutations: Annotated[int, Field(ge=99)]
    """Exchanges of tracks behind each site's p-value; ``leitmotif.claims`` says how many a claim
    needs."""
    shifts: Annotated[int, Field(ge=99)]
    """Circular shifts behind each feature's ``p_shift``."""
    alpha: Annotated[float, Field(gt=0, lt=1)]
    """Error rate of the tests, and false discovery rate of the candidates."""
    seeds: Annotated[int, Field(ge=1)]
    """Splits into folds over which a candidate's stability is counted."""
    least_active: Annotated[float, Field(ge=0, le=1)]
    """Share of the tracks in which an autoencoder's feature must be active to be tested."""
    candidates: Annotated[int, Field(ge=1)]
    """Most candidates that are kept, at each of the two horizons."""
    comparisons: list[str]
    """Folders of other models with the same codec, probed in the same way."""
    random_weights: bool
    """Probe the model under study with its weights shuffled, too."""
    exploratory: bool
    """Admit tracks with undecided proposals; every result then says so."""
    seed: Annotated[int, Field(ge=0)]

    @field_validator("horizons")
    @classmethod
    def _ahead(cls, horizons: list[list[float]]) -> list[list[float]]:
        for pair in horizons:
            if len(pair) != 2 or not 0 <= pair[0] < pair[1]:
                raise ValueError(f"{pair} is no pair [after, until] with 0 <= after < until")
        return horizons

    @field_validator("comparisons")
    @classmethod
    def _distinct(cls, folders: list[str]) -> list[str]:
        names = [Path(folder).name for folder in folders]
        if len(set(names)) < len(names):
            raise ValueError(f"two folders of one name: {', '.join(names)}")
        return folders


class CalibrationParams(Settings):
    """How often the probes' tests are wrong, and how small an effect they find."""

    site: Site
    """Whose activations the features without foresight are made from."""
    each: Annotated[int, Field(ge=10)]
    """Features of every kind, and of every planted strength."""
    strengths: Annotated[list[Annotated[float, Field(gt=0, lt=1)]], Field(min_length=1)]
    """Partial correlations of the planted features."""
    permutations: Annotated[int, Field(ge=99)]
    seed: Annotated[int, Field(ge=0)]


class JudgeParams(Settings):
    """Models by whose ears generated audio is measured: hub ids, or folders."""

    clap: str
    clap_revision: Annotated[str | None, Field(pattern=r"^[0-9a-f]{40}$")]
    """Commit of the hub repository; null for a folder, required for a hub id."""
    tagger: str
    tagger_revision: Annotated[str | None, Field(pattern=r"^[0-9a-f]{40}$")]
    watch: str
    """What DVC watches for a change of their weights, as ``model.watch``."""
    device: Literal["auto", "cpu", "cuda", "mps"]

    @field_validator("clap_revision", "tagger_revision")
    @classmethod
    def _pinned(cls, revision: str | None, info: ValidationInfo) -> str | None:
        judge = str(info.field_name).removesuffix("_revision")
        name = info.data.get(judge)
        if name is not None and _is_hub_id(name) and revision is None:
            raise ValueError(
                f"judge.{judge} {name!r} is not a folder here, so it is read as a hub id, which "
                "needs a 40-digit revision: results must not change when the hub does"
            )
        return revision


class InterventionsParams(Settings):
    """Pieces continued while one thing in the model is changed, and what then changes."""

    tracks: Annotated[int, Field(ge=2)]
    """Pieces that are continued; the first of the manifest that can be."""
    seeds: Annotated[int, Field(ge=1)]
    """Continuations of each piece under each condition."""
    prefix_seconds: Annotated[float, Field(gt=0)]
    """Of a recording; a composed piece is continued from the end of its cue."""
    seconds: Annotated[float, Field(gt=0)]
    """Of the continuation."""
    temperature: Annotated[float, Field(ge=0)]
    top_k: Annotated[int | None, Field(ge=1)]
    guidance_scale: float | None
    """Weight of the prompt; null: the checkpoint's own."""
    candidates: Annotated[int, Field(ge=0)]
    """Features of data/candidates.jsonl that are tried one by one."""
    together: Annotated[int, Field(ge=0)]
    """Features of one site that are tried at once, the surest of it; 0 for none."""
    doses: list[float]
    """Strengths of ``scale``, 1 being the feature as it is."""
    random: Annotated[int, Field(ge=1)]
    """Matched random features, or groups of them, beside each candidate."""
    min_similarity: Annotated[float, Field(ge=-1, le=1)]
    """An effect that costs more CLAP similarity to the baseline is entangled, not a finding."""
    p: Annotated[float, Field(gt=0, lt=1)]
    min_score: Annotated[float, Field(ge=0, le=1)]
    """A motif is said to return at this p-value and score."""
    rows: Annotated[int, Field(ge=2)]
    """Clips in a batch."""
    kept_tracks: Annotated[int, Field(ge=0)]
    """Pieces whose clips are kept as audio, for the report."""
    seed: Annotated[int, Field(ge=0)]

    @field_validator("doses")
    @classmethod
    def _doses(cls, doses: list[float]) -> list[float]:
        if len(set(doses)) < len(doses) or {0.0, 1.0} & set(doses):
            raise ValueError(f"{doses} repeats a dose or has 0 (ablate) or 1 (the feature itself)")
        return doses


class SummaryParams(Settings):
    """Ways to look for foresight that are compared."""

    approaches: Annotated[
        list[Literal["naive", "local", "misaligned", "aligned"]], Field(min_length=1)
    ]


class ReportParams(Settings):
    """The listening report."""

    conditions: Annotated[
        list[
            Literal[
                "patch",
                "ablate",
                "scale",
                "random_feature",
                "local_feature",
                "zero_effect",
                "counterfactual",
            ]
        ],
        Field(min_length=1),
    ]
    """Of which pairs are shown; each pair brings up to two clips of audio into the report."""
    features: Annotated[int, Field(ge=0)]
    """Surest candidates that get a page; those intervened on have one anyway."""


class Params(Settings):
    """All of params.yaml."""

    corpus: Annotated[
        OrganismCorpus | FolderCorpus | MtgJamendoCorpus, Field(discriminator="source")
    ]
    manifest: ManifestParams
    features: FeaturesParams
    model: ModelParams
    activations: ActivationsParams
    proposals: ProposalsParams
    labels: LabelsParams
    sae: SaeParams
    probes: ProbesParams
    calibration: CalibrationParams
    judge: JudgeParams
    interventions: InterventionsParams
    summary: SummaryParams
    report: ReportParams


def load_params(path: Path = PARAMS_FILE) -> Params:
    """Read and validate a params file.

    Raises ConfigError naming every bad key: what was found and what is allowed.
    """
    fix = "run this in the repository's root, or `leitmotif use PRESET` to write one"
    return parse_params(read_yaml(path, fix=fix), origin=str(path))


def parse_params(values: Any, *, origin: str = "params") -> Params:
    """Validate params given as plain data; see ``load_params``."""
    try:
        params = Params.model_validate(values)
    except ValidationError as error:
        problems = [_describe(problem) for problem in error.errors()]
        count = "1 setting" if len(problems) == 1 else f"{len(problems)} settings"
        raise ConfigError(
            "\n".join([f"{origin}: {count} cannot be used", *problems]),
            fix="mend the keys named, or start again from `leitmotif use PRESET`",
        ) from error
    _check_that_claims_are_possible(params, origin)
    return params


def _check_that_claims_are_possible(params: Params, origin: str) -> None:
    """Refuse settings with which no site could ever be decodable, whatever the data say."""
    claims, sites = Claims.of(params.probes), len(params.activations.sites)
    permutations, needed = (
        params.probes.permutations,
        claims.permutations_needed(sites=sites),
    )
    if permutations < needed:
        raise ConfigError(
            f"{origin}: probes.permutations is too small for any claim of foresight",
            found=f"{permutations}, with which no p-value is below {1 / (permutations + 1):.3g}",
            expected=f"at least {needed}: a site is decodable at p of at most "
            f"{claims.level(claims.family(sites=sites)):.3g}, which is probes.alpha "
            f"{claims.alpha:g} over {claims.family(sites=sites)} tests (activations.sites times "
            "the horizons of a claim)",
            fix=f"set probes.permutations to {needed} or more",
        )


def _describe(problem: Any) -> str:
    location, found = problem["loc"], problem["input"]
    key = _dotted(location)
    match problem["type"]:
        case "extra_forbidden":
            allowed = _keys_beside(location)
            close = difflib.get_close_matches(str(location[-1]), allowed, n=1)
            guess = f" (did you mean {close[0]}?)" if close else ""
            rule = f"unknown key{guess}; allowed here: {', '.join(allowed)}"
        case "missing":
            return f"  {key}: missing; every key must be present"
        case "union_tag_invalid" | "union_tag_not_found":
            key = f"{key}.source"
            if "source" not in found:
                return f"  {key}: missing; every key must be present"
            found = found["source"]
            rule = f"expected one of {', '.join(map(repr, _SOURCES))}"
        case "model_type" | "model_attributes_type":
            rule = "expected keys with values below it"
        case "value_error":
            rule = str(problem["ctx"]["error"])
        case _:
            rule = problem["msg"].replace("Input should be", "expected", 1)
            rule = rule[0].lower() + rule[1:]
    return f"  {key}: found {found!r}; {rule}"


_SOURCES: dict[str, type[Settings]] = {
    "organism": OrganismCorpus,
    "folder": FolderCorpus,
    "mtg-jamendo": MtgJamendoCorpus,
}


def _keys_beside(location: Sequence[int | str]) -> list[str]:
    section: Any = Params
    if len(location) > 1:
        parent = str(location[-2])
        section = _SOURCES.get(parent) or Params.model_fields[parent].annotation
    return sorted(section.model_fields)


def _dotted(location: Sequence[int | str]) -> str:
    # pydantic puts a union's tag into the location; the file has no such level.
    tagged = len(location) > 1 and location[0] == "corpus" and location[1] in _SOURCES
    parts = [location[0], *location[2:]] if tagged else list(location)
    return ".".join(str(part) for part in parts) or "the file"
