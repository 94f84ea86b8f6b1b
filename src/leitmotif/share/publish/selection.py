"""Which files are published: routed there, unchanged since dvc.lock, and allowed to leave."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from leitmotif.config import Params, load_params
from leitmotif.errors import LeitmotifError
from leitmotif.files import read_table
from leitmotif.pipeline import MANIFEST
from leitmotif.sae.autoencoder.registry import FolderCheckpoint, load_registry
from leitmotif.share.outs import outs_of
from leitmotif.share.publish.local import LocalFile, read_local
from leitmotif.share.publish.permissions import Permissions, permissions, tracks_by_file
from leitmotif.share.publish.routing import Artifact, load_routing
from leitmotif.share.publish.rows import PublishedFile, WithheldFile
from leitmotif.share.publish.state import State, check_committed, check_outputs, current_state
from leitmotif.share.revisions import revision, working_tree
from leitmotif.store.reading.index import SHARDS
from leitmotif.tables.corpus import ManifestTrack


@dataclass(frozen=True)
class Payload:
    """A file of the publication and where its content is."""

    row: PublishedFile
    content: bytes | None
    """Of a table or another text; None: it is read from ``file``."""
    file: LocalFile | None
    """None for what is written for the publication alone."""


@dataclass
class Selection:
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


def select(root: Path = Path()) -> Selection:
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
    outs = outs_of(working_tree(root))
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
    selection = Selection(root, params, state, permissions(routing, tracks, models_of(params)))
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
    selection: Selection,
    artifact: Artifact,
    files: Iterable[LocalFile],
    listed: Mapping[str, set[str]] | None,
) -> None:
    allowed = selection.permissions
    files = list(files)
    shards: dict[str, set[str]] = {}
    for file in files:
        if Path(file.path).name == SHARDS:
            shards |= tracks_by_file(file)
    for file in files:
        if "tracks" not in artifact.licences:
            selection.payloads.append(_payload(file, artifact, allowed, []))
            continue
        tracks = _tracks_of(file, allowed, listed, shards)
        if tracks is None:
            selection.payloads.append(_table(file, artifact, allowed))
            continue
        refused = sorted(track for track in tracks if track in allowed.refused)
        if tracks and not refused:
            selection.payloads.append(_payload(file, artifact, allowed, tracks))
            continue
        reason = allowed.refused[refused[0]] if refused else "unknown_track"
        row = WithheldFile(path=file.path, bytes=file.size, reason=reason, tracks=refused)
        selection.withheld.append(row)


def _tracks_of(
    file: LocalFile,
    allowed: Permissions,
    listed: Mapping[str, set[str]] | None,
    shards: Mapping[str, set[str]],
) -> list[str] | None:
    """Tracks that a file was made from; empty if nothing tells; None for a table."""
    if listed is None and file.path.endswith(".jsonl"):
        return None
    own = shards.get(file.path, {Path(file.path).stem})
    tracks = sorted(own if listed is None else listed.get(file.path, ()))
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


def _table(file: LocalFile, artifact: Artifact, allowed: Permissions) -> Payload:
    content, left_out = allowed.refused_rows(file)
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
