"""What the page of layers is made from, read from the outputs of the stage ``decoderlens``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from leitmotif.errors import StageError
from leitmotif.files import read_table, sha256_file
from leitmotif.pipeline import DECODERLENS, LAYER_SIMILARITY, LENS, LENS_DIVERGENCE
from leitmotif.tables.decoderlens import (
    DecoderLensRow,
    DivergenceRow,
    Heard,
    Lens,
    LensClipRow,
    SimilarityRow,
)

RERUN = "run `dvc repro decoderlens`"


CLIPS = LENS / "clips.jsonl"
TABLES = (DECODERLENS, LENS_DIVERGENCE, LAYER_SIMILARITY, CLIPS)


@dataclass(frozen=True, eq=False)
class LensSources:
    """Contents of the outputs; at least one concept was heard at one layer."""

    model: str
    """Short name of the model that was heard, which need not be the one under study."""
    recognition: Sequence[DecoderLensRow]
    divergence: Sequence[DivergenceRow]
    similarity: Sequence[SimilarityRow]
    clips: Sequence[LensClipRow]
    folder: Path
    """Folder of the WAV files."""
    hashes: Mapping[str, str]
    """SHA-256 of each table, by its path."""

    @cached_property
    def layers(self) -> list[int]:
        """Every layer, the first one first."""
        return sorted({row.layer for row in self.recognition})

    @cached_property
    def slots(self) -> dict[str, list[str]]:
        """The concepts of each slot, in the order of the table."""
        slots: dict[str, list[str]] = {}
        for row in self.recognition:
            concepts = slots.setdefault(row.slot, [])
            if row.concept is not None and row.concept not in concepts:
                concepts.append(row.concept)
        return slots

    def curve(
        self, slot: str, concept: str | None, *, lens: Lens = "plain", heard: Heard = "read"
    ) -> list[DecoderLensRow]:
        """Rows of a concept, or of all of a slot (None), one for each layer, in their order.

        By the tuned lens the curve ends with the plain row of the last layer, because there is
        nothing to map there. It is empty if nothing was heard in this way.
        """
        of_lens = {
            row.layer: row
            for row in self.recognition
            if (row.slot, row.concept, row.lens, row.heard) == (slot, concept, lens, heard)
        }
        if lens == "tuned" and of_lens:
            of_lens[self.layers[-1]] = self.curve(slot, concept, heard=heard)[-1]
        return [of_lens[layer] for layer in sorted(of_lens)]


def read_lens(model: str, root: Path = Path()) -> LensSources | None:
    """Read the outputs of a model; None if nothing was heard, so that there is nothing to show.

    ``model`` is the model's name or folder, and ``root`` the folder of the outputs.

    Raises LeitmotifError if a table is missing or damaged, or if the tables do not fit together.
    """
    recognition = read_table(root / DECODERLENS, DecoderLensRow)
    if not recognition:
        return None
    sources = LensSources(
        model=Path(model).name,
        recognition=recognition,
        divergence=read_table(root / LENS_DIVERGENCE, DivergenceRow),
        similarity=read_table(root / LAYER_SIMILARITY, SimilarityRow),
        clips=read_table(root / CLIPS, LensClipRow),
        folder=root / LENS,
        hashes={path.as_posix(): sha256_file(root / path) for path in TABLES},
    )
    if silent := [slot for slot in sources.slots if not sources.curve(slot, None)]:
        raise StageError(
            f"{DECODERLENS} has no row of the slot {silent[0]} as a whole",
            expected="one for each layer, of clips that were read by the plain lens",
            fix=RERUN,
        )
    known = {concept for concepts in sources.slots.values() for concept in concepts}
    strange = sorted(
        {f"{row.concept}, layer {row.layer}" for row in sources.clips}
        - {f"{concept}, layer {layer}" for concept in known for layer in sources.layers}
    )
    if strange:
        raise StageError(
            f"{root / CLIPS} does not fit {root / DECODERLENS}",
            found=f"a clip of {strange[0]}, of which the table has no row",
            fix=RERUN,
        )
    return sources
