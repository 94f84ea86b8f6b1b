#!/usr/bin/env python3
"""Write the table of docs/paper.md: what the paper found, and what the model that was run shows.

    python scripts/paper.py            # writes the table
    python scripts/paper.py --check    # writes nothing; status 1 if the table is old

Our side comes from what the stages decoderlens and swaps wrote, whichever model was run.
The paper's side is what its text says, and what we read off its figures, for the text gives no
numbers for these results.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from page_table import write_or_check

from leitmotif.config import load_params
from leitmotif.files import read_json, read_table
from leitmotif.tables.decoderlens import SimilarityRow

PAGE = Path("docs/paper.md")
FIRST, LAST = "<!-- computed by scripts/paper.py -->", "<!-- end of what is computed -->"
NOT_RUN = "not run"
MUCH = 2
"""How many times as large something is that the paper calls much or far more, or very unlike."""


class Run(NamedTuple):
    """What the stages wrote."""

    decoderlens: dict[str, Any]
    """metrics/decoderlens.json"""
    swaps: dict[str, Any]
    recognition: pd.DataFrame
    """plots/decoderlens.csv"""
    similarity: list[SimilarityRow]
    """data/layer_similarity.jsonl"""
    cells: pd.DataFrame
    """plots/swaps.csv, sorted by layer."""


class Finding(NamedTuple):
    """One finding of the paper."""

    what: str
    place: str
    """Figure, and models."""
    theirs: str
    """As its text says."""
    read_off: str
    """Values of its figures: layers 0, 12 and 23 of NDCG, else means over layers, in nats."""
    ours: Callable[[Run], tuple[str, bool | None]]
    """In numbers, and whether their means show the same; None: that cannot be said."""


def _recognised(run: Run, slot: str) -> tuple[str, bool | None]:
    ways = {"the layer plays alone": "plain lens, alone", "the model plays": "plain lens"}
    parts, last_is_best = [], []
    for name, way in ways.items():
        ndcg = _ndcg(run, f"all: {slot}", way)
        if not ndcg:
            return NOT_RUN, None
        first, middle, last = ndcg[0], ndcg[len(ndcg) // 2], ndcg[-1]
        parts.append(f"{first:.2f}, {middle:.2f}, {last:.2f} ({name})")
        last_is_best.append(last > max(first, middle))
    chance = run.decoderlens["chance"][slot]
    return f"first, middle, last layer: {'; '.join(parts)}; chance {chance:.2f}", all(last_is_best)


def _edm(run: Run) -> tuple[str, bool | None]:
    ndcg = _ndcg(run, "EDM", "plain lens, alone")
    others = _ndcg(run, "all: genre", "plain lens, alone")
    if not ndcg:
        return NOT_RUN, None
    said = f"first, middle, last layer: {ndcg[0]:.2f}, {ndcg[len(ndcg) // 2]:.2f}, {ndcg[-1]:.2f}"
    return said, ndcg[0] > others[0] and ndcg[-1] < ndcg[0]


def _ndcg(run: Run, concept: str, way: str) -> list[float]:
    rows = run.recognition.query("concept == @concept and way == @way")
    return [*rows.sort_values("layer")["ndcg"]]


def _similar(run: Run) -> tuple[str, bool | None]:
    rows = [row for row in run.similarity if row.concept is None and row.first != row.second]
    last = max(row.second for row in rows)
    from_last = [row.distance for row in rows if row.second == last]
    others = [row.distance for row in rows if row.second != last]
    if not others:
        return NOT_RUN, None
    apart, near = sum(from_last) / len(from_last), sum(others) / len(others)
    places = {0: "first", (last + 1) // 2: "middle"}
    alike = [
        f"{places[row.first]} {row.cka:.2f}"
        for row in rows
        if row.second == last and row.first in places and row.cka is not None
    ]
    return (
        f"mean Euclidean distance of the last layer from others {apart:.0f}, among others "
        f"{near:.0f}; CKA with the last layer: {', '.join(alike)}; 1 is the same",
        apart > MUCH * near,
    )


def _effects(run: Run, technique: str) -> tuple[str, bool | None]:
    parts, means = [], {}
    for component in ("mlp", "self_attention", "cross_attention"):
        effects = _cells(run, technique, component)["effect"]
        if effects.empty:
            return NOT_RUN, None
        means[component] = effects.mean()
        positive = f"{(effects > 0).sum()} of {len(effects)} layers positive"
        parts.append(f"{_name(component)} {means[component]:+.1f} ({positive})")
    attention = max(means["self_attention"], means["cross_attention"])
    least = min(means["self_attention"], means["cross_attention"])
    signs = attention < 0 if technique == "replace" else least > 0
    return "; ".join(parts), bool(signs and means["mlp"] > max(0.0, MUCH * attention))


def _precision(run: Run) -> tuple[str, bool | None]:
    ideal = run.swaps["ideal_precision"]
    worst = run.cells.query("component != 'residual'")["precision"]
    means = [
        f"{_name(component)} {value:.1f}"
        for component, value in run.swaps["precision"].get("replace", {}).items()
        if component != "residual"
    ]
    if not means or ideal is None:
        return NOT_RUN, None
    return f"`replace`: {', '.join(means)}; ideal {ideal:.1f}", bool(worst.max() < MUCH * ideal)


def _depths(run: Run) -> tuple[str, bool | None]:
    parts, ordered = [], []
    for technique in ("replace", "adjust"):
        effects = [*_cells(run, technique, "mlp")["effect"]]
        if len(effects) < 3:
            return NOT_RUN, None
        between = sum(effects[1:-1]) / len(effects[1:-1])
        parts.append(f"`{technique}` {effects[0]:+.1f}, {between:+.1f}, {effects[-1]:+.1f}")
        ordered.append(effects[0] < between < effects[-1])
    return f"first, intermediate, last: {'; '.join(parts)}", all(ordered)


def _techniques(run: Run) -> tuple[str, bool | None]:
    means = {name: _cells(run, name, "mlp")["effect"].mean() for name in ("replace", "adjust")}
    if any(pd.isna(value) for value in means.values()):
        return NOT_RUN, None
    return ", ".join(f"`{name}` {value:+.1f}" for name, value in means.items()), None


def _parts(run: Run) -> tuple[str, bool | None]:
    cells = _cells(run, "replace", "mlp")
    if cells.empty:
        return NOT_RUN, None
    original, desired = cells["original"].mean(), cells["desired"].mean()
    said = f"original falls by {original:.1f}, desired rises by {desired:.1f}"
    return said, bool(original > MUCH * desired)


def _cells(run: Run, technique: str, component: str) -> pd.DataFrame:
    return run.cells.query("technique == @technique and component == @component")


def _name(component: str) -> str:
    return "MLP" if component == "mlp" else component.replace("_", "-")


def _about(value: str) -> str:
    """Marks what was read off a figure."""
    return f"\N{ALMOST EQUAL TO} {value}" if value else ""


FINDINGS = (
    Finding(
        "NDCG of instruments", "2A, small",
        "stable in layers 0 to 19, a gradual rise in 20 to 23", "0.26, 0.27, 0.54",
        lambda run: _recognised(run, "instrument"),
    ),
    Finding(
        "NDCG of genres", "2B, small",
        "but for EDM the same in all layers, a slight rise in the last", "0.22, 0.24, 0.27",
        lambda run: _recognised(run, "genre"),
    ),
    Finding(
        "NDCG of EDM", "2B, small", "high, and falls in the last layers", "0.37, 0.46, 0.29", _edm
    ),
    Finding(
        "likeness of layers", "3, small", "the last layer is very unlike all others", "", _similar
    ),
    Finding(
        "effect of `replace`", "4A, small",
        "MLP positive in all layers; both attentions mostly negative",
        "MLP +1.6; self-attention -0.3; cross-attention -0.6",
        lambda run: _effects(run, "replace"),
    ),
    Finding(
        "effect of `adjust`", "4A, small", "attentions positive, much lower than the MLP",
        "MLP +3.1; self-attention +0.7; cross-attention +0.7",
        lambda run: _effects(run, "adjust"),
    ),
    Finding(
        "precision", "4B, small", "negative for all components, far below the ideal",
        "`replace`: cross-attention -0.7, MLP -0.8, self-attention -0.7; `adjust`: -0.7, -1.2, "
        "-0.7; ideal -0.05",
        _precision,
    ),
    Finding(
        "MLP by depth", "5, all three",
        "the last layer most, then intermediate ones, the first least",
        "small: `replace` +1.4, +1.6, +2.0; `adjust` +2.8, +3.1, +3.3; "
        "medium: +3.1, +2.8, +3.4; +1.7, +2.2, +2.6; large: +2.7, +2.6, +2.7; +2.1, +2.4, +2.7",
        _depths,
    ),
    Finding(
        "MLP by technique", "5, all three", "`adjust` best in small, `replace` in medium and large",
        "intermediate layers: small +1.6, +3.1; medium +2.8, +2.2; large +2.6, +2.4", _techniques,
    ),
    Finding(
        "MLP, `replace`: two parts", "6, all three",
        "far more on the original concept than on the desired one",
        "instrument to instrument: small 1.3 and 0.2; medium 2.9 and 0.0; large 2.8 and -0.2",
        _parts,
    ),
    Finding(
        "MLP, `replace`: slots", "6, all three",
        "instrument to instrument more than genre to genre; "
        "a genre put into instrument prompts more than an instrument into genre prompts",
        "small +1.6, +0.5; +1.1, +0.4; medium +2.8, +1.3; +2.8, +0.9; large +2.6, +0.9; "
        "+2.4, +0.3",
        lambda _: ("scope `slots` of `data/swap_summary.jsonl`, where both are swapped", None),
    ),
)  # fmt: skip


def table(root: Path = Path()) -> list[str]:
    """Lines of the table, and of what was run."""
    params = load_params(root / "params.yaml")
    run = Run(
        read_json(root / "metrics/decoderlens.json"),
        read_json(root / "metrics/swaps.json"),
        pd.read_csv(root / "plots/decoderlens.csv"),
        read_table(root / "data/layer_similarity.jsonl", SimilarityRow),
        pd.read_csv(root / "plots/swaps.csv").sort_values(["component", "layer"]),
    )
    model = params.decoderlens.model or params.model.name
    rows = [(finding, *finding.ours(run)) for finding in FINDINGS]
    answers = {True: "yes", False: "no", None: ""}
    return [
        f"Ours: `{model}`; figures 2 and 3 with {params.decoderlens.prompts} prompts for each "
        f"concept of {params.decoderlens.seconds:g} s, figures 4 to 6 with {params.swaps.prompts} "
        f"of {params.swaps.seconds:g} s, concepts of {' and '.join(params.swaps.slots)}.",
        "",
        "| | figure, models | the paper, in words | read off its figure | "
        "ours, in nats where not NDCG | the same |",
        "|---|---|---|---|---|---|",
        *(
            f"| {finding.what} | {finding.place} | {finding.theirs} | "
            f"{_about(finding.read_off)} | {ours} | {answers[same]} |"
            for finding, ours, same in rows
        ),
    ]


if __name__ == "__main__":
    write_or_check(PAGE, table, first=FIRST, last=LAST, purpose=__doc__)
