"""All autoencoders of an experiment: encoded, measured at each site, audited and spliced."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from leitmotif.claims import is_above_zero
from leitmotif.config import Params
from leitmotif.errors import ModelError
from leitmotif.files import write_table
from leitmotif.intervals import track_weights, with_estimate
from leitmotif.musicgen.loading import shared_model
from leitmotif.sae.audit.beside import SitesBeside, adjacent, sites_beside
from leitmotif.sae.audit.chance import chance_fvu
from leitmotif.sae.audit.measured import (
    CLEARLY,
    AlignmentAudit,
    SiteFit,
    Tensors,
    audit_sites,
    measure_each,
    neighbours,
)
from leitmotif.sae.audit.misalignment import Trial, misalign
from leitmotif.sae.audit.splice import Replacement, Splicing, recovered
from leitmotif.sae.autoencoder.encode import Encoded, encode_each
from leitmotif.sae.autoencoder.used import UsedSae
from leitmotif.sae.pool import RowPool
from leitmotif.sites import split_site
from leitmotif.store.reading.reader import ActivationStore
from leitmotif.store.writing.parts import StoreReading
from leitmotif.tables.alignment import AlignmentRow, AuditRow, EncodedRow, TrainedRow, TrialRow
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tables.interval import IntervalRow
from leitmotif.work.progress import progress

Fits = Mapping[str, Mapping[str, SiteFit]]
"""Fits by the name of the hook, then by site."""
BySite = Mapping[str, Sequence[str]]
"""Sites, by the name of the hook."""


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

    def rows(self, encoded: Sequence[Encoded]) -> list[AlignmentRow]:
        """Each autoencoder at each site that was measured, in the order of the settings.

        Raises ModelError for one that reconstructs another site better, or its own hardly better
        than one that has learnt nothing, unless that is allowed.
        """
        if not self.used:
            return []
        with self._beside() as store:
            near = {used.hook.name: self._near(used, store.sites) for used in self.used}
            nearby = self._fits(store, near, self._few, "alignment beside")
            audits = [self._audit(used, store, nearby[used.hook.name]) for used in self.used]
            self._refuse(audits)
            trials = self._trials(store, nearby)
        losses, fits = self._losses(), self._all_fits(nearby)
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

    @property
    def _few(self) -> list[ManifestTrack]:
        """Tracks of the audit, evenly spread."""
        return spread(self.tracks, self.params.sae.audit_tracks)

    def _beside(self) -> AbstractContextManager[SitesBeside]:
        params = self.params
        reading = StoreReading(
            partial(shared_model, params.model),
            params.model,
            params.activations,
            self.audio_root,
            self.cache,
        )
        sites = [used.site for used in self.used]
        return sites_beside(self.store, sites, reading, self._few, reach=params.sae.reach)

    def _near(self, used: UsedSae, sites: Sequence[str]) -> list[str]:
        """Sites of the audit: those ``reach`` blocks away, and as many stored ones of its kind."""
        reach, alike = self.params.sae.reach, self._alike(used.site)
        near = {used.site, *adjacent(used.site, sites, reach=reach)}
        if len(alike) > 1 or len(near) < 2:  # raises, if there is nothing to compare with
            near |= {*neighbours(alike, used.site, reach=reach)}
        return sorted(near, key=split_site)

    def _alike(self, site: str) -> list[str]:
        kind = split_site(site)[1]
        return [stored for stored in self.store.sites if split_site(stored)[1] == kind]

    def _fits(
        self, store: Tensors, sites: BySite, tracks: Sequence[ManifestTrack], shown: str
    ) -> Fits:
        saes = {used.hook.name: (used.sae, sites[used.hook.name]) for used in self.used}
        names = [track.track_id for track in tracks]
        measured = measure_each(saes, store, names, seed=self.params.sae.seed)
        return dict(progress(measured, shown, total=len(self.used)))

    def _all_fits(self, nearby: Fits) -> Fits:
        """How well each autoencoder reconstructs each stored site of its kind, and those beside."""
        alike = {used.hook.name: self._alike(used.site) for used in self.used}
        fits = self._fits(self.store, alike, self.tracks, "alignment")
        return {
            name: dict(
                sorted({**nearby[name], **fit}.items(), key=lambda item: split_site(item[0]))
            )
            for name, fit in fits.items()
        }

    def _audit(self, used: UsedSae, store: Tensors, fits: Mapping[str, SiteFit]) -> AlignmentAudit:
        names, seed = [track.track_id for track in self._few], self.params.sae.seed
        weights = with_estimate(track_weights(len(names), seed=seed))
        chance = chance_fvu(used.sae, store, used.site, names, weights, seed=seed)
        return audit_sites(used.hook.name, fits, used.site, chance)

    def _refuse(self, audits: Sequence[AlignmentAudit]) -> None:
        failing = [audit for audit in audits if not audit.passed]
        if failing and not self.params.sae.allow_misaligned:
            elsewhere = any(
                audit.best != audit.declared or not is_above_zero(audit.margin) for audit in failing
            )
            raise ModelError(
                "an autoencoder does not reconstruct its site best"
                if elsewhere
                else "an autoencoder reconstructs its site little better than a random one",
                found="; ".join(map(_compared, failing)),
                expected="the smallest share of variance unexplained at the declared site, and "
                f"less than {CLEARLY:g} of what one leaves that has learnt nothing",
                fix="give the site named in hooks.yaml and activations.sites, or another "
                "autoencoder, or set sae.allow_misaligned to go on with every output branded",
            )

    def _trials(self, store: SitesBeside, fits: Fits) -> list[Trial]:
        """Each autoencoder that is on its site, tried on neighbours of it."""
        track, reach = self._few[0].track_id, self.params.sae.reach
        headers = {site: store.header(site, track) for site in store.sites}
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
        some = spread(self.tracks, self.params.sae.spliced_tracks)
        replacements = [
            Replacement(used.site, used.sae, RowPool(self.store, used.site).centre()[0])
            for used in self.used
        ]
        splicing = Splicing(self.params.model, replacements, self.audio_root, self.cache)
        measured = progress(splicing.run(some), "spliced loss", total=len(some))
        by_hook = zip(self.used, zip(*measured, strict=True), strict=True)
        seed = self.params.sae.seed
        return {
            used.hook.name: IntervalRow.of(recovered(losses, seed=seed), 4, n=len(some))
            for used, losses in by_hook
        }


_NOT_GIVEN: dict[str, Any] = dict.fromkeys(
    ("audit", "loss_recovered", "encoded", "misaligned", "trained")
)


def _given(
    used: UsedSae, encoded: Encoded, audit: AlignmentAudit, loss: IntervalRow
) -> dict[str, Any]:
    """What is known only of the site whose activations an autoencoder is given."""
    tracks = audit.fits[audit.declared].tracks
    assert audit.chance is not None
    assert audit.of_chance is not None
    return {
        "audit": AuditRow(
            best=audit.best,
            margin=IntervalRow.of(audit.margin, p=audit.margin_p, n=tracks),
            chance=IntervalRow.of(audit.chance, n=tracks),
            of_chance=IntervalRow.of(audit.of_chance, n=tracks),
            passed=audit.passed,
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


def spread(tracks: Sequence[ManifestTrack], count: int) -> list[ManifestTrack]:
    """At most so many of the tracks, evenly spread."""
    return list(tracks[:: max(1, len(tracks) // count)][:count])


def _compared(audit: AlignmentAudit) -> str:
    there, best = (audit.fits[site].fvu.mean for site in (audit.declared, audit.best))
    chance = "" if audit.chance is None else f", {audit.chance.mean:.3f} by chance"
    return (
        f"{audit.checkpoint} leaves {there:.3f} unexplained at {audit.declared}, "
        f"{best:.3f} at {audit.best}{chance}"
    )
