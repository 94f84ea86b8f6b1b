#!/usr/bin/env python3
"""Draw the architecture end to end from dvc.yaml, artifacts.yaml and the checks.

    python scripts/blueprint.py            # writes docs/blueprint.svg
    python scripts/blueprint.py --check    # writes nothing; status 1 if it is old

STEPS says which stages are one step and where its box stands. Everything else is read: what a step
writes and where that is kept, what people edit for it, which lines of `leitmotif check` look at it,
and the arrows, which are the dependencies of dvc.yaml without those that follow from others.
"""

import argparse
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from leitmotif.files import write_text
from leitmotif.files.yaml_files import read_stages, read_yaml
from leitmotif.share.outs import Out, revision_outs
from leitmotif.share.protocol.run import all_checks
from leitmotif.share.revisions import working_tree

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "blueprint.svg"
ROUTING = ROOT / "artifacts.yaml"


@dataclass(frozen=True)
class Step:
    """Stages that are one box."""

    title: str
    stages: tuple[str, ...]
    what: str
    place: str
    """``left``, ``right``, or ``whole`` for a box over both columns."""


STEPS = (
    Step("Corpus", ("corpus", "manifest", "features"), "Recordings are verified by SHA-256; a "
         "manifest says which 100 are used, and why not the others.", "whole"),
    Step("Labels", ("proposals", "labels"), "A search proposes where motifs return. People, or a "
         "score, decide.", "left"),
    Step("Activations", ("activations",), "MusicGen reads each recording. Hooks keep its residual "
         "stream.", "right"),
    Step("SAE alignment", ("sae",), "Autoencoders encode the site they were trained on, which is "
         "measured.", "right"),
    Step("Probes with controls", ("probes", "calibration"), "Do features tell a return seconds "
         "ahead, beyond what the controls tell? Error rates are measured on known truth.", "whole"),
    Step("Interventions", ("interchange", "interventions", "summary"), "Features and sites are "
         "changed while a piece goes on. Does the motif return?", "left"),
    Step("Concepts", ("decoderlens", "swaps"), "In which layer do instruments and genres become "
         "audible?", "right"),
    Step("Listening report", ("report",), "Pairs of clips before and after, with figures.",
         "whole"),
)  # fmt: skip
"""From above to below; every stage is in one."""
STORES = {
    "git": ("git", "code, settings, tables, metrics, plots", "leitmotif compare"),
    "dvc": ("DVC remote", "audio, tensors, log, clips, report", "leitmotif remote audit"),
    "hub": ("hub data set", "tensors, features, log, clips", "leitmotif publish"),
}
"""Where outputs are kept: name, what is there, and the command that checks or fills it."""
STYLE = """
  text{fill:#1f2328;font-family:system-ui,-apple-system,"Segoe UI",Helvetica,Arial,sans-serif}
  .title{font-weight:650;font-size:17px}.what{font-size:13.5px}
  .mono{font-family:ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:12px}
  .quiet{fill:#59636e}.box{fill:#fff;stroke:#c4ccd4;stroke-width:1.2}.page{fill:#f6f8fa}
  .check{fill:#0b6b46}.arrow{stroke:#59636e;stroke-width:2;fill:none;marker-end:url(#tip)}
  .tip{fill:#59636e}.git{fill:#2f6fd0}.dvc{fill:#c2620a}.hub{fill:#8250c4}.on{fill:#fff}
  @media(prefers-color-scheme:dark){text{fill:#e6edf3}.quiet{fill:#9aa4af}.page{fill:#0d1117}
  .box{fill:#161b22;stroke:#3d444d}.check{fill:#56d39b}.arrow{stroke:#9aa4af}.tip{fill:#9aa4af}
  .git{fill:#5b95ea}.dvc{fill:#e58a3a}.hub{fill:#a987e0}.on{fill:#0d1117}}
"""
WIDTH, EDGE, GAP, PAD, FALL = 540, 16, 16, 14, 32
"""Pixels: of the picture, around it, between columns, within a box, and between rows."""
SHOWN = 720
"""Width at which a page shows it, if it has the room."""
STORE = 146
"""Height of a store's box."""
MONO, SANS = 7.3, 7.3
"""Pixels of a character, a little more than it takes."""


def after(step: Step, stages: Mapping[str, Any]) -> set[str]:
    """Titles of the steps whose outputs a step reads."""
    makers = {out.path: out.stage for out in _outs()}
    needed = {makers.get(dep) for stage in step.stages for dep in stages[stage]["deps"]}
    return {one.title for one in STEPS if one != step and needed & {*one.stages}}


def arrows(stages: Mapping[str, Any]) -> list[tuple[str, str]]:
    """From step to step, without those that follow from others."""
    direct = {step.title: after(step, stages) for step in STEPS}
    reached: dict[str, set[str]] = {}
    for step in STEPS:  # a step reads those above it alone
        earlier = [reached[title] | {title} for title in direct[step.title]]
        reached[step.title] = set().union(*earlier)
    return [
        (source, step.title)
        for step in STEPS
        for source in sorted(direct[step.title])
        if not any(source in reached[other] for other in direct[step.title])
    ]


def kept(step: Step) -> list[tuple[str, list[str]]]:
    """Names of a step's outputs, each with the stores that keep it."""
    return [
        (Path(out.path).stem, ["dvc" if out.cached else "git", *_on_hub(out.path)])
        for out in _outs()
        if out.stage in step.stages and out.kind == "out"
    ]


def edited(stages: Mapping[str, Any]) -> dict[str, list[str]]:
    """What people write for a step, by its title; settings apart, which all of them read."""
    params, seen = read_yaml(ROOT / "params.yaml"), set[str]()
    found: dict[str, list[str]] = {}
    for step in STEPS:
        deps = [_resolved(dep, params) for stage in step.stages for dep in stages[stage]["deps"]]
        written = [dep for dep in deps if dep.endswith(".yaml") or dep == "data/decisions"]
        found[step.title] = sorted({*written} - seen)
        seen |= {*written}
    return found


def _resolved(dep: str, params: Mapping[str, Any]) -> str:
    if not dep.startswith("${"):
        return dep
    section, key = dep[2:-1].split(".")
    return str(params[section][key])


def _outs() -> list[Out]:
    return revision_outs(working_tree(ROOT))


def _on_hub(path: str) -> list[str]:
    artifacts = read_yaml(ROUTING)["artifacts"] if ROUTING.exists() else []
    return ["hub" for one in artifacts if path in one["paths"] and one["hub"] != "none"]


@dataclass(frozen=True)
class Box:
    """A box as drawn, its upper left corner at x, y."""

    step: Step
    x: int
    y: int
    width: int
    parts: list[str]
    height: int


def _box(step: Step, y: int, by_hand: Sequence[str]) -> Box:
    column = (WIDTH - 2 * EDGE - GAP) // 2
    width = WIDTH - 2 * EDGE if step.place == "whole" else column
    x = EDGE + (column + GAP if step.place == "right" else 0)
    inner, line, parts = width - 2 * PAD, y + 27, []
    parts.append(f'<text class="title" x="{x + PAD}" y="{line}">{escape(step.title)}</text>')
    line += 4
    for text in textwrap.wrap(step.what, int(inner / SANS)):
        line += 18
        parts.append(f'<text class="what" x="{x + PAD}" y="{line}">{escape(text)}</text>')
    line += 6
    for name in by_hand:
        line += 19
        parts.append(f'<text class="mono quiet" x="{x + PAD}" y="{line}">✎ {escape(name)}</text>')
    for row in _rows(kept(step), inner):
        line += 19
        at = float(x + PAD)
        for name, stores in row:
            for store in stores:
                parts.append(f'<circle class="{store}" cx="{at + 5:g}" cy="{line - 4}" r="5"/>')
                at += 12
            parts.append(f'<text class="mono" x="{at + 4:g}" y="{line}">{escape(name)}</text>')
            at += MONO * len(name) + 18
    names = [one.id for one in all_checks().values() if one.stage in step.stages]
    line += 4 if names else 0
    for text in textwrap.wrap("✓ " + ", ".join(names), int(inner / MONO)) if names else []:
        line += 18
        parts.append(f'<text class="mono check" x="{x + PAD}" y="{line}">{escape(text)}</text>')
    return Box(step, x, y, width, parts, line + 14 - y)


def _rows(
    names: Sequence[tuple[str, list[str]]], width: float
) -> list[list[tuple[str, list[str]]]]:
    """Names in rows that are no wider."""
    rows: list[list[tuple[str, list[str]]]] = [[]]
    used = 0.0
    for name, stores in names:
        needed = 12 * len(stores) + MONO * len(name) + 18
        if rows[-1] and used + needed > width + 18:
            rows.append([])
            used = 0.0
        rows[-1].append((name, stores))
        used += needed
    return rows


def boxes(stages: Mapping[str, Any]) -> dict[str, Box]:
    """All boxes by title: a column begins where its last box ended, a whole row below both."""
    by_hand = edited(stages)
    placed: dict[str, Box] = {}
    below = {"left": EDGE, "right": EDGE}
    for step in STEPS:
        y = max(below.values()) if step.place == "whole" else below[step.place]
        if step.title == "Concepts":
            y = placed["Interventions"].y
        box = placed[step.title] = _box(step, y, by_hand[step.title])
        for column in below:
            if step.place in (column, "whole"):
                below[column] = y + box.height + FALL
    return placed


def _arrow(source: Box, target: Box) -> str:
    start, stop = max(source.x, target.x), min(source.x + source.width, target.x + target.width)
    x = (start + stop) // 2
    return f'<path class="arrow" d="M{x} {source.y + source.height + 2}V{target.y - 4}"/>'


def _stores(y: int) -> Iterator[str]:
    width = (WIDTH - 2 * EDGE - 2 * GAP) // 3
    for number, (name, (title, what, command)) in enumerate(STORES.items()):
        x = EDGE + number * (width + GAP)
        yield f'<rect class="{name}" x="{x}" y="{y}" width="{width}" height="{STORE}" rx="10"/>'
        yield f'<text class="title on" x="{x + PAD}" y="{y + 28}">{escape(title)}</text>'
        inner = width - 2 * PAD
        for line, text in enumerate(textwrap.wrap(what, int(inner / SANS))):
            yield f'<text class="what on" x="{x + PAD}" y="{y + 50 + 18 * line}">{text}</text>'
        words = textwrap.wrap(command, int(inner / MONO))
        for line, text in enumerate(words, start=-len(words)):
            above = y + STORE + 4 + 16 * line
            yield f'<text class="mono on" x="{x + PAD}" y="{above}">{escape(text)}</text>'


def picture() -> str:
    """The picture as SVG, readable on a light and on a dark page."""
    stages = read_stages(ROOT / "dvc.yaml")
    placed = boxes(stages)
    last = placed[STEPS[-1].title]
    legend = last.y + last.height + 40
    names = ", ".join(one.id for one in all_checks().values() if not one.stage)
    whole = textwrap.wrap(f"✓ leitmotif check, the whole: {names}", int((WIDTH - 2 * EDGE) / MONO))
    height = legend + 16 + STORE + 22 + 20 * len(whole)
    words = " ".join(f"{step.title}: {step.what}" for step in STEPS)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{SHOWN}" '
        f'height="{height * SHOWN // WIDTH}" role="img" aria-labelledby="title description">',
        '<title id="title">Leitmotif end to end</title>',
        f'<desc id="description">{escape(words)} Outputs are kept in git, in a DVC remote, and in '
        "a data set of the hub.</desc>",
        f"<style>{STYLE}</style>",
        '<defs><marker id="tip" viewBox="0 0 10 10" refX="7" refY="5" markerWidth="6" '
        'markerHeight="6" orient="auto"><path class="tip" d="M0 0 10 5 0 10z"/></marker></defs>',
        f'<rect class="page" width="{WIDTH}" height="{height}" rx="14"/>',
    ]
    for box in placed.values():
        lines.append(
            f'<rect class="box" x="{box.x}" y="{box.y}" width="{box.width}" '
            f'height="{box.height}" rx="10"/>'
        )
        lines += box.parts
    lines += [_arrow(placed[source], placed[target]) for source, target in arrows(stages)]
    lines.append(
        f'<text class="what quiet" x="{WIDTH / 2:g}" y="{legend}" text-anchor="middle">'
        "Each output is kept where its dots say. ✎ is written by people.</text>"
    )
    lines += _stores(legend + 16)
    for number, text in enumerate(whole, start=-len(whole)):
        y = height + 4 + 20 * number
        lines.append(f'<text class="mono check" x="{EDGE}" y="{y}">{escape(text)}</text>')
    return "\n".join([*lines, "</svg>", ""])


def main() -> int:
    """Draw or check; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if it is old")
    drawn = picture()
    if not parser.parse_args().check:
        write_text(PICTURE, drawn)
    elif not PICTURE.exists() or PICTURE.read_text(encoding="utf-8") != drawn:
        print("docs/blueprint.svg is old: run scripts/blueprint.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
