"""Which files of this package decide what a module does: all that it imports, and what they read.

The imports are read from the source, nothing is run. One counts wherever it stands, at the top or
inside a function, and brings the ``__init__`` of every package on the way, unless that is no more
than a docstring; under ``if TYPE_CHECKING:`` none counts. A file that is not Python (a schema, a
page) counts for the modules beside it that have its name, or that of the folder which holds it, as
a string. Modules that are imported by a computed name are not seen.
"""

import ast
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib.util import resolve_name
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
_TYPE_CHECKING = ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def import_closure(*modules: str, package: Path = PACKAGE) -> list[Path]:
    """Files that decide what ``modules`` do, their own included, sorted.

    ``modules`` are dotted names such as ``leitmotif.audio.decode``; ``package`` is the folder of
    ``leitmotif``, or of a copy of it. Raises ModuleNotFoundError for a module that is not there.
    """
    files: set[Path] = set()
    resolved: set[str] = set()
    waiting: list[Path] = []
    for module in modules:
        if not _file_of(module, package):
            raise ModuleNotFoundError(f"{package} has no module {module}", name=module)
        waiting.extend(_on_the_way(module, package))
    while waiting:
        path = waiting.pop()
        if path in files:
            continue
        files.add(path)
        names, strings, _ = _mentions(path.read_bytes().decode(), _parent(path, package))
        for name in names - resolved:
            waiting.extend(_on_the_way(name, package))
        resolved |= names
        files.update(_data_beside(path, strings))
    return sorted(files)


def modules_imported(package: Path = PACKAGE) -> dict[str, frozenset[str]]:
    """The modules of ``package`` that each of its modules imports, by dotted names.

    Packages stand for their ``__init__``.
    """
    files = {_module_of(path, package): path for path in sorted(package.rglob("*.py"))}
    imported = {}
    for module, path in files.items():
        names, _, _ = _mentions(path.read_bytes().decode(), _parent(path, package))
        imported[module] = frozenset((names & files.keys()) - {module})
    return imported


def attributes_read(files: Iterable[Path], package: Path = PACKAGE) -> set[str]:
    """Names that the Python files among ``files`` have behind a dot, as in ``settings.seed``."""
    return {
        attribute
        for path in files
        if path.suffix == ".py"
        for attribute in _mentions(path.read_bytes().decode(), _parent(path, package))[2]
    }


def _on_the_way(module: str, package: Path) -> Iterator[Path]:
    """The file of a module and the ``__init__`` of each package above; those that say something."""
    parts = module.split(".")
    for depth in range(1, len(parts) + 1):
        file = _file_of(".".join(parts[:depth]), package)
        if file and decides(file):
            yield file


def decides(file: Path) -> bool:
    """Whether a module decides anything: an ``__init__`` with no more than a docstring does not."""
    return file.name != "__init__.py" or not _is_only_a_docstring(file.read_bytes().decode())


@lru_cache(maxsize=1024)
def _is_only_a_docstring(source: str) -> bool:
    body = ast.parse(source).body
    return all(
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        for statement in body
    )


def _file_of(module: str, package: Path) -> Path | None:
    """The file of a module of this package; None: of another, or an attribute of a module."""
    first, *rest = module.split(".")
    if first != package.name:
        return None
    path = package.joinpath(*rest)
    files = (path / "__init__.py", path.with_suffix(".py")) if rest else (path / "__init__.py",)
    return next((file for file in files if file.is_file()), None)


def _module_of(path: Path, package: Path) -> str:
    """Dotted name of the module in a file."""
    parts = path.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _parent(path: Path, package: Path) -> str:
    """Dotted name of the package that a file lies in, from which relative imports count."""
    return ".".join(path.parent.relative_to(package.parent).parts)


@lru_cache(maxsize=1024)
def _mentions(source: str, parent: str) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Dotted names that may be modules that ``source`` imports, its strings, its attributes."""
    names: set[str] = set()
    strings: set[str] = set()
    attributes: set[str] = set()
    for node in _nodes(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = resolve_name("." * node.level + (node.module or ""), parent)
            names.update({module, *(f"{module}.{alias.name}" for alias in node.names)})
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            strings.add(node.value)
        elif isinstance(node, ast.Attribute):
            attributes.add(node.attr)
    return frozenset(names), frozenset(strings), frozenset(attributes)


def _nodes(tree: ast.Module) -> Iterator[ast.AST]:
    """All nodes but those that only a type checker sees."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.If) and ast.unparse(node.test) in _TYPE_CHECKING:
            waiting.extend(node.orelse)
        else:
            waiting.extend(ast.iter_child_nodes(node))


def _data_beside(path: Path, strings: frozenset[str]) -> Iterator[Path]:
    for entry in path.parent.iterdir():
        if entry.name not in strings or entry.suffix == ".py":
            continue
        if entry.is_file():
            yield entry
        elif not (entry / "__init__.py").exists():
            yield from (file for file in entry.rglob("*") if file.is_file())
