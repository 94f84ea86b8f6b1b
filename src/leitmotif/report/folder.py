"""Writes a report's folder: pages from templates, clips, static files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from numpy.typing import NDArray

from leitmotif.report.assets import assets
from leitmotif.report.clips import ReportClip, encode_clip


@dataclass(frozen=True)
class Shell:
    """Content that every page of a report shows."""

    report_id: str
    """Hash of all inputs; a browser stores answers under this id."""
    model: str
    """The model under study."""
    brands: Sequence[str]
    """Reasons why the results do not count as claims: sentences at the top of each page."""
    tabs: Sequence[tuple[str, str]]
    """(path from the report's root, label) of the pages in the top bar."""


class Folder:
    """Writes below ``root``, which exists and is empty."""

    def __init__(self, root: Path, shell: Shell) -> None:
        self.root, self.shell = root, shell
        self.clips: dict[str, ReportClip] = {}
        self._pictured: set[str] = set()
        self._templates = Environment(
            loader=PackageLoader("leitmotif.report", "page"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        for name, content in assets().items():
            self._write(f"assets/{name}", content)

    def page(self, path: str, template: str, **context: Any) -> None:
        """Render a template of ``report/page`` at ``path``, such as ``features/planner-1.html``.

        Templates extend ``base.html``. In addition to ``context`` they get ``root`` (relative path
        from the page to the report's root, empty or ``../``), ``here`` (``path``) and ``shell``.
        """
        root = "../" * (len(PurePosixPath(path).parts) - 1)
        text = self._templates.get_template(template).render(
            root=root, here=path, shell=self.shell, **context
        )
        self._write(path, text.encode())

    def clip(
        self, samples: NDArray[np.int16], sample_rate: int, *, pictured: bool = True
    ) -> ReportClip:
        """Write the clip of mono samples [n] unless it exists; see ``clips``.

        Without ``pictured`` it can be heard and not drawn, unless it is drawn elsewhere.
        """
        clip, files = encode_clip(samples, sample_rate, pictured=pictured)
        if clip.id not in self.clips or (pictured and clip.id not in self._pictured):
            self.clips[clip.id] = clip
            if pictured:
                self._pictured.add(clip.id)
            for name, content in files.items():
                self._write(f"clips/{name}", content)
        return clip

    @property
    def size(self) -> int:
        """Bytes of all files so far."""
        return sum(path.stat().st_size for path in self.root.rglob("*") if path.is_file())

    def _write(self, path: str, content: bytes) -> None:
        # Single files need not be atomic, because the folder is moved into place as a whole.
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
