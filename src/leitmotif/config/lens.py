"""Settings of the two experiments on concepts: the DecoderLens, and swaps between concepts."""

import math
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from leitmotif.config.section import Settings, is_hub_id
from leitmotif.sites import Component, Control, Technique

Span = Annotated[list[float], Field(min_length=2, max_length=2)]
"""Start and end of a part of a clip, in seconds."""
Group = Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=2)]
"""Layers."""


class DecoderLensParams(Settings):
    """What each layer of a model plays for prompts that name a concept."""

    model: str | None
    """Folder of a model that follows prompts; null: the model under study."""
    watch: str
    """Path that DVC watches for a change of its weights: the folder, or ``model.watch``."""
    concepts: str
    """YAML file with the prompts' template, the concepts and their labels; see docs/lens.md."""
    prompts: Annotated[int, Field(ge=2)]
    """Number of prompts for each concept; the paper has 100."""
    seconds: Annotated[float, Field(gt=0)]
    """Length of a clip; the paper has 4."""
    temperature: Annotated[float, Field(ge=0)]
    top_k: Annotated[int | None, Field(ge=1)]
    guidance_scale: float | None
    """Weight of the prompt (classifier-free guidance); null uses the checkpoint's value."""
    tuning_steps: Annotated[int, Field(ge=0)]
    """Steps of gradient descent for each tuned lens; 0: least squares alone."""
    rows: Annotated[int, Field(ge=1)]
    """Number of clips in a batch. ``auto``: as many as ``resources`` have room for."""
    kept_prompts: Annotated[int, Field(ge=0)]
    """Number of prompts of each concept whose clips are kept as audio for the report."""
    seed: Annotated[int, Field(ge=0)]

    @property
    def halves(self) -> int:
        """Rows of a clip: 2 with classifier-free guidance, else 1."""
        return 1 if self.guidance_scale == 1 else 2

    @field_validator("model")
    @classmethod
    def _a_folder(cls, name: str | None) -> str | None:
        if name is not None and is_hub_id(name):
            raise ValueError(
                f"decoderlens.model {name!r} is not a folder here; for a model of the hub set "
                "model.name and its revision, and decoderlens.model to null"
            )
        return name

    @field_validator("watch")
    @classmethod
    def _watches_the_folder(cls, watch: str, info: ValidationInfo) -> str:
        name = info.data.get("model")
        if name is not None and watch != name:
            raise ValueError(
                f"decoderlens.model is the folder {name!r}, so watch must be {name!r} too: "
                "otherwise changed weights would not make the results stale"
            )
        return watch


class SwapsParams(Settings):
    """Which outputs of components are swapped between concepts of ``decoderlens.concepts``.

    Model and sampling are those of ``decoderlens``.
    """

    pairs: str | None
    """CSV file of counterfactual prompts, see docs/stages/swaps.md; null: concepts of ``slots``."""
    slots: Annotated[list[str], Field(min_length=1)]
    """Concepts of these slots are swapped with each other, in both directions."""
    prompts: Annotated[int, Field(ge=1)]
    """Number of prompts for each concept; the paper has 100. A row of ``pairs`` has one."""
    seconds: Annotated[float, Field(gt=0)]
    """Length of a clip; the paper has 4."""
    components: Annotated[list[Component], Field(min_length=1)]
    """Components whose outputs are swapped, one by one, at each layer."""
    techniques: Annotated[list[Technique], Field(min_length=1)]
    controls: list[Control]
    """What is put in besides the desired concept's mean."""
    groups: list[Group]
    """Layers whose outputs are also swapped at once, such as [[0, 1, 2], [3, 4, 5]]."""
    together: bool
    """Also swap the outputs of all layers at once."""
    spans: Annotated[list[Span], Field(min_length=1)] | None
    """Parts of the clip, in seconds, such as [[0.0, 0.4], [0.4, 0.8]]: each cell is swapped in each
    of them alone; null: in the whole clip."""
    rows: Annotated[int, Field(ge=1)]
    """Number of clips in a batch. ``auto``: as many as ``resources`` have room for."""

    @field_validator("slots", "components", "techniques", "controls")
    @classmethod
    def _distinct(cls, names: list[str]) -> list[str]:
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"named twice: {', '.join(repeated)}")
        return names

    @field_validator("groups")
    @classmethod
    def _groups_distinct(cls, groups: list[Group]) -> list[Group]:
        for group in groups:
            if len(set(group)) < len(group):
                raise ValueError(f"a layer is named twice in {group}")
            if sum(set(group) == set(other) for other in groups) > 1:
                raise ValueError(f"the layers {sorted(group)} are named twice")
        return groups

    @field_validator("spans")
    @classmethod
    def _within_the_clip(cls, spans: list[Span] | None, info: ValidationInfo) -> list[Span] | None:
        end = info.data.get("seconds", math.inf)
        for span in spans or []:
            if not 0 <= span[0] < span[1] <= end:
                raise ValueError(
                    f"{span} is no part of a clip of {end:g} s: a span has a start and a later "
                    "end, in seconds"
                )
            if spans and spans.count(span) > 1:
                raise ValueError(f"{span} is named twice")
        return spans
