"""Tables of the stage ``decoderlens``: what a tagger hears in the music of each layer."""

from typing import Literal

from leitmotif.tables.base import Count, PathBelow, Sha256, Share, Table
from leitmotif.tables.interval import IntervalRow

Lens = Literal["plain", "tuned"]
"""Whether the heads read a layer's residuals as they are, or mapped to the last layer."""
Heard = Literal["read", "sampled"]
"""What an exit plays after: what the whole model played, or what it has played itself."""


class AgreementRow(Table):
    """How far two taggers agree on the same clips, over labels that both know by name."""

    labels: Count
    """Number of the slot's concepts that both know."""
    rank: IntervalRow
    """Spearman's correlation of the two orders of these labels in a clip, mean over clips. The same
    order gives 1, and orders that have nothing to do with each other 0."""
    named: IntervalRow
    """Share of clips of which both name the same concept of the slot."""
    named_by_chance: Share
    """The same if each named as many clips after a concept, but others."""


class DecoderLensRow(Table):
    """How well a tagger recognises one concept, or all of one slot, in the music of one layer."""

    KEY = ("lens", "heard", "slot", "concept", "layer")

    slot: str
    """Slot of the prompts' template, such as instrument."""
    concept: str | None
    """Null for all concepts of the slot."""
    layer: Count
    lens: Lens
    heard: Heard
    ndcg: IntervalRow
    """Of the concept's labels among all labels of the tagger, over prompts, as in the paper."""
    chance: Share
    """Expected of a random order of the labels."""
    within: IntervalRow
    """The same among the labels of the slot's concepts alone. Labels that are true of all music,
    such as Music, rank high too, so ``ndcg`` does not reach 1 where every concept is named."""
    chance_within: Share
    agreement: AgreementRow | None
    """Agreement of the tagger and a second one; null without one."""


class DivergenceRow(Table):
    """How far what one layer says is from what the model says, in one codebook."""

    KEY = ("lens", "layer", "codebook")

    layer: Count
    codebook: Count
    lens: Lens
    nats: IntervalRow
    """KL divergence, mean over steps, over prompts that the tuned lens was not fitted on."""


class SimilarityRow(Table):
    """Two layers over the prompts of one concept, or of all; outputs are means over time."""

    KEY = ("concept", "first", "second")

    concept: str | None
    """Null for all prompts."""
    first: Count
    second: Count
    distance: float
    """Euclidean, mean over prompts."""
    cka: float | None
    """Linear centred kernel alignment, debiased; null where a layer says the same to all."""
    cka_biased: float | None
    """The same by the plain estimator, which is too large where prompts are few."""


class LensClipRow(Table):
    """data/lens/clips.jsonl: a clip that was kept, of what one layer plays for one prompt."""

    KEY = ("concept", "prompt", "layer", "lens", "heard")

    concept: str
    prompt: str
    """The whole text."""
    layer: Count
    lens: Lens
    heard: Heard
    named: str
    """The concept of the slot whose labels the tagger ranks highest."""
    ndcg: Share
    """``within`` of this clip alone."""
    file: PathBelow
    """Name of the WAV file beside the table: mono, 16 bits."""
    sha256: Sha256
    """SHA-256 of the file."""
