"""Before and after: pairs of clips that differ in one intervention, grouped by what was changed."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from leitmotif.causal.log import InterventionRow
from leitmotif.causal.verdict import Verdict
from leitmotif.errors import StageError
from leitmotif.files import sha256_json
from leitmotif.report.material import Material, Metric
from leitmotif.report.words import condition_words

CUE = "the other cue"
"""Name of the subject that every model has: the whole piece under the other cue."""


@dataclass(frozen=True)
class Pair:
    """One piece continued untreated, and with one thing changed; same noise."""

    before: InterventionRow
    after: InterventionRow

    @property
    def id(self) -> str:
        """12 hex digits of what the pair is of."""
        after = self.after
        return sha256_json(
            [after.model, after.candidate, after.clip_id, after.track_id, after.seed]
        )[:12]

    @property
    def measured(self) -> str | None:
        """Where the engine hears a return: before, after, both, neither; None if unknown."""
        heard = [_returns(row) for row in (self.before, self.after)]
        if None in heard:
            return None
        return {(True, True): "both", (True, False): "before", (False, True): "after"}.get(
            (bool(heard[0]), bool(heard[1])), "neither"
        )


@dataclass(frozen=True)
class Tried:
    """One condition: what it did on all tracks, and the pairs that can be heard."""

    name: str
    words: str
    tested: bool
    """Whether the verdict rests on it."""
    control: bool
    metric: Metric
    pairs: Sequence[Pair]


@dataclass(frozen=True)
class Subject:
    """What was changed in one model: a site, features, or the cue itself."""

    model: str
    name: str
    metric: Metric | None
    """Of the candidate; None for the cue, which is no candidate."""
    tried: Sequence[Tried]

    @property
    def verdict(self) -> Verdict | None:
        """None for the cue."""
        return None if self.metric is None else self.metric["verdict"]

    @property
    def pairs(self) -> list[Pair]:
        """Of all conditions."""
        return [pair for one in self.tried for pair in one.pairs]

    @property
    def path(self) -> str:
        """Of its page; the name is made safe, for it may hold anything."""
        safe = "".join(c if c.isalnum() or c in ".-" else "-" for c in f"{self.model}-{self.name}")
        digest = sha256_json([self.model, self.name])[:6]
        return f"pairs/{safe[:60]}-{digest}.html"


def subjects(material: Material, conditions: Sequence[str]) -> list[Subject]:
    """Everything that was changed, model by model; ``conditions`` says which kinds are shown.

    Raises StageError for a clip whose baseline was not kept, or a line of no known condition.
    """
    baselines = {_piece(row): row for row in material.rows if row.condition == "baseline"}
    by_candidate: dict[tuple[str, str], list[Pair]] = defaultdict(list)
    for row in material.rows:
        if row.condition == "baseline" or row.condition not in conditions:
            continue
        if _piece(row) not in baselines:
            raise StageError(
                f"clip {row.clip_id} has no untreated clip beside it",
                expected=f"a baseline of {row.track_id} with seed {row.seed} that was kept",
                fix="run `dvc repro interventions`",
            )
        pair = Pair(baselines[_piece(row)], row)
        by_candidate[Path(row.model).name, row.candidate].append(pair)
    return [
        subject
        for model in material.models
        for subject in _of_model(model, material.interventions["models"][model], by_candidate)
    ]


def _of_model(
    model: str, metric: Metric, by_candidate: Mapping[tuple[str, str], Sequence[Pair]]
) -> Iterator[Subject]:
    known = metric["counterfactual"] is not None
    for name, candidate in metric["candidates"].items():
        tried = list(_tried(candidate, by_candidate.get((model, name), ()), known=known))
        yield Subject(model, name, candidate, tried)
    other = metric["counterfactual"]
    pairs = by_candidate.get((model, ""), ())
    if other is not None and pairs:
        words = condition_words(
            "counterfactual", "counterfactual", None, whole_site=True, known=True
        )
        one = Tried("counterfactual", words, True, False, other, pairs)
        yield Subject(model, CUE, None, [one])


def _tried(candidate: Metric, pairs: Sequence[Pair], *, known: bool) -> Iterator[Tried]:
    """Conditions of a candidate: what the verdict rests on, what else was done, the controls."""
    kinds = {name: one["condition"] for name, one in candidate["conditions"].items()}
    tested = _tested(candidate, known=known)
    order = ["patch", "ablate", "scale", "random_feature", "local_feature", "zero_effect"]
    ranked = sorted(kinds, key=lambda name: (name != tested, order.index(kinds[name]), name))
    of_name = _by_name(candidate, pairs)
    for name in ranked:
        metric = candidate["conditions"][name]
        yield Tried(
            name,
            condition_words(
                name,
                kinds[name],
                metric["strength"],
                whole_site=not candidate["features"],
                known=known,
            ),
            name == tested,
            kinds[name] in ("random_feature", "local_feature", "zero_effect"),
            metric,
            of_name.get(name, ()),
        )


def _tested(candidate: Metric, *, known: bool) -> str:
    """Name of the condition that the verdict rests on, by the rule of ``causal.findings``."""
    ablated = "ablate_gap" in candidate["conditions"]
    return "patch_gap" if known or not ablated else "ablate_gap"


def _by_name(candidate: Metric, pairs: Sequence[Pair]) -> dict[str, list[Pair]]:
    """Pairs by the name that the metrics give their condition."""
    found: dict[str, list[Pair]] = defaultdict(list)
    order: dict[tuple[object, ...], list[str]] = defaultdict(list)
    for pair in pairs:
        row = pair.after
        names = [
            name
            for name, one in candidate["conditions"].items()
            if (one["condition"], one["strength"]) == (row.condition, row.strength)
            and one["steps"] == (None if row.steps is None else list(row.steps))
        ]
        # Several of a kind are numbered in the order in which the log has them.
        alike = order[row.condition, row.steps, row.strength]
        key = str(row.feature)
        if key not in alike:
            alike.append(key)
        place = alike.index(key)
        if place >= len(names):
            raise StageError(
                f"clip {row.clip_id} is of no condition that metrics/interventions.json has",
                found=f"{row.condition} at {row.site}, steps {row.steps}, strength {row.strength}",
                fix="run `dvc repro interventions`: log and metrics are of different runs",
            )
        found[sorted(names, key=lambda name: (len(name), name))[place]].append(pair)
    return found


def _piece(row: InterventionRow) -> tuple[str, str, int]:
    return row.model, row.track_id, row.seed


def _returns(row: InterventionRow) -> bool | None:
    if row.excluded is not None or not row.returns:
        return None
    return any(one.recurs for one in row.returns)
