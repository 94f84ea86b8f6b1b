"""Summary of a run in at most 40 lines of 100 characters, for ``leitmotif results``.

It is made from metrics/*.json; docs/stages explains their keys. Headings start at the margin, and
rows below them are indented.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leitmotif.cli.columns import (
    NOTHING,
    column,
    count,
    counts,
    cut,
    first_rows,
    interval,
    is_number,
    listed,
    mean,
    one_line,
    yes,
)
from leitmotif.cli.presets import preset_in_use
from leitmotif.config import Params, load_params
from leitmotif.errors import LeitmotifError, counted
from leitmotif.feasibility.rehearsal import REHEARSAL, is_rehearsal
from leitmotif.files import read_json
from leitmotif.files.restoring import how_to_restore
from leitmotif.report.sentences import FINDING, in_short
from leitmotif.share.lockfile import check_unchanged, outdated_stages

METRICS = Path("metrics")
PAGES = Path("data/report/index.html")
STAGES = (
    "corpus", "manifest", "features", "proposals", "labels", "activations", "sae", "probes",
    "calibration", "interchange", "interventions", "summary", "decoderlens", "swaps", "report",
)  # fmt: skip
ORDER = ("naive correlation", "local continuity", "misaligned autoencoder", "aligned and causal")
"""Order of the approaches, from the usual one to the complete one. JSON files have sorted keys."""
LINES = 40
_APPROACHES, _SLOTS = 5, 3
"""Maximum number of rows in these tables; the models get the lines that are left."""


@dataclass(frozen=True)
class Results:
    """Metrics of the current settings by stage, and the stages without metrics."""

    params: Params
    metrics: Mapping[str, Any]
    missing: Sequence[str] = ()
    outdated: Sequence[str] = ()
    """Stages whose metrics belong to other settings or inputs; see ``lockfile``."""
    pages: bool = False
    """Whether the listening report exists."""
    preset: str = ""
    """Text in brackets: the preset, and how many of its settings are changed."""

    def of(self, stage: str, *keys: str) -> Any:
        """The value at ``keys`` of a stage's metrics; None if any key is missing."""
        value: Any = self.metrics.get(stage)
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        return value

    def keyed(self, stage: str, *keys: str) -> dict[str, Any]:
        """The object at ``keys``; empty if there is none."""
        value = self.of(stage, *keys)
        return value if isinstance(value, dict) else {}


def read_results(root: Path = Path()) -> Results:
    """Read the metrics of the repository at ``root``.

    Raises ConfigError if params.yaml cannot be used, and LeitmotifError if a metrics file is not
    JSON, is not the one that its stage wrote, or if no stage has metrics of the current settings.
    """
    there = [name for name in STAGES if (root / METRICS / f"{name}.json").exists()]
    outdated = outdated_stages(root).intersection(there)
    fresh = [name for name in there if name not in outdated]
    if not fresh:
        raise LeitmotifError(
            f"there are no results in {root / METRICS} of the settings in params.yaml",
            found="metrics of other settings or inputs" if outdated else "no metrics",
            fix="run `dvc repro` in the repository's root, or `make repro`, which installs too",
        )
    check_unchanged([(METRICS / f"{name}.json").as_posix() for name in fresh], root)
    return Results(
        params=load_params(root / "params.yaml"),
        metrics={name: read_json(root / METRICS / f"{name}.json") for name in fresh},
        missing=[name for name in STAGES if name not in there],
        outdated=[name for name in STAGES if name in outdated],
        pages=(root / PAGES).exists(),
        preset=_preset(root),
    )


def _preset(root: Path) -> str:
    now = preset_in_use(root)
    if now is None:
        return ""
    changes = f", {counted(len(now.changed), 'setting')} changed" if now.changed else ""
    return f" (preset {now.name}{changes})"


def as_lines(results: Results) -> list[str]:
    """The summary: at most ``LINES`` lines of at most ``columns.WIDTH`` characters."""
    others = (_approaches, _tests, _concepts, _counts, _next)
    title, *rest = [_title(results), *filter(None, (block(results) for block in others))]
    taken = len(title) + sum(1 + len(block) for block in rest)
    if models := _models(results, most=LINES - taken - 2):  # an empty line, and the heading
        rest.insert(0, models)
    return [cut(line) for line in [*title, *(line for block in rest for line in ("", *block))]]


def _title(results: Results) -> list[str]:
    params = results.params
    lines = [f"{one_line(params.model.name)} on {params.corpus.source}{results.preset}"]
    if is_rehearsal(params):
        lines.append(f"  {REHEARSAL}")
    if params.probes.exploratory:
        lines.append("  exploratory: labels were not verified by people, nothing here is a claim")
    return lines


def _models(results: Results, most: int) -> list[str]:
    verdicts = results.keyed("interventions", "verdicts")
    probed = results.keyed("probes", "models")
    names = [*verdicts, *(name for name in probed if name not in verdicts)]
    if not names:
        return []
    own = Path(results.params.model.name).name
    rows: list[list[str]] = []
    for name in sorted(names, key=lambda name: name != own):
        foresight = results.of("probes", "models", name, "foresight")
        partial = results.of("probes", "models", name, "partial_r2")
        patched = results.of("interventions", "strongest", name)
        row = (
            f"  {column(name, 18)}{column(verdicts.get(name), 22)}{column(yes(foresight), 7)}"
            f"{interval(partial, 'z.2f', of='track')}"
        ).rstrip()
        points = f"    patched ahead {interval(patched, '+z.1f', of='piece', changed=True)}"
        said = [] if patched is None else [points + _possible(patched, verdicts.get(name))]
        rows.append([row, *said, *_sites(results, name)])
    head = f"{'Models':<20}{'verdict':<22}{'probes':<7}partial R²; below it patches, in points"
    return [head, *first_rows(rows, most, "models")]


def _possible(patched: object, verdict: object) -> str:
    """What could have been found, where the verdict is no finding."""
    if not isinstance(patched, dict) or "least" not in patched or verdict == FINDING:
        return ""
    least, likely = (
        None if mean(patched.get(key), "g") == NOTHING else patched[key]
        for key in ("least", "likely")
    )
    return f"; {in_short(least, likely)}"


def _sites(results: Results, model: str) -> list[str]:
    lines = []
    for key, verb in (
        ("carriers", "carried by"),
        ("decodable_not_causal", "decodable, not causal:"),
    ):
        effects = results.keyed("interventions", key, model)
        leads = results.keyed("interchange", "leads", model)
        sites = [
            f"{one_line(site)} ({mean(effect, '+z.1f')}{_from(leads.get(site))})"
            for site, effect in effects.items()
        ]
        if sites:
            lines.append(listed(f"    {verb} ", sites))
    carriers = results.keyed("interventions", "carriers", model)
    near = results.keyed("interchange", "leads", model).items()
    late = [f"{one_line(site)} ({_from(lead)[2:]})" for site, lead in near if site not in carriers]
    if late:
        lines.insert(1, listed("    just in time: ", late))
    judged, read = results.keyed("interventions", "verdicts"), results.of("interchange", "leads")
    if model in judged and isinstance(read, dict) and model not in read:
        lines.append("    leads not known: its residuals were not exchanged")
    return lines


def _from(lead: object) -> str:
    """How far ahead of the event a site carries it; nothing where that is not known."""
    return f", from {lead:g} s ahead" if is_number(lead) else ""


def _approaches(results: Results) -> list[str]:
    approaches = results.keyed("summary", "approaches")
    if not approaches:
        return []
    rows, moved = [], False
    for name in sorted(approaches, key=lambda name: ORDER.index(name) if name in ORDER else 9):
        r2, clap, effect, verdict, stable = (
            results.of("summary", "approaches", name, key)
            for key in ("r2", "clap", "delta_recurrence", "verdict", "stable")
        )
        moved |= stable is False
        mark = "* " if stable is False else "  "
        rows.append(
            [
                f"{mark}{column(name, 23)}{column(mean(r2, 'z.2f'), 5)}"
                f"{column(mean(clap, 'z.3f'), 6)}{column(verdict, 22)}"
                f"{interval(effect, '+z.1f', of='piece')}".rstrip()
            ]
        )
    head = f"{'Approaches':<25}{'R²':<5}{'CLAP':<6}{'verdict':<22}Δ recurrence"
    place = results.of("probes", "place_r2")
    if place is not None:
        head += f"; R² of place alone {mean(place, 'z.2f')}"
    note = ["* would change if the nearest feature changed sides"] if moved else []
    return [head, *first_rows(rows, _APPROACHES, "approaches"), *note]


def _tests(results: Results) -> list[str]:
    if "calibration" not in results.metrics:
        return []
    level = f"{results.params.probes.alpha:g}"
    power = [
        f"{mean(share, '.2f')} at {one_line(strength)}"
        for strength, share in results.keyed("calibration", "power").items()
    ]
    return [
        f"Tests at p {level}",
        *(
            f"  false positives, {test}: "
            + interval(results.of("calibration", f"fpr_{test}"), ".3f", of="draw")
            for test in ("naive", "controlled")
        ),
        listed("  power by strength: ", power or [NOTHING]),
    ]


def _concepts(results: Results) -> list[str]:
    rows = []
    for slot in results.keyed("decoderlens", "alone", "plain"):
        by_lens = [
            [
                mean(results.of("decoderlens", "alone", lens, slot, place), ".2f")
                for place in ("first", "middle", "last")[: 3 if lens == "plain" else 2]
            ]
            for lens in ("plain", "tuned")
        ]
        plain, tuned = (column(", ".join(values), 22) for values in by_lens)
        rows.append([f"  {column(slot, 23)}{plain}{tuned}".rstrip()])
    lines = first_rows(rows, _SLOTS, "slots")
    best = results.keyed("swaps", "best")
    if any(best.values()):
        tried, beyond = (results.of("swaps", "cells", key) for key in ("tried", "beyond_controls"))
        named = ", ".join(
            f"{one_line(site)} ({one_line(kind)})" for kind, site in best.items() if site
        )
        cells = f"{count(beyond)} of {counts(tried, 'cell')} beyond controls"
        lines.append(f"  most by swaps: {named}; {cells}")
    head = f"{'Concepts, NDCG by layer':<25}{'first, middle, last':<22}tuned lens"
    return [head, *lines] if lines else []


def _counts(results: Results) -> list[str]:
    of = results.of
    rows = {
        "manifest": [
            f"{count(of('manifest', 'tracks'))} of "
            f"{counts(of('corpus', 'tracks'), 'recording')} used",
            f"{count(of('manifest', 'excluded'))} left out",
            f"{counts(_failures(results), 'failure')}",
            *_tensors(results),
        ],
        "proposals": [f"{counts(of('proposals', 'proposals'), 'proposal')}", *_quality(results)],
        "labels": [
            f"{counts(of('labels', 'labels'), 'label')}",
            f"{counts(of('labels', 'tracks_complete'), 'track')} complete",
            f"{counts(of('labels', 'decisions'), 'decision')}",
            *_chosen(results),
        ],
        "sae": [
            f"{counts(of('sae', 'audits_passed'), 'audit')} passed",
            f"{count(of('sae', 'audits_failed'))} failed",
            f"{count(of('sae', 'misalignments_caught'))} of "
            f"{counts(of('sae', 'misalignments_tried'), 'misalignment')} caught",
            f"loss recovered at least {mean(of('sae', 'least_loss_recovered'), 'z.3f')}",
        ],
        "interventions": [
            f"{counts(of('interventions', 'clips'), 'clip')}"
            + (": no piece could show an effect" if of("interventions", "clips") == 0 else ""),
            f"{count(of('interventions', 'excluded'))} excluded",
            f"{count(of('interventions', 'identity_changed'))} changed by an identity patch",
        ],
    }
    lines = [f"  {', '.join(row)}" for stage, row in rows.items() if stage in results.metrics]
    lines += _openings(results)
    return ["Counts", *lines] if lines else []


def _openings(results: Results) -> list[str]:
    """What the model under study did with recordings, if it had to."""
    model = Path(results.params.model.name).name
    keys = ("returning", "openings", "differing", "recordings")
    returning, tried, differing, recordings = (
        results.of("interventions", "openings", model, key) for key in keys
    )
    if tried is None:
        return []
    return [
        f"  motifs return after {count(returning)} of {counts(tried, 'opening')}; "
        f"{count(differing)} of {counts(recordings, 'recording')} can show an effect"
    ]


def _chosen(results: Results) -> list[str]:
    """How many features the probes chose, if they were run."""
    if "probes" not in results.metrics:
        return []
    chosen, tested = (results.of("probes", "candidates", key) for key in ("chosen", "tested"))
    return [f"{count(chosen)} of {counts(tested, 'feature')} are candidates"]


def _quality(results: Results) -> list[str]:
    """Quality of the proposals: precision and recall, if there is a score, and the null rate."""
    known = {
        key: mean(results.of("proposals", key), "z.2f")
        for key in ("precision", "recall")
        if results.of("proposals", key) is not None
    }
    null = interval(results.of("proposals", "null_any_rate"), "z.3f", of="track")
    return [*(f"{key} {value}" for key, value in known.items()), f"in {null} of null tracks"]


def _next(results: Results) -> list[str]:
    labels, command = results.params.labels, ", run `dvc repro`"
    lines = []
    if "report" in results.metrics:
        pairs = f"{counts(results.of('report', 'pairs'), 'pair')} of clips to listen to"
        lines.append(
            f"  open {PAGES} in a browser: {pairs}"
            if results.pages
            else f"  {how_to_restore('report')}: {pairs}"
        )
    if labels.source == "decisions" and not results.of("labels", "tracks_complete"):
        lines.append("  run `leitmotif status` for what to do: no track is labelled completely")
        command = ""
    for state, names in (("missing", results.missing), ("outdated", results.outdated)):
        if names:
            lines.append(listed(f"  {state}{command}: ", names))
    if not results.missing and not results.outdated:
        lines.append("  run `leitmotif compare main`: what differs from main")
    return ["Next", *lines]


def _tensors(results: Results) -> list[str]:
    if "activations" not in results.metrics:
        return []
    return [f"{counts(results.of('activations', 'tensors'), 'tensor')}"]


def _failures(results: Results) -> int | None:
    """Failures of all stages; those of ``features`` include those of ``corpus``."""
    failures = {
        name: results.of(name, "failures") for name in ("corpus", "features", "activations")
    }
    if isinstance(failures.get("features"), int):
        failures.pop("corpus", None)
    counts = [value for value in failures.values() if isinstance(value, int)]
    return sum(counts) if counts else None
