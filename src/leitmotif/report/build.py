"""Builds a report from what the pipeline has written."""

from pathlib import Path

from leitmotif.report.folder import Folder, Shell


def build_report(root: Path, shell: Shell) -> Folder:
    """Write all pages below ``root``, an empty folder."""
    folder = Folder(root, shell)
    folder.page("index.html", "index.html")
    return folder
