"""Declared alignment: do the registry, the autoencoder's folder and the activations agree?

What is declared can be wrong all the same (papers count layers from 1, code from 0); whether it is
true is measured by ``leitmotif.sae.audit.measured``.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from leitmotif.errors import ModelError
from leitmotif.sae.autoencoder.model import SaeConfig
from leitmotif.sae.autoencoder.registry import Hook
from leitmotif.sites import canonical_site
from leitmotif.store.reading.header import Header

BRAND = "MISALIGNED"
"""Begins what a mismatch leaves in the metadata and metrics of all that it touches."""


@dataclass(frozen=True)
class Mismatch:
    """One statement on which two sides differ."""

    what: str
    activations: str
    """What the activations' header, or the registry, says."""
    autoencoder: str
    """What the autoencoder's folder, or the registry, says."""

    def __str__(self) -> str:
        """Show both sides."""
        return f"{self.what}: activations {self.activations}, autoencoder {self.autoencoder}"


def compare(hook: Hook, config: SaeConfig, header: Header, width: int) -> list[Mismatch]:
    """List what the three witnesses disagree on; ``width`` is that of the stored tensor.

    What an entry leaves null is not known and is not compared.
    """
    pairs: list[tuple[str, object, object]] = [
        ("site", header.site, hook.site),
        ("model", header.model, hook.model),
        ("revision", header.revision or None, hook.model_revision),
        ("model fingerprint", header.model_fingerprint, hook.model_fingerprint),
        ("width", width, hook.d_in),
        ("forward dtype", header.forward_dtype, hook.forward_dtype),
        ("sample rate", header.sample_rate, hook.audio.sample_rate),
    ]
    unknown = {
        "revision": hook.model_revision is None,
        "model fingerprint": hook.model_fingerprint is None,
        # float64 and float32 are the same activations to the digits that are stored.
        "forward dtype": hook.forward_dtype is None
        or {header.forward_dtype, hook.forward_dtype} <= {"float64", "float32"},
    }
    mismatches = [
        Mismatch(what, str(theirs), str(ours))
        for what, theirs, ours in pairs
        if theirs != ours and not unknown.get(what, False)
    ]
    mismatches += _folder_against_registry(hook, config)
    if "model_name" in config.metadata and config.metadata["model_name"] != header.model:
        mismatches.append(Mismatch("model_name", header.model, str(config.metadata["model_name"])))
    declared = _declared_site(config)
    if declared != header.site:
        mismatches.append(Mismatch("hook_name", header.site, declared))
    return mismatches


def compare_reading(hook: Hook, header: Header) -> list[Mismatch]:
    """List in what the model read otherwise than when the autoencoder was trained.

    Longer contexts reach positions that it has never seen, and another kind of prompt moves all
    activations. (``compare`` has the sample rate and the precision.)
    """
    longest = max(window.frames for window in header.windows)
    prompt = "tags" if header.prompt else "none"
    mismatches = []
    if longest > hook.context_frames:
        mismatches.append(
            Mismatch("context", f"{longest} frames", f"at most {hook.context_frames}")
        )
    if prompt != hook.audio.prompt:
        mismatches.append(Mismatch("prompt", prompt, hook.audio.prompt))
    return mismatches


def _folder_against_registry(hook: Hook, config: SaeConfig) -> list[Mismatch]:
    pairs: list[tuple[str, object, object]] = [
        ("d_in", hook.d_in, config.d_in),
        ("d_sae", hook.d_sae, config.d_sae),
        ("k", hook.k, config.k),
        ("normalize_activations", hook.normalize_activations, config.normalize_activations),
        ("hook_name", hook.site, _declared_site(config)),
    ]
    return [
        Mismatch(f"{what} (registry)", str(ours), str(theirs))
        for what, ours, theirs in pairs
        if ours != theirs
    ]


def _declared_site(config: SaeConfig) -> str:
    name = str(config.metadata.get("hook_name"))
    try:
        return canonical_site(name)
    except ValueError:
        return name


def require_alignment(
    name: str, mismatches: Iterable[Mismatch], *, allow_misaligned: bool
) -> str | None:
    """Return None if nothing differs, otherwise the brand for all that comes out of it.

    Raises ModelError with both sides of every mismatch unless ``allow_misaligned``.
    """
    lines = list(dict.fromkeys(map(str, mismatches)))
    if not lines:
        return None
    if not allow_misaligned:
        raise ModelError(
            f"the autoencoder {name} does not belong to these activations",
            found="\n            ".join(lines),
            expected="one site, model, revision, width, precision and normalisation, contexts no "
            "longer and prompts of one kind",
            fix="cache activations.sites where it was trained (hooks.yaml), read as it was "
            "(manifest.window_seconds, activations.prompt), or set sae.allow_misaligned to go on "
            "with every output branded",
        )
    return f"{BRAND}: {'; '.join(lines)}"


def check_sparsity(name: str, config: SaeConfig, most: int) -> None:
    """Raise ModelError if a row of real activations had more active features than ``k``.

    That happens to a top-k autoencoder that is read as a plain ReLU.
    """
    if config.k is not None and most > config.k:
        raise ModelError(
            f"the autoencoder {name} is not as sparse as it says",
            found=f"{most} active features in one row",
            expected=f"at most k = {config.k}",
            fix="check activation_fn and k in its cfg.json",
        )
