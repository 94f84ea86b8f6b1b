"""Pairs of clips before and after one intervention, grouped by what was changed."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from leitmotif.errors import StageError
from leitmotif.files import sha256_json
from leitmotif.report.material import ReportMaterial
from leitmotif.report.words import condition_words
from leitmotif.tables.effects import EffectRow, Kind, Verdict, VerdictRow
from leitmotif.tables.interventions import InterventionRow

CUE, OPENING, SHIFT = "the other cue", "the other opening", "positions moved"
"""Names of subjects that are no candidate: the whole piece under the other cue; of recordings,
after the other opening; and the piece itself at other positions, which is a control."""


@dataclass(frozen=True)
class ClipPair:
    """One piece continued with the same noise, untreated and with one thing changed."""

    before: InterventionRow
    after: InterventionRow

    @property
    def id(self) -> str:
        """12 hex digits that identify the pair."""
        after = self.after
        return sha256_json(
            [after.model, after.candidate, after.clip_id, after.track_id, after.seed]
        )[:12]

    @property
    def begins_alike(self) -> bool:
        """Whether both continue the same beginning, so that only the continuation can differ."""
        return self.before.prefix_sha256 == self.after.prefix_sha256

    @property
    def measured(self) -> str | None:
        """Where the engine detects a return: before, after, both, neither; None if unknown."""
        heard = [_returns(row) for row in (self.before, self.after)]
        if None in heard:
            return None
        return {(True, True): "both", (True, False): "before", (False, True): "after"}.get(
            (bool(heard[0]), bool(heard[1])), "neither"
        )


@dataclass(frozen=True)
class TriedCondition:
    """One condition: its effect over all tracks, and the pairs that can be heard."""

    row: EffectRow
    words: str
    tested: bool
    """Whether the subject's effect and verdict rest on this condition."""
    pairs: Sequence[ClipPair]

    @property
    def name(self) -> str:
        """Name of the condition, such as ``patch_gap``."""
        return self.row.name

    @property
    def control(self) -> bool:
        """Whether the condition is a control, which should have no effect."""
        return self.row.condition in _CONTROLS


@dataclass(frozen=True)
class Subject:
    """What was changed in one model: a site, features, or the cue itself."""

    model: str
    name: str
    judged: VerdictRow | None
    """None for what is no candidate."""
    tried: Sequence[TriedCondition]

    @property
    def verdict(self) -> Verdict | None:
        """None for what is no candidate."""
        return None if self.judged is None else self.judged.verdict

    @property
    def pairs(self) -> list[ClipPair]:
        """The pairs of all conditions."""
        return [pair for tried in self.tried for pair in tried.pairs]

    @property
    def path(self) -> str:
        """Path of its page."""
        return page_path(self.model, self.name)


def page_path(model: str, name: str) -> str:
    """Path in the report of the page of a subject, whose name may contain any character."""
    safe = "".join(c if c.isalnum() or c in ".-" else "-" for c in f"{model}-{name}")
    return f"pairs/{safe[:60]}-{sha256_json([model, name])[:6]}.html"


ByCondition = Mapping[tuple[str, str, str], Sequence[ClipPair]]
"""Pairs by model, candidate and name of the condition."""


def subjects(material: ReportMaterial, conditions: Sequence[str]) -> list[Subject]:
    """Everything that was changed, model by model.

    Parameters
    ----------
    material
        The tables that the report shows.
    conditions
        Kinds of conditions whose pairs are shown.

    Raises
    ------
    StageError
        If the baseline of a clip was not kept, or a line has an unknown condition.
    """
    pairs = _paired(material, conditions)
    known = {(row.model, row.candidate, row.name) for row in material.effects}
    for key, of_key in pairs.items():
        if key not in known:
            raise StageError(
                f"clip {of_key[0].after.clip_id} is of no condition that data/effects.jsonl has",
                found=f"{key[2]} of {key[1] or 'no candidate'} in {key[0]}",
                fix="run `dvc repro interventions`: the tables are of different runs",
            )
    return [subject for model in material.models for subject in _of_model(material, model, pairs)]


def _paired(material: ReportMaterial, conditions: Sequence[str]) -> ByCondition:
    baselines = {_piece(row): row for row in material.rows if row.condition == "baseline"}
    pairs: dict[tuple[str, str, str], list[ClipPair]] = defaultdict(list)
    for row in material.rows:
        if row.condition == "baseline" or row.condition not in conditions:
            continue
        if _piece(row) not in baselines:
            raise StageError(
                f"clip {row.clip_id} has no untreated clip beside it",
                expected=f"a baseline of {row.track_id} with seed {row.seed} that was kept",
                fix="run `dvc repro interventions`",
            )
        key = (Path(row.model).name, row.candidate, row.name)
        pairs[key].append(ClipPair(baselines[_piece(row)], row))
    return pairs


def _of_model(material: ReportMaterial, model: str, pairs: ByCondition) -> Iterator[Subject]:
    other = material.counterfactual(model)
    composed = material.composed
    for judged in material.verdicts_of(model):
        rows = material.effects_of(model, judged.candidate)
        strange = [row.condition for row in rows if row.condition not in _ORDER]
        if not rows or strange:
            raise StageError(
                "data/effects.jsonl does not fit data/verdicts.jsonl",
                found=f"{', '.join(strange) or 'no condition'} of {judged.candidate} in {model}",
                expected="conditions of each candidate that data/verdicts.jsonl judges",
                fix="run `dvc repro interventions`: the tables are of different runs",
            )
        ranked = sorted(
            rows, key=lambda row: (not row.tested, _ORDER.index(row.condition), row.name)
        )
        tried = [
            TriedCondition(
                row,
                condition_words(row, composed=composed),
                row.tested,
                pairs.get((model, judged.candidate, row.name), ()),
            )
            for row in ranked
        ]
        yield Subject(model, judged.candidate, judged, tried)
    of_none = ((CUE if composed else OPENING, other), (SHIFT, material.shifted(model)))
    for name, of_no_candidate in of_none:
        if of_no_candidate is None:
            continue
        if kept := pairs.get((model, "", of_no_candidate.name)):
            words = condition_words(of_no_candidate, composed=composed)
            yield Subject(model, name, None, [TriedCondition(of_no_candidate, words, True, kept)])


_CONTROLS: tuple[Kind, ...] = (
    "control",
    "random_feature",
    "local_feature",
    "zero_effect",
    "position_shift",
)
_ORDER: tuple[Kind, ...] = (
    "patch",
    "ablate",
    "scale",
    "control",
    "random_feature",
    "local_feature",
    "zero_effect",
)


def _piece(row: InterventionRow) -> tuple[str, str, int]:
    return row.model, row.track_id, row.seed


def _returns(row: InterventionRow) -> bool | None:
    if row.excluded is not None or not row.returns:
        return None
    return any(motif_return.recurs for motif_return in row.returns)
