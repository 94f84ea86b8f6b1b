"""Which tracks, models and rows may be published in one run."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from leitmotif.errors import ConfigError, LeitmotifError
from leitmotif.files import parse_json
from leitmotif.share.publish.licences import REASONS, AnyLicence, Reason, refusal
from leitmotif.share.publish.local import LocalFile
from leitmotif.share.publish.routing import ROUTING, Artifact, LicenceSource, Routing
from leitmotif.share.publish.rows import PublishedTrack
from leitmotif.tables.corpus import ManifestTrack

_NAMES_A_TRACK = ("track_id", "other")
"""Fields of rows that hold a track's id."""


@dataclass(frozen=True)
class Permissions:
    """What the licences of one run allow."""

    routing: Routing
    tracks: Mapping[str, ManifestTrack]
    refused: Mapping[str, Reason]
    """Tracks from which nothing may be published."""
    models: tuple[AnyLicence, ...]
    """Licences of the models that the run used; each allows publication."""

    def licences_of(self, artifact: Artifact, tracks: Iterable[str]) -> list[AnyLicence]:
        """Licences that hold for a file which was made from these tracks' recordings."""
        by_source: dict[LicenceSource, list[AnyLicence]] = {
            "tracks": [
                licence for track in tracks if (licence := self.tracks[track].licence) is not None
            ],
            "model": list(self.models),
            "repository": [self.routing.repository],
        }
        return [licence for source in artifact.licences for licence in by_source[source]]

    def refused_rows(self, table: LocalFile) -> tuple[bytes, int]:
        """A table without the rows on tracks that may not be published, and how many it had.

        Rows that name no track stay. Raises LeitmotifError for a line that is not JSON.
        """
        lines, left_out = [], 0
        for number, line in enumerate((table.text or b"").split(b"\n"), start=1):
            if not line:
                continue
            named = _tracks_of(line, f"{table.path}:{number}")
            if any(track in self.refused or track not in self.tracks for track in named):
                left_out += 1
            else:
                lines.append(line)
        return b"\n".join(lines) + b"\n", left_out

    def rows(self) -> list[PublishedTrack]:
        """tracks.jsonl."""
        return [
            PublishedTrack(
                track_id=track.track_id,
                sha256=track.sha256,
                licence=track.licence,
                published=track.track_id not in self.refused,
                reason=self.refused.get(track.track_id),
            )
            for track in self.tracks.values()
        ]


def permissions(
    routing: Routing, tracks: Iterable[ManifestTrack], models: Iterable[str]
) -> Permissions:
    """Apply the rule to the tracks of the manifest and to the models of params.yaml.

    Raises ConfigError for a model whose licence artifacts.yaml does not state, or whose licence
    allows no publication: clips and activations are put out by it.
    """
    by_id = {track.track_id: track for track in tracks}
    refused = {
        track_id: reason
        for track_id, track in by_id.items()
        if (reason := refusal(track.licence)) is not None
    }
    licences: dict[str, AnyLicence] = {}
    for name in models:
        licence = routing.model_licence(name)
        reason = refusal(licence)
        if licence is None or reason is not None:
            raise ConfigError(
                f"what {name} puts out cannot be published",
                found=REASONS[reason] if reason else "",
                expected=f"an entry below models: in {ROUTING}, with a licence that allows it",
                fix=f"state the licence of its weights in {ROUTING}",
            )
        licences[licence.name + licence.attribution] = licence
    return Permissions(routing, by_id, refused, tuple(licences.values()))


def tracks_by_file(table: LocalFile) -> dict[str, set[str]]:
    """Tracks of the files that a table lists, ``Artifact.listed_in``, by path from the root."""
    tracks: dict[str, set[str]] = {}
    for number, line in enumerate((table.text or b"").split(b"\n"), start=1):
        row = _row(line, f"{table.path}:{number}") if line else {}
        if row.get("file"):
            path = (Path(table.path).parent / str(row["file"])).as_posix()
            tracks.setdefault(path, set()).update(_named(row))
    return tracks


def _tracks_of(line: bytes, place: str) -> list[str]:
    return _named(_row(line, place))


def _named(row: Mapping[str, object]) -> list[str]:
    """Tracks that a row names: none, one or two."""
    return [str(row[name]) for name in _NAMES_A_TRACK if row.get(name) is not None]


def _row(line: bytes, place: str) -> Mapping[str, object]:
    try:
        row = parse_json(line.decode())
    except (UnicodeDecodeError, json.JSONDecodeError, ValueError) as error:
        raise LeitmotifError(f"{place} is not JSON", found=error, expected="a row") from error
    if not isinstance(row, dict):
        raise LeitmotifError(f"{place} is not a row", found=type(row).__name__, expected="{…}")
    return row
