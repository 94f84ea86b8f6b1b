"""Settings of the model under study, its activations, and the autoencoders that read them."""

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from leitmotif.config.section import Settings, is_hub_id
from leitmotif.sites import Site


class ModelParams(Settings):
    """The model under study."""

    name: str
    """Hub id (``facebook/musicgen-small``) or a folder, in the layout of
    `transformers` or of audiocraft."""
    revision: Annotated[str | None, Field(pattern=r"^[0-9a-f]{40}$")]
    """Commit of the hub repository; null for a folder, required for a hub id."""
    watch: str
    """Path that DVC watches for a change of the weights: the folder itself. For a hub id, which its
    revision pins, any file of this repository, such as the preset."""
    device: Literal["auto", "cpu", "cuda", "mps"]
    dtype: Literal["float64", "float32", "bfloat16", "float16"]
    """Precision of the forward pass. With ``float64`` codec, autoencoders and judges compute in
    float64 too, and every output has the same bytes on any processor."""
    text_padding: Literal["auto", "masked", "attended"]
    """``masked``: cross-attention masks padding, as in `transformers`. ``attended``: it attends to
    zeros, as in audiocraft. ``auto`` follows the checkpoint's origin."""
    position_seconds: Annotated[float, Field(ge=0)]
    """Position of the first step of everything that the model reads or continues. The clips that it
    was trained on began at 0."""

    @field_validator("revision")
    @classmethod
    def _pinned(cls, revision: str | None, info: ValidationInfo) -> str | None:
        name = info.data.get("name")
        if name is not None and is_hub_id(name) and revision is None:
            raise ValueError(
                f"model.name {name!r} is not a folder here, so it is read as a hub id, which needs "
                "a 40-digit revision: results must not change when the hub does"
            )
        return revision

    @field_validator("watch")
    @classmethod
    def _watches_the_folder(cls, watch: str, info: ValidationInfo) -> str:
        name = info.data.get("name")
        if name is not None and not is_hub_id(name) and watch != name:
            raise ValueError(
                f"model.name is the folder {name!r}, so watch must be {name!r} too: otherwise "
                "changed weights would not make the activations stale"
            )
        return watch

    def beside(self, name: str) -> "ModelParams":
        """The settings of another model that is compared with this one: a folder, or this one."""
        if name == self.name:
            return self
        return self.model_copy(update={"name": name, "revision": None, "watch": name})

    @property
    def dtype_beside(self) -> Literal["float64", "float32"]:
        """Precision of the codec, the autoencoders and the judges."""
        return "float64" if self.dtype == "float64" else "float32"


class ActivationsParams(Settings):
    """Which activations are cached while the model reads each track, teacher-forced."""

    sites: Annotated[list[Site], Field(min_length=1)]
    prompt: Literal["none", "tags"]
    """``none``: unconditional. ``tags``: conditioned on a sentence made from the track's tags."""
    dtype: Literal["float16", "float32"]
    """Precision of the stored tensors."""
    max_failures: Annotated[int, Field(ge=0)]
    """Maximum number of failed tracks; the stage stops if there are more."""

    @field_validator("sites")
    @classmethod
    def _distinct(cls, sites: list[str]) -> list[str]:
        repeated = sorted({site for site in sites if sites.count(site) > 1})
        if repeated:
            raise ValueError(f"listed twice (hook_layers.N is an alias): {', '.join(repeated)}")
        return sites


class SaeParams(Settings):
    """Which sparse autoencoders are used, and how their alignment is measured."""

    hooks: list[str]
    """Entries of hooks.yaml. ``NAME@SITE`` reads another site than its own, which is a mismatch."""
    allow_misaligned: bool
    """Continue after a mismatch, and mark every resulting file and metric."""
    reach: Annotated[int, Field(ge=1)]
    """Number of neighbouring sites on either side at which an autoencoder must do worse: of the
    blocks beside its own, captured if they are not stored, and of the stored ones."""
    audit_tracks: Annotated[int, Field(ge=2)]
    """Number of tracks on which neighbours are captured, and the audit is made."""
    spliced_tracks: Annotated[int, Field(ge=2)]
    """Number of tracks on which the model runs with reconstructions instead of a site."""
    seed: Annotated[int, Field(ge=0)]
    """Seed of the bootstrap resamples."""

    @field_validator("hooks")
    @classmethod
    def _once(cls, hooks: list[str]) -> list[str]:
        names = [hook.partition("@")[0] for hook in hooks]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"listed twice: {', '.join(repeated)}")
        return hooks
