"""A publication: the selected files, the tables that describe them, and the card."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version

from leitmotif.config import Params
from leitmotif.share.publish.card import card
from leitmotif.share.publish.rows import (
    CARD,
    MANIFEST,
    PUBLICATION,
    TRACKS,
    WITHHELD,
    PublicationRecord,
    PublishedFile,
    WithheldFile,
    content_of,
)
from leitmotif.share.publish.selection import Payload, PublicationSelection
from leitmotif.tables.base import Table


@dataclass(frozen=True)
class Publication:
    """All files of a data set, and what was left out of it."""

    payloads: list[Payload]
    """What is published by path, the tables and the card included."""
    withheld: list[WithheldFile]
    record: PublicationRecord

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(payload.row.bytes for payload in self.payloads)

    @property
    def descriptions(self) -> dict[str, bytes]:
        """The card and the tables that are written for the publication alone, by path."""
        return {
            payload.row.path: payload.content
            for payload in self.payloads
            if payload.file is None and payload.content is not None
        }


def publication(repository: str, selection: PublicationSelection) -> Publication:
    """Write the tables and the card of what was selected; equal input gives equal bytes.

    Parameters
    ----------
    repository
        Id of the data set, ``OWNER/NAME``; the card names it.
    selection
        What is published.
    """
    licence = selection.permissions.routing.repository.name
    withheld = sorted(selection.withheld, key=lambda row: row.path)
    tables = [
        _table(TRACKS, selection.permissions.rows(), licence),
        _table(WITHHELD, withheld, licence),
    ]
    data = sorted([*selection.payloads, *tables], key=lambda payload: payload.row.path)
    manifest = _table(MANIFEST, (payload.row for payload in data), licence)
    record = PublicationRecord(
        source=source_of(selection.params),
        commit=selection.state.commit,
        uncommitted=list(selection.state.uncommitted),
        dvc_lock_sha256=selection.state.dvc_lock_sha256,
        manifest_sha256=manifest.row.sha256,
        files=len(data),
        bytes=sum(payload.row.bytes for payload in data),
        version=version("leitmotif"),
    )
    card_file = _description(CARD, card(repository, selection, record).encode(), licence)
    record = record.model_copy(update={"card_sha256": card_file.row.sha256})
    text = json.dumps(record.model_dump(mode="json"), indent=2, sort_keys=True) + "\n"
    described = [
        manifest,
        _description(PUBLICATION, text.encode(), licence),
        card_file,
    ]
    everything = sorted([*data, *described], key=lambda payload: payload.row.path)
    return Publication(everything, withheld, record)


def source_of(params: Params) -> str:
    """Model and kind of corpus: what a second publication must share to take the first's place."""
    return f"{params.model.name} on {params.corpus.source}"


def _table(path: str, rows: Iterable[Table], licence: str) -> Payload:
    return _description(path, content_of(path, rows), licence)


def _description(path: str, content: bytes, licence: str) -> Payload:
    row = PublishedFile(
        path=path,
        bytes=len(content),
        sha256=sha256(content).hexdigest(),
        licences=[licence],
        tracks=[],
    )
    return Payload(row, content, None)
