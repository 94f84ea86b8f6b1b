"""hooks.yaml: which autoencoder belongs to which site of which model, and what it must be.

An entry repeats what the checkpoint's own folder says, on purpose: the registry, the folder and
the stored activations are three witnesses, and ``leitmotif.sae.autoencoder.alignment`` compares all
of them.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from leitmotif.config import Settings
from leitmotif.config.section import Location, dotted, read_settings
from leitmotif.errors import ConfigError
from leitmotif.files import read_text, write_text
from leitmotif.files.targets import check_editable
from leitmotif.files.yaml_files import EditableYaml
from leitmotif.sae.autoencoder.model import Normalisation
from leitmotif.sites import Site
from leitmotif.tables.base import Sha256

REGISTRY = Path("hooks.yaml")
SCHEMA = Path("schemas/hooks.schema.json")
FORMAT = "leitmotif-hooks/1"
_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"


class FolderCheckpoint(Settings):
    """A folder of this repository, or of this machine."""

    source: Literal["folder"]
    """Where the files are: in a folder."""
    path: str
    """Holds cfg.json and sae_weights.safetensors; relative to the registry."""
    sha256: Sha256
    """SHA-256 of sae_weights.safetensors."""
    config_sha256: Sha256
    """SHA-256 of cfg.json."""


class HubCheckpoint(Settings):
    """A folder of a repository on the hub, at one commit."""

    source: Literal["hub"]
    """Where the files are: on the hub."""
    repository: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")]
    """Repository as OWNER/NAME."""
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
    """Commit of the repository, in full."""
    path: str
    """Folder within the repository; empty for its root."""
    sha256: Sha256
    """SHA-256 of sae_weights.safetensors."""
    config_sha256: Sha256
    """SHA-256 of cfg.json."""


class HookAudio(Settings):
    """What was done to the audio before the model read it."""

    sample_rate: Annotated[int, Field(ge=1)]
    """Hz."""
    channels: Literal["mono"]
    """How many were read; more than one were mixed down."""
    prompt: Literal["none", "tags", "other"]
    """What conditioned the model; ``other``: texts of the training set."""


class Hook(Settings):
    """One autoencoder and the place where it belongs."""

    name: Annotated[str, Field(pattern=_NAME)]
    """Names the encoded files and the rows of the metrics."""
    site: Site
    """Where it was trained; ``hook_layers.N`` is ``layers.N.residual``, counting from 0."""
    model: str
    """Hub id or folder of the model it was trained on."""
    model_revision: Annotated[str | None, Field(pattern=r"^[0-9a-f]{40}$")]
    """Commit of the model; null for a folder, or where the authors do not say."""
    model_fingerprint: Sha256 | None
    """Of the model's weights, as the activations' headers have it; null if it is not known."""
    d_in: Annotated[int, Field(ge=1)]
    """Width of the site."""
    d_sae: Annotated[int, Field(ge=1)]
    """Number of features."""
    k: Annotated[int | None, Field(ge=1)]
    """Most active features a row; null for autoencoders without such a bound."""
    normalize_activations: Normalisation
    """Done to each row before encoding, and undone after decoding."""
    forward_dtype: Literal["float32", "bfloat16", "float16"] | None
    """Precision in which the model made its training activations; null if it is not known."""
    context_frames: Annotated[int, Field(ge=1)]
    """Decoder steps of one training context (501 steps: 10 s)."""
    audio: HookAudio
    """What was done to the audio before the model read it."""
    checkpoint: Annotated[FolderCheckpoint | HubCheckpoint, Field(discriminator="source")]
    """Where weights and configuration are, and their hashes."""

    @property
    def parameters(self) -> int:
        """Of its weights: encoder, decoder, and both biases."""
        return 2 * self.d_in * self.d_sae + self.d_in + self.d_sae


class Registry(Settings):
    """All of hooks.yaml."""

    format: Literal["leitmotif-hooks/1"]
    """Name and version of this form."""
    hooks: list[Hook]
    """The autoencoders, in any order."""

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        names = [hook.name for hook in self.hooks]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"named twice: {', '.join(repeated)}")
        return self

    def __getitem__(self, name: str) -> Hook:
        """Entry of a name; raises ConfigError naming those that there are."""
        for hook in self.hooks:
            if hook.name == name:
                return hook
        raise ConfigError(
            f"{REGISTRY} has no autoencoder {name!r}",
            expected=", ".join(hook.name for hook in self.hooks) or "an entry",
            fix="train one with `leitmotif train-sae`, or enter a published one",
        )


def registered(names: Sequence[str]) -> list[Hook]:
    """The entries of ``NAME`` or ``NAME@SITE``; raises ConfigError."""
    plain = [name.partition("@")[0] for name in names]
    registry = load_registry() if plain else None
    return [registry[name] for name in plain] if registry else []


def load_registry(path: Path = REGISTRY) -> Registry:
    """Read hooks.yaml; raises ConfigError naming the entry and the key."""
    return read_settings(path, Registry, fix=f"see {SCHEMA} and docs/sae.md", place=_place)


def check_name(name: str, path: Path = REGISTRY, *, replace: bool = False) -> None:
    """Raise LeitmotifError unless an entry ``name`` can be written into hooks.yaml.

    An entry of that name is in the way unless it is to be replaced.
    """
    check_editable(path)
    if not re.fullmatch(_NAME, name):
        raise ConfigError(
            f"{name!r} cannot be a name in {path}",
            expected="a letter or digit, then at most 99 letters, digits and . _ -",
        )
    if not replace and name in [hook.name for hook in load_registry(path).hooks]:
        raise ConfigError(
            f"{path} has an autoencoder {name!r} already",
            fix="choose another name, or add --replace",
        )


def register(hook: Hook, path: Path = REGISTRY, *, replace: bool = False) -> None:
    """Write an entry into hooks.yaml, with ``replace`` in the place of one of its name.

    Comments and the order of the others stay. Raises ConfigError if the file cannot be used or has
    an entry of that name, and TargetError if it cannot be written.
    """
    check_name(hook.name, path, replace=replace)
    load_registry(path)
    yaml = EditableYaml(read_text(path), nested=True)
    hooks = yaml.values["hooks"]
    hooks.fa.set_block_style()
    entry = hook.model_dump(mode="json")
    names = [existing["name"] for existing in hooks]
    if hook.name in names:
        hooks[names.index(hook.name)] = entry
    else:
        hooks.append(entry)
    write_text(path, str(yaml))


def entry_text(hook: Hook) -> str:
    """An entry as it stands in hooks.yaml, below ``hooks:``."""
    yaml = EditableYaml("hooks: []", nested=True)
    yaml.values["hooks"] = [hook.model_dump(mode="json")]
    return str(yaml).removeprefix("hooks:\n")


def _place(values: Any, location: Location) -> str:
    """Such as ``hooks[planner-2].checkpoint.sha256``: an entry by its name, not its number."""
    parts = list(location)
    if len(parts) > 1 and parts[0] == "hooks" and isinstance(parts[1], int):
        entry = values["hooks"][parts[1]]
        name = entry.get("name", parts[1]) if isinstance(entry, dict) else parts[1]
        rest = [str(part) for part in parts[2:] if part not in ("folder", "hub")]
        return ".".join([f"hooks[{name}]", *rest])
    return dotted(values, location)
