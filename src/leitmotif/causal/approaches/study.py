"""The comparison of approaches: each searches for features, and its choice is intervened on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from threadpoolctl import threadpool_limits

from leitmotif.causal.approaches.comparison import Comparison, verdict_without_features
from leitmotif.causal.approaches.kinds import APPROACHES, Approach, EncodedFeatures, FeatureChoice
from leitmotif.causal.approaches.search import FeatureSearch
from leitmotif.causal.experiment.candidates import FeatureCandidates
from leitmotif.causal.experiment.study import Study
from leitmotif.claims import Claims
from leitmotif.config import Params
from leitmotif.probe.estimators.experiment import ProbeSettings
from leitmotif.probe.inputs.registry import ControlSettings
from leitmotif.probe.inputs.rows import Rows
from leitmotif.sae.autoencoder.encode import encode_each
from leitmotif.sae.autoencoder.used import UsedSae
from leitmotif.store.reading.reader import ActivationStore
from leitmotif.tables.approaches import ApproachRow
from leitmotif.work.progress import progress


@dataclass(frozen=True)
class ApproachStudy:
    """Runs the approaches that ``summary.approaches`` names on one experiment.

    Parameters
    ----------
    params : all settings.
    rows : rows of the experiment, with their targets and controls.
    controls : which controls there are, and how they are bent.
    used : autoencoders, each with the site that it is given.
    store : activations of the model under study.
    encoded : folder of the autoencoders' features, one folder for each hook.
    """

    params: Params
    rows: Rows
    controls: ControlSettings
    used: Sequence[UsedSae]
    store: ActivationStore
    encoded: Path

    def run(self, study: Study) -> list[ApproachRow]:
        """A row for each approach, in the order of the settings.

        Raises ProbeError for too little data, and ModelError where too few features are alike.
        """
        with TemporaryDirectory(prefix="leitmotif-") as folder:
            # Thousands of small products: two threads that wait for each other take five times as
            # long.
            with threadpool_limits(limits=1, user_api="blas"):
                selected = self._searched(Path(folder))
            compared = {
                approach: self._compared(chosen, study)
                for approach, chosen in selected.items()
                if chosen is not None
            }
            heard = study.run(
                [
                    candidate
                    for comparison in compared.values()
                    for candidate in comparison.candidates
                ],
                tried=1,
            )
        return [
            compared[approach].row(heard, self._named(approach))
            if approach in compared
            else self._nothing(approach, study)
            for approach in selected
        ]

    def _searched(self, folder: Path) -> dict[Approach, FeatureChoice | None]:
        """What each approach finds; ``folder`` takes what misaligned autoencoders encode."""
        probes = self.params.probes
        search = FeatureSearch(
            rows=self.rows,
            claims=Claims.of(probes),
            controls=self.controls,
            store=self.store,
            sites=self.params.activations.sites,
            probing=ProbeSettings(
                folds=probes.folds,
                permutations=0,
                shifts=0,
                alpha=probes.alpha,
                seeds=1,
                seed=probes.seed,
            ),
            least_active=probes.least_active,
            surest=probes.candidates,
            together=max(1, self.params.interventions.together),
        )
        aligned, misaligned = EncodedFeatures(self.encoded, self.used), self._misaligned(folder)
        compared = [
            approach
            for approach in (APPROACHES[name] for name in self.params.summary.approaches)
            if misaligned.used or not approach.misaligned
        ]
        return {
            approach: search(approach, misaligned if approach.misaligned else aligned)
            for approach in progress(compared, "approaches", total=len(compared))
        }

    def _misaligned(self, folder: Path) -> EncodedFeatures:
        """Each autoencoder with the next cached site, encoded in ``folder``; the last has none."""
        pairs = [
            UsedSae(this.hook, this.sae, following.site, this.trained)
            for this, following in pairwise(self.used)
        ]
        list(encode_each(pairs, self.store, folder, allow_misaligned=True))
        return EncodedFeatures(folder, pairs)

    def _compared(self, found: FeatureChoice, study: Study) -> Comparison:
        source, settings = found.source, study.settings
        makes = FeatureCandidates(self.store, source.used, source.encoded, seed=settings.seed)
        return Comparison(found, makes, study.pieces, random=settings.random)

    def _named(self, approach: Approach) -> Mapping[str, object]:
        """What a row says of the experiment."""
        return {
            "name": approach.name,
            "model": self.params.model.name,
            "horizon": Claims.of(self.params.probes).claimed.name,
            "exploratory": self.params.probes.exploratory,
        }

    def _nothing(self, approach: Approach, study: Study) -> ApproachRow:
        """The row of an approach that finds no feature."""
        unknown = ("site", "hook", "r2", "partial_r2", "clap_similarity", "delta_recurrence")
        return ApproachRow.model_validate(
            {
                **self._named(approach),
                **dict.fromkeys((*unknown, "over_controls", "screened", "lead", "otherwise")),
                "features": [],
                "verdict": verdict_without_features(study),
                "by_site": [],
            }
        )
