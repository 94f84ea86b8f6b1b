"""All autoencoders of an experiment: encoded, measured at each site, audited and spliced."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leitmotif.config import Params
from leitmotif.errors import ModelError
from leitmotif.files import write_table
from leitmotif.sae.audit.measured import Audit, SiteFit, audit_sites, measure_each, neighbours
from leitmotif.sae.audit.misalignment import Trial, misalign
from leitmotif.sae.audit.splice import Replacement, Splicing, recovered
from leitmotif.sae.autoencoder.encode import Encoded, encode_each
from leitmotif.sae.autoencoder.used import UsedSae
from leitmotif.sae.pool import RowPool
from leitmotif.sites import split_site
from leitmotif.store.reading.reader import ActivationStore
from leitmotif.tables.alignment import AlignmentRow, AuditRow, EncodedRow, TrainedRow, TrialRow
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tables.interval import IntervalRow
from leitmotif.work.progress import progress

Fits = Mapping[str, Mapping[str, SiteFit]]
"""By the name of the hook, then by site."""


@dataclass(frozen=True)
class SaeStudy:
    """Encodes activations and measures whether each autoencoder is on its site.

    Parameters
    ----------
    params : all settings; ``sae`` says what is refused, and on how many tracks loss is measured.
    used : autoencoders, each with the site that it is given.
    store : activations of the model under study.
    tracks : manifest rows of readable tracks.
    audio_root : folder to which the tracks' paths are relative.
    cache : folder of the work cache.
    """

    params: Params
    used: Sequence[UsedSae]
    store: ActivationStore
    tracks: Sequence[ManifestTrack]
    audio_root: Path
    cache: Path

    def encode(self, out: Path) -> list[Encoded]:
        """Write each autoencoder's features into a folder of its own in ``out``.

        Raises ModelError for an autoencoder that does not match the activations.
        """
        allowed = self.params.sae.allow_misaligned
        encoding = encode_each(self.used, self.store, out, allow_misaligned=allowed)
        encoded = list(progress(encoding, "autoencoders", total=len(self.used)))
        # With no autoencoder in use the folder would be empty, of which DVC warns at every run.
        write_table(out / "hooks.jsonl", [used.hook for used in self.used])
        return encoded

    def fits(self) -> Fits:
        """How well each autoencoder reconstructs each site of its kind."""
        saes = {used.hook.name: (used.sae, self._alike(used.site)) for used in self.used}
        measured = measure_each(saes, self.store, seed=self.params.sae.seed)
        return dict(progress(measured, "alignment", total=len(self.used)))

    def rows(self, encoded: Sequence[Encoded], fits: Fits) -> list[AlignmentRow]:
        """Each autoencoder at each site that was measured, in the order of the settings.

        Raises ModelError for one that reconstructs another site better, unless that is allowed.
        """
        audits = [self._audit(used, fits[used.hook.name]) for used in self.used]
        self._refuse(audits)
        trials, losses = self._trials(fits), self._losses()
        return [
            AlignmentRow(
                hook=used.hook.name,
                site=site,
                fvu=IntervalRow.of(fit.fvu, n=fit.tracks),
                cosine=IntervalRow.of(fit.cosine, n=fit.tracks),
                l0=IntervalRow.of(fit.l0, n=fit.tracks),
                dead_fraction=round(fit.dead_fraction, 5),
                trials=[
                    TrialRow(falsified=trial.falsified, caught=trial.caught, best=trial.best)
                    for trial in trials
                    if (trial.checkpoint, trial.used) == (used.hook.name, site)
                ],
                **(
                    _given(used, its, audit, losses[used.hook.name])
                    if site == used.site
                    else _NOT_GIVEN
                ),
            )
            for used, its, audit in zip(self.used, encoded, audits, strict=True)
            for site, fit in fits[used.hook.name].items()
        ]

    def _alike(self, site: str) -> list[str]:
        kind = split_site(site)[1]
        return [stored for stored in self.store.sites if split_site(stored)[1] == kind]

    def _audit(self, used: UsedSae, fits: Mapping[str, SiteFit]) -> Audit:
        near = neighbours(list(fits), used.site, reach=self.params.sae.reach)
        return audit_sites(used.hook.name, {site: fits[site] for site in near}, used.site)

    def _refuse(self, audits: Sequence[Audit]) -> None:
        failing = [audit for audit in audits if not audit.passed]
        if failing and not self.params.sae.allow_misaligned:
            raise ModelError(
                "an autoencoder does not reconstruct its site best",
                found="; ".join(map(_compared, failing)),
                expected="the smallest share of variance unexplained at the declared site",
                fix="give the site named in hooks.yaml and activations.sites, or set "
                "sae.allow_misaligned to go on with every output branded",
            )

    def _trials(self, fits: Fits) -> list[Trial]:
        """Each autoencoder that is on its site, tried on neighbours of it."""
        store, reach = self.store, self.params.sae.reach
        headers = {site: store.header(site, store.tracks(site)[0]) for site in store.sites}
        return [
            trial
            for used in self.used
            if used.site == used.hook.site
            for trial in misalign(
                used.hook, used.sae.config, fits[used.hook.name], headers, reach=reach
            )
        ]

    def _losses(self) -> dict[str, IntervalRow]:
        """Share of the loss recovered by each autoencoder, by the name of its hook."""
        if not self.used:
            return {}
        tracks, count = self.tracks, self.params.sae.spliced_tracks
        spread = tracks[:: max(1, len(tracks) // count)][:count]
        replacements = [
            Replacement(used.site, used.sae, RowPool(self.store, used.site).centre()[0])
            for used in self.used
        ]
        splicing = Splicing(self.params.model, replacements, self.audio_root, self.cache)
        measured = progress(splicing.run(spread), "spliced loss", total=len(spread))
        by_hook = zip(self.used, zip(*measured, strict=True), strict=True)
        seed = self.params.sae.seed
        return {
            used.hook.name: IntervalRow.of(recovered(losses, seed=seed), 4, n=len(spread))
            for used, losses in by_hook
        }


_NOT_GIVEN: dict[str, Any] = dict.fromkeys(
    ("audit", "loss_recovered", "encoded", "misaligned", "trained")
)


def _given(used: UsedSae, encoded: Encoded, audit: Audit, loss: IntervalRow) -> dict[str, Any]:
    """What is known only of the site whose activations an autoencoder is given."""
    tracks = audit.fits[audit.declared].tracks
    return {
        "audit": AuditRow(
            best=audit.best, margin=IntervalRow.of(audit.margin, n=tracks), passed=audit.passed
        ),
        "loss_recovered": loss,
        "encoded": EncodedRow(
            frames=encoded.frames,
            l0=round(encoded.l0, 3),
            most=encoded.most,
            bytes_per_frame=round(encoded.bytes / max(encoded.frames, 1), 1),
        ),
        "misaligned": encoded.misaligned or "",
        "trained": None
        if used.trained is None
        else TrainedRow(**used.trained.model_dump(exclude={"settings"})),
    }


def _compared(audit: Audit) -> str:
    there, best = (audit.fits[site].fvu.mean for site in (audit.declared, audit.best))
    return (
        f"{audit.checkpoint} leaves {there:.3f} unexplained at {audit.declared}, "
        f"{best:.3f} at {audit.best}"
    )
