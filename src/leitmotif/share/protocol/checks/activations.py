"""Activation extraction: the tensors are complete, unharmed, of one kind, and of this code."""

from collections import defaultdict

from leitmotif.errors import counted
from leitmotif.files import sha256_file
from leitmotif.files.provenance import code_version
from leitmotif.pipeline import ACTIVATIONS
from leitmotif.share.protocol.inputs import Inputs, named
from leitmotif.share.protocol.lines import Outcome, failed, passed
from leitmotif.share.protocol.registry import check
from leitmotif.store.reading.integrity import verify

MAKER = "leitmotif.store.writing.build"
"""The module whose code version the headers have."""
COMMON = (
    "model",
    "revision",
    "model_fingerprint",
    "text_padding",
    "forward_dtype",
    "dtype",
    "device",
    "versions",
    "frame_rate",
    "hearing_seconds",
    "sample_rate",
    "code_version",
)
"""Fields of a header that are the same in all tensors."""
_REPRO = "dvc repro activations"


@check(
    "tensors",
    "There is a tensor for each site and track, as its index says",
    item="checklist: SHA-256 data integrity",
    stage="activations",
)
def tensors(inputs: Inputs) -> Outcome:
    """Compare sites and tracks, index, files and hashes."""
    sites = inputs.params.activations.sites
    wanted = {(site, track.track_id) for site in sites for track in inputs.tracks}
    stored = [tensor for row in inputs.index for tensor in row.stored]
    indexed = {(tensor.site, tensor.track_id) for tensor in stored}
    wrong = [f"{site}/{track} is missing" for site, track in sorted(wanted - indexed)]
    wrong += [f"{site}/{track} is in no setting" for site, track in sorted(indexed - wanted)]
    wrong += map(str, verify(ACTIVATIONS))
    wrong += [
        f"{row.file}: another SHA-256"
        for row in inputs.spread(inputs.index)
        if not wrong and sha256_file(ACTIVATIONS / row.file) != row.sha256
    ]
    if wrong:
        return failed(f"{ACTIVATIONS}: {named(wrong)}", _REPRO)
    return passed(
        f"{counted(len(wanted), 'tensor')}: {counted(len(sites), 'site')} of "
        f"{counted(len(inputs.tracks), 'track')}"
        f"{inputs.hashed(inputs.index)}"
    )


@check(
    "headers",
    "All tensors are of one model and precision, those of the settings",
    item="core solution: activation caching",
    stage="activations",
)
def headers(inputs: Inputs) -> Outcome:
    """Compare headers with each other, with params.yaml, and with the manifest."""
    by_tensor = inputs.headers
    values: dict[str, set[object]] = defaultdict(set)
    for header in by_tensor.values():
        for name in COMMON:
            values[name].add(getattr(header, name))
    mixed = [
        f"{name} ({named(sorted(map(str, each)))})"
        for name, each in values.items()
        if len(each) > 1
    ]
    if mixed:
        return failed(f"{ACTIVATIONS}: tensors differ in {'; '.join(mixed)}", _REPRO)
    first = next(iter(by_tensor.values()))
    model = inputs.params.model
    wanted = {
        "model": model.name,
        "revision": model.revision or "",
        "text_padding": model.text_padding,
        "forward_dtype": model.dtype,
        "dtype": inputs.params.activations.dtype,
    }
    wrong = [
        f"{name} {getattr(first, name)!r}, params.yaml {value!r}"
        for name, value in wanted.items()
        if getattr(first, name) != value
    ]
    unconditional = inputs.params.activations.prompt == "none"
    audio = {track.track_id: track.sha256 for track in inputs.tracks}
    for (site, track), header in by_tensor.items():
        if header.audio_sha256 != audio.get(track, header.audio_sha256):
            wrong.append(f"{site}/{track} is of other audio than the manifest's")
        if unconditional and header.prompt:
            wrong.append(f"{site}/{track} has a prompt, and activations.prompt is none")
    if wrong:
        return failed(f"{ACTIVATIONS}: {named(wrong)}", _REPRO)
    return passed(
        f"{len(by_tensor)} headers agree: {first.model}, {first.forward_dtype} stored as "
        f"{first.dtype}, {first.frame_rate:g} frames a second, {first.device}"
    )


@check(
    "code",
    "The tensors were made by this code",
    item="core solution: activation caching",
    stage="activations",
)
def code(inputs: Inputs) -> Outcome:
    """Compare the code version of the headers with that of the modules here."""
    here = code_version(MAKER)
    others = sorted({header.code_version for header in inputs.headers.values()} - {here})
    if others:
        shown = named([version[:12] for version in others])
        return failed(f"{ACTIVATIONS}: code version {shown}, here {here[:12]}", _REPRO)
    return passed(f"code version {here[:12]}")
