"""Make .dvc/plots/page.html: the page of `dvc plots`, which draws without a network.

    python scripts/plots_page           # gets Vega, Vega-Lite and Vega-Embed with npm
    python scripts/plots_page --keep    # after a change of page.html, page.css or page.js: no npm

DVC's own page loads three scripts from elsewhere. A template of its own replaces it
(`plots.html_template` in .dvc/config); this one holds the same scripts, of the same versions, and
each stands below its licence. DVC copies the template into every page, wherever that is written, so
scripts in files beside it would not be found.
"""

import argparse
import hashlib
import re
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from leitmotif.errors import LeitmotifError
from leitmotif.files import write_text

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PAGE = ROOT / ".dvc" / "plots" / "page.html"


@dataclass(frozen=True)
class Library:
    """A script of an npm package, at the version that DVC's own page names."""

    package: str
    version: str
    sha256: str  # of build/PACKAGE.min.js

    @property
    def heading(self) -> str:
        """What the page says of the script before its licence."""
        return f"{self.package} {self.version}, SHA-256 {self.sha256}"


LIBRARIES = (
    Library("vega", "5.20.2", "4794d0169cb1f3ebad8117fe98ba5bd652dd725905ec0384e832391dbccb03be"),
    Library(
        "vega-lite", "5.2.0", "d73157451b3978015ab31dacd55ff90d986ab8663fc0abed50f97b3cd90002cb"
    ),
    Library(
        "vega-embed", "6.18.2", "1ba9826431ddc9805e815ad92acc811c819f2bfd32bda2a128b8c4b5070fab5e"
    ),
)


def main() -> int:
    """Write the page; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--keep", action="store_true", help="take the libraries from the old page")
    scripts = kept() if parser.parse_args().keep else fetched()
    write_text(PAGE, page(scripts))
    print(f"{PAGE.relative_to(ROOT)}: {PAGE.stat().st_size:,} bytes")
    return 0


def page(scripts: str) -> str:
    """Return the template: page.html with the style, the libraries and the script in it."""
    text = (HERE / "page.html").read_text(encoding="utf-8")
    for name in ("page.css", "page.js"):
        text = text.replace(f"/* {name} */", (HERE / name).read_text(encoding="utf-8").strip())
    return text.replace("<!-- libraries -->", scripts)


def kept() -> str:
    """Return the libraries, with their licences, as the page already holds them."""
    found = re.search(
        rf"<!--\n{LIBRARIES[0].package} .*</script>(?=\n<script>\n//)",
        PAGE.read_text(encoding="utf-8"),
        re.DOTALL,
    )
    if found is None:
        raise LeitmotifError(
            f"{PAGE} has no libraries to keep",
            expected=f"the licence and the script of {LIBRARIES[0].package}",
            fix="run `python scripts/plots_page` without --keep",
        )
    return found.group()


def fetched() -> str:
    """Return the libraries, each as a script below its licence, from npm.

    Raises:
        LeitmotifError: if a script is not the one that ``LIBRARIES`` names.
    """
    with TemporaryDirectory() as folder:
        return "\n".join(_script(library, Path(folder)) for library in LIBRARIES)


def _script(library: Library, folder: Path) -> str:
    package = f"{library.package}@{library.version}"
    subprocess.run(["npm", "pack", package, "--silent"], cwd=folder, check=True, stdout=sys.stderr)
    with tarfile.open(folder / f"{library.package}-{library.version}.tgz") as archive:
        licence, script = (
            _member(archive, f"package/{name}")
            for name in ("LICENSE", f"build/{library.package}.min.js")
        )
    found = hashlib.sha256(script).hexdigest()
    if found != library.sha256:
        raise LeitmotifError(
            f"the script of {package} is another one",
            found=f"SHA-256 {found}",
            expected=library.sha256,
            fix="name the new hash in scripts/plots_page if the version was changed on purpose",
        )
    notice = licence.decode().strip()
    return f"<!--\n{library.heading}\n\n{notice}\n-->\n<script>{script.decode()}</script>"


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    assert file is not None  # a folder
    return file.read()


if __name__ == "__main__":
    sys.exit(main())
