"""Views of the stage ``decoderlens``: how well a concept is recognised in the music of a layer."""

from collections.abc import Mapping, Sequence

import pandas as pd

from leitmotif.tables.decoderlens import DecoderLensRow, DivergenceRow
from leitmotif.tables.interval import as_metric


def metrics_of(rows: Sequence[DecoderLensRow]) -> dict[str, object]:
    """Recognition at the first, the middle and the last layer, by slot.

    ``ndcg`` is among all labels of the tagger, of what a layer would play next by the plain lens.
    ``alone`` is among the labels of the slot's concepts, of what it plays alone, by lens.
    ``tuned_lens_gain`` is by how much that is larger by the tuned lens, mean over the layers before
    the last.
    """
    slots = list(dict.fromkeys(row.slot for row in rows))
    places = _places(rows)
    return {
        "ndcg": {slot: _at(_of(rows, slot), places, "ndcg") for slot in slots},
        "alone": {
            lens: {
                slot: _at(_of(rows, slot, lens, heard="sampled"), places, "within")
                for slot in slots
            }
            for lens in ("plain", "tuned")
        },
        "chance": {slot: _of(rows, slot)[0].chance for slot in slots},
        "tuned_lens_gain": {slot: _gain(rows, slot) for slot in slots},
    }


def plots_of(
    rows: Sequence[DecoderLensRow], divergences: Sequence[DivergenceRow]
) -> Mapping[str, pd.DataFrame]:
    """Recognition by concept, layer and way of hearing; divergence by codebook, layer and lens."""
    recognition = ["slot", "concept", "way", "layer", "ndcg", "low", "high", "within", "chance"]
    return {
        "decoderlens": pd.DataFrame(
            [
                {
                    "slot": row.slot,
                    "concept": row.concept or f"all: {row.slot}",
                    "way": f"{row.lens} lens" + (", alone" if row.heard == "sampled" else ""),
                    "layer": row.layer,
                    "ndcg": row.ndcg.mean,
                    "low": row.ndcg.low,
                    "high": row.ndcg.high,
                    "within": row.within.mean,
                    "chance": row.chance,
                }
                for row in rows
            ],
            columns=recognition,
        ),
        "lens_divergence": pd.DataFrame(
            [
                {
                    "codebook": row.codebook,
                    "lens": f"{row.lens} lens",
                    "layer": row.layer,
                    "nats": row.nats.mean,
                    "low": row.nats.low,
                    "high": row.nats.high,
                }
                for row in divergences
            ],
            columns=["codebook", "lens", "layer", "nats", "low", "high"],
        ),
    }


def _places(rows: Sequence[DecoderLensRow]) -> dict[str, int]:
    last = max(row.layer for row in rows)
    return {"first": 0, "middle": (last + 1) // 2, "last": last}


def _of(
    rows: Sequence[DecoderLensRow], slot: str, lens: str = "plain", *, heard: str = "read"
) -> list[DecoderLensRow]:
    """All concepts of a slot, layer by layer."""
    return [
        row
        for row in rows
        if (row.slot, row.concept, row.lens, row.heard) == (slot, None, lens, heard)
    ]


def _at(
    rows: Sequence[DecoderLensRow], places: Mapping[str, int], measure: str
) -> dict[str, dict[str, float] | None]:
    by_layer = {row.layer: row for row in rows}
    return {
        place: as_metric(getattr(by_layer[layer], measure))
        for place, layer in places.items()
        if layer in by_layer
    }


def _gain(rows: Sequence[DecoderLensRow], slot: str) -> float | None:
    plain = {row.layer: row.within.mean for row in _of(rows, slot, heard="sampled")}
    tuned = _of(rows, slot, "tuned", heard="sampled")
    gains = [row.within.mean - plain[row.layer] for row in tuned]
    return round(sum(gains) / len(gains), 4) if gains else None
