"""The data set's card (README.md on the hub), written from the metadata of what is published."""

from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from leitmotif.config import OrganismCorpus, Params
from leitmotif.errors import counted
from leitmotif.share.publish.licences import REASONS, AnyLicence, hub_identifier
from leitmotif.share.publish.rows import (
    MANIFEST,
    TRACKS,
    WITHHELD,
    PublicationRecord,
    PublishedFile,
    PublishedTrack,
)
from leitmotif.share.publish.selection import PublicationSelection
from leitmotif.store.reading.index import SHARDS

TABLES = {
    "activations": "data/activations/index.jsonl",
    "interventions": "data/interventions.jsonl",
    "swaps": "data/swaps.jsonl",
    "swap_summary": "data/swap_summary.jsonl",
    "source_artifacts": "data/features/artifacts.jsonl",
}
"""Tables that `datasets` reads as rows, by the name of their configuration."""
_IN_AN_ADDRESS = "/:?#[]@!$&'*+,;=%~"
"""What stays in the address of a link; a bracket or a space would end it."""
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1 << 62, "100K<n<1M"))


def card(repository: str, selection: PublicationSelection, record: PublicationRecord) -> str:
    """The card as text, front matter included.

    Parameters
    ----------
    repository
        Id of the data set, ``OWNER/NAME``.
    selection
        What is published.
    record
        Of this publication.
    """
    rows = [payload.row for payload in selection.payloads]
    params = selection.params
    sections = [
        _front_matter(selection, rows),
        f"# {_cell(_title(params))}\n\n"
        f"What Leitmotif {record.version} made while it "
        "tested whether a music model plans ahead: the model's activations, features of the "
        "recordings, encoded features, interventions with their clips, and autoencoders. "
        "The recordings themselves are not in this data set.",
        "## What is in it\n\n" + _contents(rows),
        "## How to load it\n\n" + how_to_load(repository, selection),
        "## Licences\n\n" + _licences(selection),
        "## What to know before you use it\n\n" + _caveats(selection),
        "## Where it comes from\n\n" + _origin(selection, record),
    ]
    return "\n\n".join(sections) + "\n"


def _title(params: Params) -> str:
    return f"Activations and interventions of {params.model.name}"


def _front_matter(selection: PublicationSelection, rows: Sequence[PublishedFile]) -> str:
    from huggingface_hub import DatasetCardData

    identifiers = sorted({hub_identifier(licence) for licence in _all_licences(selection)})
    other: dict[str, Any] = {"license_name": "one-for-each-file", "license_link": TRACKS}
    paths = {row.path for row in rows if row.bytes > 1}
    configs = [{"config_name": "files", "data_files": MANIFEST, "default": True}]
    configs += [{"config_name": "tracks", "data_files": TRACKS}]
    configs += [
        {"config_name": name, "data_files": path} for name, path in TABLES.items() if path in paths
    ]
    data = DatasetCardData(
        license=identifiers[0] if len(identifiers) == 1 else identifiers,
        pretty_name=_title(selection.params),
        size_categories=[next(name for limit, name in _SIZES if len(rows) < limit)],
        tags=["leitmotif", "interpretability", "music", "activations", "sparse-autoencoders"],
        configs=configs,
        **(other if "other" in identifiers else {}),
    )
    return f"---\n{data.to_yaml()}\n---"


def _all_licences(selection: PublicationSelection) -> list[AnyLicence]:
    allowed = selection.permissions
    tracks = [
        track.licence
        for track_id, track in allowed.tracks.items()
        if track_id not in allowed.refused and track.licence is not None
    ]
    return [*tracks, *allowed.models, allowed.routing.repository]


def _contents(rows: Iterable[PublishedFile]) -> str:
    counts: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for row in rows:
        place = "/".join(PurePosixPath(row.path).parts[:2])
        counts[place] += 1
        sizes[place] += row.bytes
    lines = ["| place | files | MB |", "|---|---:|---:|"]
    lines += [
        f"| `{place}` | {counts[place]:,} | {sizes[place] / 1e6:.1f} |" for place in sorted(counts)
    ]
    lines.append(f"| all | {counts.total():,} | {sizes.total() / 1e6:.1f} |")
    return (
        "\n".join(lines) + f"\n\n`{MANIFEST}` lists every file with its size, SHA-256 and licences."
    )


def how_to_load(repository: str, selection: PublicationSelection) -> str:
    """Markdown that loads what is published: as files, and from the hub."""
    paths = {payload.row.path for payload in selection.payloads}
    store = (
        "As files, with `pip install .` in a clone of Leitmotif (the package of this name on the "
        "Python package index is another project):\n\n"
        "```python\n"
        "from huggingface_hub import snapshot_download\n"
        "import leitmotif\n\n"
        f'folder = snapshot_download("{repository}", repo_type="dataset")\n'
        f'store = leitmotif.ActivationStore(f"{{folder}}/data/activations")\n'
        "site = store.sites[0]\n"
        "track = store.tracks(site)[0]\n"
        "states = store.load(site, track)  # [steps, width]\n"
        "```\n\n"
    )
    indexes = {TABLES["activations"], f"data/activations/{SHARDS}"}
    return (store if paths & indexes else "") + (
        "The tables as rows, with `pip install datasets`:\n\n"
        "```python\n"
        "from datasets import load_dataset\n\n"
        f'files = load_dataset("{repository}", "files", split="train")\n'
        f'tracks = load_dataset("{repository}", "tracks", split="train")\n'
        "```"
    )


def _licences(selection: PublicationSelection) -> str:
    allowed = selection.permissions
    text = (
        "What was made from a recording is published under the recording's licence, and what a "
        f"model put out under that of its weights as well. `{MANIFEST}` has the licences of each "
        f"file, `{TRACKS}` the licence and the credit of each track.\n\n"
        "| licence | holds for |\n|---|---|\n"
    )
    counts = Counter(
        _linked(track.licence)
        for track_id, track in allowed.tracks.items()
        if track_id not in allowed.refused and track.licence is not None
    )
    for licence_link, count in sorted(counts.items()):
        text += f"| {licence_link} | what was made from {counted(count, 'track')} |\n"
    for licence in allowed.models:
        text += (
            f"| {_linked(licence)} | what a model put out: {_cell(licence.attribution or '')} |\n"
        )
    repository = allowed.routing.repository
    text += f"| {_linked(repository)} | all else: {_cell(repository.attribution)} |\n"
    return text + "\n" + _left_out(selection) + "\n\n" + _credits(allowed.rows())


def _left_out(selection: PublicationSelection) -> str:
    reasons = Counter(row.reason for row in selection.withheld)
    rows = sum(payload.row.rows_left_out for payload in selection.payloads)
    tensors = sum(payload.row.tensors_left_out for payload in selection.payloads)
    if not reasons and not rows and not tensors:
        return "Nothing had to be left out for its licence."
    lines = [
        f"- {counted(count, 'file')}: {REASONS[reason]}"
        for reason, count in sorted(reasons.items())
    ]
    if rows:
        lines.append(f"- {counted(rows, 'row')} of tables, on tracks that are not published")
    if tensors:
        lines.append(f"- {counted(tensors, 'tensor')} of shards, of tracks that are not published")
    return f"Left out (`{WITHHELD}` lists the files):\n\n" + "\n".join(lines)


def _credits(tracks: Sequence[PublishedTrack]) -> str:
    lines = [f"<details><summary>Licence of each of {counted(len(tracks), 'track')}</summary>\n"]
    lines += ["| track | licence | credit | published |", "|---|---|---|---|"]
    for track in tracks:
        name = _cell(track.licence.name) if track.licence else ""
        credit = _cell(track.licence.attribution or "") if track.licence else ""
        published = "yes" if track.reason is None else f"no: {REASONS[track.reason]}"
        lines.append(f"| {track.track_id} | {name} | {credit} | {published} |")
    return "\n".join([*lines, "", "</details>"])


def _caveats(selection: PublicationSelection) -> str:
    params = selection.params
    notes = []
    if isinstance(params.corpus, OrganismCorpus):
        notes.append(
            "**Model organism.** The model is a tiny one that Leitmotif trained on music that it "
            "composed, in which recurrences are planted. It shows whether a method finds what is "
            "there. Nothing in it is a result about MusicGen or about recorded music."
        )
    if params.probes.exploratory:
        notes.append(
            "**Exploratory.** The probes were allowed on tracks whose proposals nobody had decided "
            "on. What they found is a suggestion, not a finding."
        )
    if params.sae.allow_misaligned:
        notes.append(
            "**Misaligned autoencoders were allowed.** Features of an autoencoder at another site "
            "than its own mean nothing; their headers say `misaligned`."
        )
    notes.append(
        "Activations are those of the model reading a recording, "
        + {"none": "without a text", "tags": "with a text made from the track's tags"}[
            params.activations.prompt
        ]
        + f", at {', '.join(params.activations.sites)}, stored as {params.activations.dtype}."
    )
    notes.append(
        "A feature that predicts a later event need not cause it. The claims, with their controls, "
        "are in the repository, not in these files."
    )
    return "\n".join(f"- {note}" for note in notes)


def _origin(selection: PublicationSelection, record: PublicationRecord) -> str:
    params, state = selection.params, selection.state
    revision = f" at revision `{params.model.revision}`" if params.model.revision else ""
    changed = ""
    if state.uncommitted:
        changed = (
            f", with uncommitted changes in {counted(len(state.uncommitted), 'file')}, none of "
            "which decides what is published"
        )
    return (
        f"- model: <code>{_cell(params.model.name)}</code>{revision}\n"
        f"- corpus: {params.corpus.source}, "
        f"{counted(len(selection.permissions.tracks), 'track')}\n"
        f"- commit: `{record.commit}`{changed}\n"
        f"- SHA-256 of dvc.lock: `{record.dvc_lock_sha256}`; every file was compared with it\n"
        f"- SHA-256 of `{MANIFEST}`: `{record.manifest_sha256}`\n"
        f"- written by `leitmotif publish`, leitmotif {record.version}"
    )


def _linked(licence: AnyLicence) -> str:
    """A licence's name as a link to its text."""
    return f"[{_cell(licence.name)}]({quote(licence.url or '', safe=_IN_AN_ADDRESS)})"


def _cell(text: str) -> str:
    """Text of a stranger as a cell of a table: no markup, no new cells, no new lines."""
    text = " ".join(escape(text).split())
    for mark in "\\|[]`*_<>":
        text = text.replace(mark, f"&#{ord(mark)};")
    return text
