"""What a publication would send, as a table: nothing leaves before somebody could read it."""

from collections import Counter

from leitmotif.errors import counted
from leitmotif.share.publish.licences import REASONS
from leitmotif.share.publish.publication import Publication


def as_lines(repository: str, publication: Publication) -> list[str]:
    """One line for each file, sorted by path, then what is left out, then totals.

    A line has the size in bytes, the licences, the place here and the place on the hub.
    """
    rows = [payload.row for payload in publication.payloads]
    licences = [", ".join(row.licences) for row in rows]
    width = max(len(text) for text in licences)
    size = max(len(f"{row.bytes:,}") for row in rows)
    made = publication.descriptions
    lines = [f"to the data set {repository}:"]
    for row, text in zip(rows, licences, strict=True):
        source = "(written for it)" if row.path in made else ""
        if row.rows_left_out:
            source = f"(without {counted(row.rows_left_out, 'row')})"
        if row.tensors_left_out:
            source = f"(without {counted(row.tensors_left_out, 'tensor')})"
        lines.append(f"  {row.bytes:>{size},}  {text:{width}}  {row.path}  {source}".rstrip())
    if publication.withheld:
        lines.append("left out:")
    for withheld in publication.withheld:
        lines.append(f"  {withheld.bytes:>{size},}  {withheld.path}: {withheld.reason}")
    return [*lines, *totals(publication)]


def totals(publication: Publication) -> list[str]:
    """How much is sent and how much is left out, by reason."""
    lines = [
        f"{counted(len(publication.payloads), 'file')}, {publication.size / 1e6:.1f} MB, "
        f"of commit {publication.record.commit[:12]}"
    ]
    reasons = Counter(row.reason for row in publication.withheld)
    for reason, count in sorted(reasons.items()):
        lines.append(f"{counted(count, 'file')} left out: {REASONS[reason]}")
    rows = sum(payload.row.rows_left_out for payload in publication.payloads)
    if rows:
        lines.append(f"{counted(rows, 'row')} of tables left out, on tracks that stay here")
    tensors = sum(payload.row.tensors_left_out for payload in publication.payloads)
    if tensors:
        lines.append(f"{counted(tensors, 'tensor')} of shards left out, of tracks that stay here")
    return lines
