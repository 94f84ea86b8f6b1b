"""Four ways to look for features that foresee, by the same code with one setting changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from leitmotif.causal.experiment.effects import ByTrack, chosen_apart, strongest
from leitmotif.causal.experiment.findings import Finding
from leitmotif.sae.autoencoder.used import UsedSae
from leitmotif.tables.candidates import Ranked
from leitmotif.tables.interval import IntervalRow


@dataclass(frozen=True)
class Approach:
    """How features are looked for: the same search, with one setting changed in each."""

    name: str
    controlled: bool = True
    """Remove controls, hold out tracks and exchange them; if not, pool all frames."""
    local: bool = False
    """Choose by the nearest horizon in the place of that of which a claim is made."""
    misaligned: bool = False
    """Read the next cached site with each autoencoder."""
    screened: bool = False
    """Let interventions choose the site, on other pieces than those its effect is measured on; if
    not, it is the site with most of the surest features."""


APPROACHES = {
    "naive": Approach("naive correlation", controlled=False),
    "local": Approach("local continuity", local=True),
    "misaligned": Approach("misaligned autoencoder", misaligned=True),
    "aligned": Approach("aligned and causal", screened=True),
}


@dataclass(frozen=True)
class EncodedFeatures:
    """Where an approach reads features."""

    encoded: Path
    """A folder for each autoencoder."""
    used: Sequence[UsedSae]
    """Empty: the coordinates of the sites themselves."""


@dataclass(frozen=True)
class AtSite:
    """What an approach chose at one site, and what it would report of it."""

    chosen: Sequence[Ranked]
    """The surest features, the surest first."""
    r2: float | None
    """As the approach measures it: pooled and in sample without controls, ``partial_r2`` with."""
    partial_r2: IntervalRow | None
    """Beyond the controls, over tracks that had no say in the choice; None where the tracks are too
    few to be halved."""
    near: float
    """How near the nearest feature is to changing sides; see ``Selection.otherwise``."""
    otherwise: Sequence[Ranked]
    """What would have been chosen here if it did."""


@dataclass(frozen=True)
class FeatureChoice:
    """What an approach chose."""

    approach: Approach
    source: EncodedFeatures
    sites: Mapping[str, AtSite]
    """First the site with most of the surest features."""
    lead: int | None
    """By how many of the surest features the first site leads the next; None without a next."""
    site_otherwise: str | None
    """Which site would be first if the feature nearest to it changed sides; None: none, as no
    feature would be sure."""

    @property
    def site(self) -> str:
        """What the probes alone would choose."""
        return next(iter(self.sites))


@dataclass(frozen=True)
class Screened:
    """What becomes of an approach where interventions choose its site."""

    site: str
    """Site with the strongest effect on all pieces."""
    towards: ByTrack
    """Each piece's effect, in points, at the site that was chosen on other pieces."""
    over_controls: ByTrack
    """Its excess over its controls there; pieces without any are left out."""


def screen(judged: Mapping[str, Finding]) -> Screened:
    """Let the effects of an approach's features at each site choose the site."""
    effects = {site: finding.towards for site, finding in judged.items()}
    chosen = chosen_apart(effects)

    def at_chosen(values: Mapping[str, ByTrack]) -> ByTrack:
        return {track: values[s][track] for track, s in chosen.items() if track in values[s]}

    return Screened(
        strongest(effects, [*chosen]),
        at_chosen(effects),
        at_chosen({site: finding.over_controls for site, finding in judged.items()}),
    )
