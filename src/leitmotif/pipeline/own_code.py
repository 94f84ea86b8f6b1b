"""Whether the code that runs is that of the checkout in which it runs.

A queued experiment runs in a copy of the checkout below .dvc/tmp, and DVC notes the sources in that
copy. An editable installation runs those of the checkout itself, which may have been edited since.
"""

from collections.abc import Iterator
from pathlib import Path

from leitmotif.errors import StageError

_SOURCES = Path("src/leitmotif")
_RUNNING = Path(__file__).resolve().parents[1]


def check_code(root: Path = Path()) -> None:
    """Raise StageError if the package that runs has other sources than the one in ``root``.

    Without sources in ``root`` there is nothing to compare.
    """
    own = (root / _SOURCES).resolve()
    if own == _RUNNING or not own.is_dir():
        return
    names = sorted({*_files(own), *_files(_RUNNING)})
    odd = [name for name in names if _content(own / name) != _content(_RUNNING / name)]
    if odd:
        more = f" and {len(odd) - 1} more" if len(odd) > 1 else ""
        raise StageError(
            "the code that runs is not the code of this folder, whose hashes DVC would note",
            found=f"{_RUNNING}, which differs in {odd[0]}{more}",
            expected=str(own),
            fix="start DVC with PYTHONPATH=src, so that every copy of the checkout runs its own",
        )


def _files(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(folder).as_posix()


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None
