"""What the checks read of the repository in the working directory, each file once."""

import os
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from leitmotif.claims import Claims
from leitmotif.config import Params, load_params
from leitmotif.errors import LeitmotifError, StageError, StoreError
from leitmotif.files import read_table
from leitmotif.pipeline import ACTIVATIONS, FAILURES, MANIFEST
from leitmotif.sae.autoencoder.registry import Hook, load_registry
from leitmotif.share.outs import revision_outs
from leitmotif.share.revisions import working_tree
from leitmotif.sites import canonical_site
from leitmotif.store.reading.header import Header
from leitmotif.store.reading.index import FAILURES as FAILED_THERE
from leitmotif.store.reading.index import StoreRow, read_index
from leitmotif.store.reading.reader import describe
from leitmotif.tables.corpus import Failure, ManifestTrack
from leitmotif.tables.interventions import InterventionRow

Row = TypeVar("Row", bound=BaseModel)
Item = TypeVar("Item")


class Inputs:
    """The repository's settings, tables and tensors, read when a check first asks for them.

    Parameters
    ----------
    sample : at most so many files of one kind are hashed, spread evenly; None: all.
    replay : so many clips of the log are made again.

    What cannot be read raises LeitmotifError with the file's name and the command that makes it.
    """

    def __init__(self, *, sample: int | None = None, replay: int = 0) -> None:
        self.sample, self.replay = sample, replay
        self._tables: dict[Path, Sequence[BaseModel]] = {}

    @cached_property
    def params(self) -> Params:
        """params.yaml."""
        return load_params()

    @cached_property
    def claims(self) -> Claims:
        """What may be claimed, by these settings."""
        return Claims.of(self.params.probes)

    def table(self, path: Path, row: type[Row]) -> list[Row]:
        """The rows of a table that a stage writes."""
        if path not in self._tables:
            if not path.exists():
                raise StageError(f"{path} is missing", fix=self.makes(path))
            try:
                self._tables[path] = read_table(path, row)
            except LeitmotifError as error:
                raise StageError(error.what, found=error.found, fix=self.makes(path)) from error
        return list(self._tables[path])  # type: ignore[arg-type]  # of one path, one kind of row

    def rows(self, path: Path, row: type[Row]) -> list[Row]:
        """The rows of a table that has at least one; raises StageError for one that has none."""
        rows = self.table(path, row)
        if not rows:
            raise StageError(f"{path} has no rows", fix=self.makes(path))
        return rows

    def makes(self, path: Path) -> str:
        """The command that makes a file: ``dvc repro STAGE``, by dvc.yaml."""
        wanted = path.as_posix()
        try:
            outs = revision_outs(working_tree())
        except LeitmotifError:
            outs = []
        for out in outs:
            if wanted == out.path or wanted.startswith(f"{out.path}/"):
                return f"dvc repro {out.stage}"
        return "dvc repro"

    def spread(self, items: Sequence[Item]) -> list[Item]:
        """As many of the items as may be hashed, evenly spread."""
        return spread(items, len(items) if self.sample is None else self.sample)

    def hashed(self, items: Sequence[object]) -> str:
        """What to say of how many files were hashed; nothing if all of them were."""
        count = len(self.spread(items))
        return "" if count == len(items) else f", {count} of them hashed"

    @cached_property
    def tracks(self) -> list[ManifestTrack]:
        """Tracks of the manifest that every stage up to the activations could use."""
        failed = {row.track_id for row in self.table(FAILURES, Failure)}
        listed = ACTIVATIONS / FAILED_THERE
        if os.path.lexists(listed):  # a store all of whose tracks were read may have none
            failed |= {row.track_id for row in self.table(listed, Failure)}
        tracks = self.rows(MANIFEST, ManifestTrack)
        return [track for track in tracks if track.track_id not in failed]

    @cached_property
    def index(self) -> Sequence[StoreRow]:
        """The table of contents of the activations."""
        try:
            rows = read_index(ACTIVATIONS)
        except LeitmotifError as error:
            raise StoreError(error.what, found=error.found, fix=self.makes(ACTIVATIONS)) from error
        if not rows:
            raise StoreError(f"{ACTIVATIONS} holds no tensors", fix=self.makes(ACTIVATIONS))
        return rows

    @cached_property
    def headers(self) -> dict[tuple[str, str], Header]:
        """What each stored tensor says of itself, by site and track.

        Tensors that cannot be read are left out: the check ``tensors`` names them.
        """
        headers = {}
        for row in self.index:
            with suppress(StoreError):
                described = describe(ACTIVATIONS / row.file)
                for stored in row.stored:
                    if stored.name in described:
                        headers[stored.site, stored.track_id], _ = described[stored.name]
        if not headers:
            raise StoreError(f"no tensor of {ACTIVATIONS} can be read", fix=self.makes(ACTIVATIONS))
        return headers

    @cached_property
    def hooks(self) -> list[tuple[Hook, str]]:
        """The autoencoders in use, each with the site that it is given."""
        names = [text.partition("@") for text in self.params.sae.hooks]
        registry = load_registry() if names else None
        return [
            (hook, canonical_site(site or hook.site))
            for name, _, site in names
            if registry is not None
            for hook in [registry[name]]
        ]

    def log(self, path: Path) -> list[InterventionRow]:
        """The intervention log, which has at least one line."""
        return self.rows(path, InterventionRow)


def spread(items: Sequence[Item], count: int) -> list[Item]:
    """At most ``count`` items, evenly spread from the first on.

    >>> spread("abcdef", 3)
    ['a', 'c', 'e']
    """
    count = min(count, len(items))
    return [items[number * len(items) // count] for number in range(count)]


def named(names: Sequence[str], most: int = 3) -> str:
    """The first few names, and how many more there are.

    >>> named(["a", "b", "c", "d"], most=2)
    'a, b and 2 more'
    """
    shown = ", ".join(names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")
