"""Settings of the two experiments on concepts: the DecoderLens, and swaps between concepts."""

from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from leitmotif.config.section import Settings, is_hub_id
from leitmotif.sites import Component, Control, Technique


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

    slots: Annotated[list[str], Field(min_length=1)]
    """Concepts of these slots are swapped with each other, in both directions."""
    prompts: Annotated[int, Field(ge=1)]
    """Number of prompts for each concept; the paper has 100."""
    seconds: Annotated[float, Field(gt=0)]
    """Length of a clip; the paper has 4."""
    components: Annotated[list[Component], Field(min_length=1)]
    """Whose outputs are swapped, one by one, at each layer."""
    techniques: Annotated[list[Technique], Field(min_length=1)]
    controls: list[Control]
    """What is put in besides the desired concept's mean."""
    together: bool
    """Also swap the outputs of all layers at once."""
    rows: Annotated[int, Field(ge=1)]
    """Number of clips in a batch. ``auto``: as many as ``resources`` have room for."""

    @field_validator("slots", "components", "techniques", "controls")
    @classmethod
    def _distinct(cls, names: list[str]) -> list[str]:
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"named twice: {', '.join(repeated)}")
        return names
