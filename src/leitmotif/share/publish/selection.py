"""Which files are published: routed there, unchanged since dvc.lock, and allowed to leave."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

from leitmotif.config import Params, load_params
from leitmotif.errors import LeitmotifError
from leitmotif.files import read_table
from leitmotif.pipeline import MANIFEST
from leitmotif.sae.autoencoder.registry import FolderCheckpoint, load_registry
from leitmotif.share.outs import revision_outs
from leitmotif.share.publish.local import LocalFile, read_local
from leitmotif.share.publish.permissions import Permissions, permissions, tracks_by_file
from leitmotif.share.publish.routing import Artifact, load_routing
from leitmotif.share.publish.rows import PublishedFile, WithheldFile, content_of
from leitmotif.share.publish.shards import (
    PublishedShard,
    published_shard,
    shards_of,
)
from leitmotif.share.publish.state import State, check_committed, check_outputs, current_state
from leitmotif.share.revisions import revision, working_tree
from leitmotif.store.reading.index import ShardRow
from leitmotif.tables.corpus import ManifestTrack


@dataclass(frozen=True)
class Payload:
    """A file of the publication and where its content is."""

    row: PublishedFile
    content: bytes | None
    """Content of a table or another text; None: it is read from ``file``."""
    file: LocalFile | None
    """None for what is written for the publication alone."""
    without: frozenset[str] = frozenset()
    """Tracks whose tensors are left out of a shard, which is packed anew when it is sent."""


@dataclass
class PublicationSelection:
    """What of one run is published and what is not."""

    root: Path
    params: Params
    state: State
    permissions: Permissions
    payloads: list[Payload] = field(default_factory=list)
    withheld: list[WithheldFile] = field(default_factory=list)


def models_of(params: Params) -> list[str]:
    """Every model whose activations or sound the outputs hold."""
    names = (params.model.name, params.decoderlens.model, *params.probes.comparisons)
    return list(dict.fromkeys(name for name in names if name))


def select(root: Path = Path()) -> PublicationSelection:
    """Choose the files of the checkout in ``root``; nothing is sent.

    Raises
    ------
    LeitmotifError
        If dvc.lock, dvc.yaml or the settings are not as the commit has them, or a file that would
        be published is a recording.
    StoreError
        If an output is not here, or is not that of dvc.lock.
    ConfigError
        If artifacts.yaml, params.yaml or hooks.yaml cannot be used, or a model has no licence.
    """
    state = current_state(root)
    routing, params = load_routing(root / "artifacts.yaml"), load_params(root / "params.yaml")
    outs = revision_outs(working_tree(root))
    manifest = MANIFEST.as_posix()
    files: dict[str, list[LocalFile]] = {manifest: read_local(root, manifest)}
    routed: list[tuple[str, Artifact]] = []
    for artifact in routing.artifacts:
        if artifact.hub == "none":
            continue
        if artifact.listed_in:
            files[artifact.listed_in] = read_local(root, artifact.listed_in)
        for path in artifact.paths:
            made = [out.path for out in outs if Path(out.path).is_relative_to(path)]
            for chosen in made or _used_checkpoints(root, params, path):
                files[chosen] = read_local(root, chosen)
                routed.append((chosen, artifact))
    check_outputs(outs, files)
    tracks = read_table(root / MANIFEST, ManifestTrack)
    selection = PublicationSelection(
        root, params, state, permissions(routing, tracks, models_of(params))
    )
    made_here = {out.path for out in outs}
    for path, artifact in routed:
        if path not in made_here:
            check_committed(files[path], revision("HEAD", root))
        listed = tracks_by_file(files[artifact.listed_in][0]) if artifact.listed_in else None
        _add(selection, artifact, files[path], listed)
    _check_recordings(selection.payloads, tracks)
    return selection


def _used_checkpoints(root: Path, params: Params, path: str) -> list[str]:
    """Folders below ``path`` of the autoencoders that params.yaml uses."""
    registry = load_registry(root / "hooks.yaml")
    checkpoints = [registry[name].checkpoint for name in params.sae.hooks]
    return [
        checkpoint.path
        for checkpoint in checkpoints
        if isinstance(checkpoint, FolderCheckpoint) and Path(checkpoint.path).is_relative_to(path)
    ]


def _add(
    selection: PublicationSelection,
    artifact: Artifact,
    files: Iterable[LocalFile],
    listed: Mapping[str, set[str]] | None,
) -> None:
    allowed = selection.permissions
    files = list(files)
    index, rows = shards_of(files)
    shards: list[PublishedShard] = []
    for file in files:
        if "tracks" not in artifact.licences:
            selection.payloads.append(_payload(file, artifact, allowed, []))
        elif file is index:
            continue  # it says what comes of the shards
        elif row := rows.get(file.path):
            shards += _add_shard(selection, artifact, file, row)
        else:
            _add_file(selection, artifact, file, listed)
    if index is not None:
        left_out = len(rows) - len(shards)
        content = content_of(index.path, (shard.row for shard in shards))
        selection.payloads.append(_table(index, artifact, allowed, content, left_out))


def _add_file(
    selection: PublicationSelection,
    artifact: Artifact,
    file: LocalFile,
    listed: Mapping[str, set[str]] | None,
) -> None:
    allowed = selection.permissions
    tracks = _tracks_of(file, allowed, listed)
    if tracks is None:
        content, left_out = allowed.refused_rows(file)
        selection.payloads.append(_table(file, artifact, allowed, content, left_out))
        return
    refused = sorted({*tracks} & allowed.refused.keys())
    if tracks and not refused:
        selection.payloads.append(_payload(file, artifact, allowed, tracks))
    else:
        _withhold(selection, file, refused)


def _add_shard(
    selection: PublicationSelection, artifact: Artifact, file: LocalFile, row: ShardRow
) -> Iterator[PublishedShard]:
    """Publish what may be of a shard; yields it if that is something."""
    allowed = selection.permissions
    shard = published_shard(file, row, frozenset(_permitted(allowed)))
    if shard is None:
        _withhold(
            selection, file, sorted(track for track in row.tracks if track in allowed.refused)
        )
        return
    whole = _payload(file, artifact, allowed, shard.row.tracks)
    changes = {
        "bytes": shard.row.bytes,
        "sha256": shard.row.sha256,
        "tensors_left_out": len(shard.without),
    }
    changed = whole.row.model_copy(update=changes) if shard.without else whole.row
    selection.payloads.append(replace(whole, row=changed, without=shard.without))
    yield shard


def _withhold(selection: PublicationSelection, file: LocalFile, refused: Sequence[str]) -> None:
    reason = selection.permissions.refused[refused[0]] if refused else "unknown_track"
    row = WithheldFile(path=file.path, bytes=file.size, reason=reason, tracks=list(refused))
    selection.withheld.append(row)


def _tracks_of(
    file: LocalFile, allowed: Permissions, listed: Mapping[str, set[str]] | None
) -> list[str] | None:
    """Tracks that a file was made from; empty if nothing tells; None for a table."""
    if listed is None and file.path.endswith(".jsonl"):
        return None
    named = {Path(file.path).stem} if listed is None else listed.get(file.path, ())
    tracks = sorted(named)
    return tracks if all(track in allowed.tracks for track in tracks) else []


def _payload(
    file: LocalFile, artifact: Artifact, allowed: Permissions, tracks: Sequence[str]
) -> Payload:
    names = {licence.name for licence in allowed.licences_of(artifact, tracks)}
    row = PublishedFile(
        path=file.path,
        bytes=file.size,
        sha256=file.sha256,
        licences=sorted(names),
        tracks=list(tracks),
    )
    return Payload(row, file.text, file)


def _table(
    file: LocalFile, artifact: Artifact, allowed: Permissions, content: bytes, left_out: int
) -> Payload:
    names = {licence.name for licence in allowed.licences_of(artifact, _permitted(allowed))}
    row = PublishedFile(
        path=file.path,
        bytes=len(content),
        sha256=sha256(content).hexdigest(),
        licences=sorted(names),
        tracks=[],
        rows_left_out=left_out,
    )
    return Payload(row, content, file)


def _permitted(allowed: Permissions) -> list[str]:
    return [track for track in allowed.tracks if track not in allowed.refused]


def _check_recordings(payloads: Iterable[Payload], tracks: Iterable[ManifestTrack]) -> None:
    """The last line of defence: no file that leaves is a recording, whatever it is called."""
    recordings = {track.sha256: track.track_id for track in tracks}
    for payload in payloads:
        if payload.row.sha256 in recordings:
            raise LeitmotifError(
                f"{payload.row.path} cannot be published",
                found=f"the recording of {recordings[payload.row.sha256]}",
                expected="what was made from recordings",
                fix="take it out of the outputs",
            )
