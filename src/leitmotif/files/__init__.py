"""Whole files or none: atomic writes, strict reads, hashes, and the tables that stages exchange."""

from leitmotif.files.hashes import sha256_file, sha256_json
from leitmotif.files.tables import Row, json_lines, line_problem, read_table, write_table
from leitmotif.files.texts import (
    difference,
    parse_json,
    read_bytes,
    read_json,
    read_text,
    write_json,
    write_text,
    write_texts,
)
from leitmotif.files.writing import (
    atomic,
    atomic_folder,
    explained_full_disk,
    is_full_disk,
    kind_of,
)

__all__ = [
    "Row",
    "atomic",
    "atomic_folder",
    "difference",
    "explained_full_disk",
    "is_full_disk",
    "json_lines",
    "kind_of",
    "line_problem",
    "parse_json",
    "read_bytes",
    "read_json",
    "read_table",
    "read_text",
    "sha256_file",
    "sha256_json",
    "write_json",
    "write_table",
    "write_text",
    "write_texts",
]
