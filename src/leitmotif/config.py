"""params.yaml as typed, validated settings: one class per stage, one field per key.

Every key must be present, so that DVC can change any of them with ``dvc exp run -S key=value``. No
other key is allowed. ``load_params`` refuses anything else; the error names the key, what was found
and what is allowed.
"""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

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


RECORDINGS = Path("data/sources/recordings.jsonl")
"""The list of a folder's files that DVC watches in place of the folder (stage ``recordings``)."""


class WatchedCorpus(Settings):
    """A corpus that is made of one file, which DVC watches."""

    path: str
    """The file."""
    watch: str
    """What DVC watches: the same."""
    listings: Annotated[list[str], Field(max_length=0)]
    """Stages that list what DVC cannot watch itself: none."""

    @field_validator("watch")
    @classmethod
    def _watches_the_file(cls, watch: str, info: ValidationInfo) -> str:
        path = info.data.get("path")
        if path is not None and watch != path:
            raise ValueError(
                f"corpus.path is the file {path!r}, so watch must be {path!r} too: otherwise a "
                "change of it would not make the corpus stale"
            )
        return watch


class OrganismCorpus(WatchedCorpus):
    """Music composed by this repository, written as a shard in MTG-Jamendo's layout."""

    source: Literal["organism"]
    path: str
    """World description that the composer reads."""
    pieces: Annotated[int, Field(ge=1, le=10_000)]
    """Number of pieces to compose, including ineligible ones (short, sung, unlicensed)."""
    seed: Annotated[int, Field(ge=0)]


class FolderCorpus(Settings):
    """Every wav, flac, ogg and mp3 file below a folder of your own."""

    source: Literal["folder"]
    path: str
    """The folder. Only the stage ``recordings`` and the corpus read it."""
    watch: Literal["data/sources/recordings.jsonl"]
    """What DVC watches: the list of the folder's files with their hashes. DVC itself would wait for
    ever at a pipe in the folder, and stop at a broken link."""
    listings: Annotated[list[Literal["folder"]], Field(min_length=1, max_length=1)]
    """Switches on the stage that writes this list, before every run of the pipeline."""


class MtgJamendoCorpus(WatchedCorpus):
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
    """Further attempts after the first, per file. Each resumes where the last attempt stopped."""


class ManifestParams(Settings):
    """Which tracks of the verified corpus are used, in metadata order."""

    tracks: Annotated[int, Field(ge=1)]
    """Maximum number of tracks; the first eligible tracks are used."""
    min_seconds: Annotated[float, Field(gt=0)]
    """Minimum duration of an eligible track."""
    required_tag_prefixes: list[str]
    """A track needs a tag that starts with each prefix, such as ``instrument---``; an empty list
    requires no tags."""
    excluded_tag_words: list[str]
    """A track is left out if a tag contains one of these words, such as ``voice``."""
    require_licence: bool
    """Leave out tracks whose licence is unknown."""
    window_seconds: Annotated[float, Field(ge=1, le=30)]
    """Maximum length of the audio in one context. MusicGen was trained on 30 s."""
    windows: Literal["first", "all"]
    """``first``: one window from the track's start. ``all``: adjacent windows over the track."""


class FeaturesParams(Settings):
    """Chroma, energy, onset strength and source artifacts of each track."""

    min_seconds: Annotated[float, Field(gt=0)]
    """Decoded audio shorter than this is a failure (``too_short``)."""
    silence_dbfs: Annotated[float, Field(le=0)]
    """A track whose loudest 100 ms lie below this RMS level is a failure (``silent``)."""
    max_failures: Annotated[int, Field(ge=0)]
    """Maximum number of failed tracks; the stage stops if there are more."""


class ModelParams(Settings):
    """The model under study."""

    name: str
    """Hub id (``facebook/musicgen-small``) or a folder, in `transformers`' layout."""
    revision: Annotated[str | None, Field(pattern=r"^[0-9a-f]{40}$")]
    """Commit of the hub repository; null for a folder, required for a hub id."""
    watch: str
    """Path that DVC watches for a change of the weights: the folder itself. For a hub id, which its
    revision pins, any file of this repository, such as the preset."""
    device: Literal["auto", "cpu", "cuda", "mps"]
    dtype: Literal["float64", "float32", "bfloat16", "float16"]
    """Precision of the forward pass. With ``float64`` codec, autoencoders and judges compute in
    float64 too, and every output has the same bytes on any processor."""
    text_padding: Literal["auto", "masked", "attended"]
    """``masked``: cross-attention masks padding, as in `transformers`. ``attended``: it attends to
    zeros, as in audiocraft. ``auto`` follows the checkpoint's origin."""

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

    def beside(self, name: str) -> "ModelParams":
        """The settings of another model that is compared with this one: a folder, or this one."""
        if name == self.name:
            return self
        return self.model_copy(update={"name": name, "revision": None, "watch": name})

    @property
    def dtype_beside(self) -> Literal["float64", "float32"]:
        """Precision of the codec, the autoencoders and the judges."""
        return "float64" if self.dtype == "float64" else "float32"


def _is_hub_id(name: str) -> bool:
    return not Path(name).exists() and name.count("/") == 1


Site = Annotated[str, AfterValidator(canonical_site)]


class ActivationsParams(Settings):
    """Which activations are cached while the model reads each track, teacher-forced."""

    sites: Annotated[list[Site], Field(min_length=1)]
    prompt: Literal["none", "tags"]
    """``none``: unconditional. ``tags``: conditioned on a sentence made from the track's tags."""
    dtype: Literal["float16", "float32"]
    """Precision of the stored tensors."""
    max_failures: Annotated[int, Field(ge=0)]
    """Maximum number of failed tracks; the stage stops if there are more."""

    @field_validator("sites")
    @classmethod
    def _distinct(cls, sites: list[str]) -> list[str]:
        repeated = sorted({site for site in sites if sites.count(site) > 1})
        if repeated:
            raise ValueError(f"listed twice (hook_layers.N is an alias): {', '.join(repeated)}")
        return sites


class ProposalsParams(Settings):
    """How recurrences are searched for, and which of them become proposals."""

    lengths: Annotated[list[Annotated[float, Field(ge=0.2)]], Field(min_length=1)]
    """Lengths of motif windows in seconds, ascending."""
    min_lag: Annotated[float, Field(ge=0)]
    """Minimum time in seconds from the start of a motif to the start of its recurrence. The two
    windows never overlap."""
    tempo: Annotated[float, Field(ge=0, le=0.2)]
    """Maximum relative tempo difference of a recurrence: 0.08 allows 8 % faster or slower."""
    transpositions: Annotated[int, Field(ge=0, le=6)]
    """Maximum transposition of a recurrence in semitones, up or down."""
    rhythm: Annotated[float, Field(ge=0, le=2)]
    """Weight of the rhythm correlation in the likeness; pitch similarity has weight 1."""
    overlap: Annotated[float, Field(gt=0, le=1)]
    """Proposals are merged if both their windows have this intersection over union."""
    texture_seconds: Annotated[float, Field(gt=0)]
    """Anything shorter counts as texture. The null keeps blocks of this length."""
    max_texture: Annotated[float, Field(gt=0, le=1)]
    """Maximum share of a pair's similarity that texture may explain; other pairs are left out."""
    per_minute: Annotated[float, Field(gt=0)]
    """Maximum number of proposals per minute of audio; a short track may have 20."""
    p: Annotated[float, Field(gt=0, lt=1)]
    """Maximum family-wise p-value of a track's best proposal. Otherwise the track has none."""
    false_per_minute: Annotated[float, Field(ge=0)]
    """Proposals of such a track are kept down to the score that this many false proposals per
    minute would reach if nothing returned."""
    min_score: Annotated[float, Field(ge=0, le=1)]
    """Minimum likeness of a proposal: texture alone reaches 0, an exact repetition 1."""
    null_rounds: Annotated[int, Field(ge=0)]
    """Number of surrogates of each track in which nothing returns. They measure how many null
    tracks have proposals."""
    seed: Annotated[int, Field(ge=0)]
    """Seed of the surrogates."""


class LabelsParams(Settings):
    """Which recurrences count as verified."""

    source: Literal["score", "decisions"]
    """``score``: the organism's score. ``decisions``: decisions made on the review page."""
    decisions: str
    """Folder of the decision logs, one JSON-lines file per reviewer, kept in git."""
    min_reviewers: Annotated[int, Field(ge=1)]
    """Number of first decisions that a pair needs before it can become a label."""


class SaeParams(Settings):
    """Which sparse autoencoders are used, and how their alignment is measured."""

    hooks: list[str]
    """Entries of hooks.yaml. ``NAME@SITE`` reads another site than its own, which is a mismatch."""
    allow_misaligned: bool
    """Continue after a mismatch, and mark every resulting file and metric."""
    reach: Annotated[int, Field(ge=1)]
    """Number of neighbouring sites on either side at which an autoencoder must do worse."""
    spliced_tracks: Annotated[int, Field(ge=2)]
    """Number of tracks on which the model runs with reconstructions instead of a site."""
    seed: Annotated[int, Field(ge=0)]
    """Seed of the bootstrap resamples."""

    @field_validator("hooks")
    @classmethod
    def _once(cls, hooks: list[str]) -> list[str]:
        names = [hook.partition("@")[0] for hook in hooks]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"listed twice: {', '.join(repeated)}")
        return hooks


class ProbesParams(Settings):
    """How features are tested for information about future recurrences beyond the controls."""

    horizons: Annotated[list[list[float]], Field(min_length=1)]
    """Pairs [after, until] in seconds: a recurrence counts if its onset lies that far ahead."""
    minimum_seconds: Annotated[float, Field(ge=0)]
    """Horizons that begin nearer than this are reported as continuity, without a claim."""
    start_seconds: Annotated[float, Field(ge=0)]
    """Time of the first row in a context. On the organism it is after the cue."""
    stride: Annotated[int, Field(ge=1)]
    """Decoder steps from one row to the next."""
    folds: Annotated[int, Field(ge=3)]
    """Number of folds; each needs at least 4 tracks."""
    permutations: Annotated[int, Field(ge=99)]
    """Number of exchanges of tracks for each site's p-value; ``leitmotif.claims`` states how many
    a claim needs."""
    shifts: Annotated[int, Field(ge=99)]
    """Number of circular shifts for each feature's ``p_shift``."""
    alpha: Annotated[float, Field(gt=0, lt=1)]
    """Error rate of the tests, and false discovery rate of the candidates."""
    seeds: Annotated[int, Field(ge=1)]
    """Number of splits into folds over which a candidate's stability is measured."""
    least_active: Annotated[float, Field(ge=0, le=1)]
    """Minimum share of tracks in which an autoencoder's feature must be active to be tested."""
    candidates: Annotated[int, Field(ge=1)]
    """Maximum number of candidates at each of the two horizons."""
    comparisons: list[str]
    """Folders of other models with the same codec, which are probed in the same way."""
    random_weights: bool
    """Also probe the model under study with its weights shuffled."""
    exploratory: bool
    """Use tracks with undecided proposals; every result then says so."""
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
    """How the error rates and the power of the probes' tests are measured."""

    site: Site
    """Site whose activations the features without foresight are made from."""
    each: Annotated[int, Field(ge=10)]
    """Number of features of every kind, and of every planted strength."""
    strengths: Annotated[list[Annotated[float, Field(gt=0, lt=1)]], Field(min_length=1)]
    """Partial correlations of the planted features."""
    permutations: Annotated[int, Field(ge=99)]
    seed: Annotated[int, Field(ge=0)]


class JudgeParams(Settings):
    """Models that evaluate generated audio: hub ids or folders."""

    clap: str
    clap_revision: Annotated[str | None, Field(pattern=r"^[0-9a-f]{40}$")]
    """Commit of the hub repository; null for a folder, required for a hub id."""
    tagger: str
    tagger_revision: Annotated[str | None, Field(pattern=r"^[0-9a-f]{40}$")]
    watch: str
    """Path that DVC watches for a change of their weights; see ``model.watch``."""
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
    """How pieces are continued under interventions, and how the effects are measured."""

    tracks: Annotated[int, Field(ge=2)]
    """Number of pieces to continue; the first suitable tracks of the manifest are used."""
    seeds: Annotated[int, Field(ge=1)]
    """Number of continuations of each piece under each condition."""
    prefix_seconds: Annotated[float, Field(gt=0)]
    """Length of a recording's prefix. A composed piece is continued from the end of its cue."""
    seconds: Annotated[float, Field(gt=0)]
    """Length of the continuation."""
    temperature: Annotated[float, Field(ge=0)]
    top_k: Annotated[int | None, Field(ge=1)]
    guidance_scale: float | None
    """Weight of the prompt (classifier-free guidance); null uses the checkpoint's value."""
    candidates: Annotated[int, Field(ge=0)]
    """Number of features in data/candidates.jsonl that are tried one by one."""
    together: Annotated[int, Field(ge=0)]
    """Number of highest-ranked features of one site that are tried at once; 0 for none."""
    doses: list[float]
    """Factors of ``scale``; 1 leaves the feature unchanged."""
    random: Annotated[int, Field(ge=1)]
    """Number of matched random features, or groups of them, for each candidate."""
    min_similarity: Annotated[float, Field(ge=-1, le=1)]
    """Minimum mean CLAP similarity to the baseline. Below it an effect is entangled, not a
    finding."""
    p: Annotated[float, Field(gt=0, lt=1)]
    """Maximum p-value at which a motif counts as returned."""
    min_score: Annotated[float, Field(ge=0, le=1)]
    """Minimum score at which a motif counts as returned."""
    rows: Annotated[int, Field(ge=2)]
    """Number of clips in a batch."""
    kept_tracks: Annotated[int, Field(ge=0)]
    """Number of pieces whose clips are kept as audio for the report."""
    seed: Annotated[int, Field(ge=0)]

    @field_validator("doses")
    @classmethod
    def _doses(cls, doses: list[float]) -> list[float]:
        if len(set(doses)) < len(doses) or {0.0, 1.0} & set(doses):
            raise ValueError(f"{doses} repeats a dose or has 0 (ablate) or 1 (the feature itself)")
        return doses


class InterchangeParams(Settings):
    """How residuals are exchanged between pieces that are read; see docs/stages/interchange.md."""

    tracks: Annotated[int, Field(ge=2)]
    """Number of pieces; as many as can be have each combination of decisions."""
    lead_seconds: Annotated[float, Field(gt=0)]
    """Resolution of the curve over lead time: residuals are exchanged in stretches of this
    length."""
    rows: Annotated[int, Field(ge=1)]
    """Number of events that are read at once."""


class SummaryParams(Settings):
    """Which ways to look for foresight are compared."""

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
    """Conditions whose pairs are shown. Each pair adds up to two clips of audio to the report."""
    features: Annotated[int, Field(ge=0)]
    """Number of highest-ranked candidates that get a page. Features with interventions always
    have one."""


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
    interchange: InterchangeParams
    interventions: InterventionsParams
    summary: SummaryParams
    report: ReportParams


def load_params(path: Path = PARAMS_FILE) -> Params:
    """Read and validate a params file.

    Raises ConfigError, which names every bad key, what was found and what is allowed.
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
            fix="correct the keys named, or start again from `leitmotif use PRESET`",
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


TextSetting = Literal["yes", "or null", "no"]


def text_setting(place: Sequence[str], corpus_source: object = None) -> TextSetting:
    """Whether a setting holds text, or text or null; ``no`` also where there is no such setting.

    ``place`` is such as ``("model", "name")``. ``corpus_source`` decides about those of ``corpus``.
    """
    section: Any = None
    if len(place) == 2 and place[0] in Params.model_fields:
        section = Params.model_fields[place[0]].annotation
        if place[0] == "corpus":
            section = _SOURCES.get(str(corpus_source), FolderCorpus)
    field = section.model_fields.get(place[1]) if section else None
    if field is None:
        return "no"
    kinds = get_args(field.annotation) if get_origin(field.annotation) is not list else (list,)
    if get_origin(field.annotation) is Literal or field.annotation is str:
        return "yes"
    return "or null" if set(kinds) == {str, type(None)} else "no"


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
