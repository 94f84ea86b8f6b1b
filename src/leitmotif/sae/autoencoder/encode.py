"""Encoding a store: one sparse file a track, in constant memory.

A dense matrix of 32,768 features takes 197 MB for 30 s of music; the 100 features a step that are
active take 1.2 MB. Only some rows are dense at a time (``model.CHUNK_VALUES``), and only one track
is in memory.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Literal, Self

import torch
from pydantic import Field, ValidationError
from safetensors import SafetensorError
from torch import Tensor

from leitmotif.errors import StoreError
from leitmotif.sae.autoencoder.alignment import (
    Mismatch,
    check_sparsity,
    compare,
    compare_reading,
    require_alignment,
)
from leitmotif.sae.autoencoder.codes import Codes
from leitmotif.sae.autoencoder.model import SparseAutoencoder
from leitmotif.sae.autoencoder.registry import Hook
from leitmotif.sae.autoencoder.used import UsedSae
from leitmotif.store.reading import ActivationStore
from leitmotif.tables.base import Sha256, Table, TrackId
from leitmotif.tensors import open_tensors, with_digits, write_tensors
from leitmotif.timing.frames import FrameRate, Timing
from leitmotif.work.engine import workers_on
from leitmotif.work.parallel import in_processes

FORMAT: Literal["leitmotif-features/1"] = "leitmotif-features/1"
_TENSORS = ["indices", "offsets", "values"]


class FeatureHeader(Table):
    """The metadata of an encoded track."""

    format: Literal["leitmotif-features/1"] = FORMAT
    hook: str
    """Entry of hooks.yaml."""
    site: str
    """Where the activations were read."""
    track_id: TrackId
    frames: Annotated[int, Field(ge=1)]
    frame_rate: FrameRate
    """Rows per second of audio, and below how far the codec hears: as the activations'."""
    hearing_seconds: Annotated[float, Field(ge=0)]
    d_sae: Annotated[int, Field(ge=1)]
    weights_sha256: Sha256
    """SHA-256 of the autoencoder's sae_weights.safetensors."""
    activations_address: Sha256
    """Address of the work that made the activations."""
    misaligned: str
    """Empty, or what does not match: the file is then no evidence about the site."""

    @property
    def timing(self) -> Timing:
        """Where the rows lie in the audio of each window."""
        return Timing(self.frame_rate, self.hearing_seconds)

    def to_metadata(self) -> dict[str, str]:
        """Return safetensors metadata."""
        return {key: str(value) for key, value in self.model_dump().items()}

    @classmethod
    def from_metadata(cls, metadata: dict[str, str], *, file: Path) -> Self:
        """Read safetensors metadata; raises StoreError naming the bad field."""
        try:
            return cls.model_validate(metadata)
        except ValidationError as error:
            problem = error.errors()[0]
            raise StoreError(
                f"{file} has a header of another kind",
                found=f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}",
                expected=f"the fields of {FORMAT}",
                fix="run `dvc repro sae`, or `dvc checkout` the file",
            ) from error


@dataclass
class Encoded:
    """What encoding a site gave, over all tracks."""

    hook: str
    misaligned: str | None
    frames: int = 0
    active: int = 0
    """Feature activations in all frames."""
    most: int = 0
    """Most active features in one frame."""
    bytes: int = 0

    @property
    def l0(self) -> float:
        """Mean number of active features a frame."""
        return self.active / max(self.frames, 1)


def encode_each(
    used: Sequence[UsedSae], store: ActivationStore, out: Path, *, allow_misaligned: bool = False
) -> Iterator[Encoded]:
    """Encode the site that each autoencoder is given, on all processors; see ``encode_site``."""
    encode = partial(_encode, store, out, allow_misaligned)
    return in_processes(encode, used, workers=workers_beside(each.sae for each in used))


def workers_beside(saes: Iterable[SparseAutoencoder]) -> int | None:
    """Processes that share work with autoencoders, of which all are on one device."""
    return workers_on(next((sae.W_enc.device.type for sae in saes), "cpu"), None)


def _encode(store: ActivationStore, out: Path, allow_misaligned: bool, used: UsedSae) -> Encoded:
    return encode_site(
        used.sae, used.hook, store, out, site=used.site, allow_misaligned=allow_misaligned
    )


def encode_site(
    sae: SparseAutoencoder,
    hook: Hook,
    store: ActivationStore,
    out: Path,
    *,
    site: str | None = None,
    allow_misaligned: bool = False,
) -> Encoded:
    """Encode all tracks of a site (default: the one the registry declares) into ``out``.

    Writes ``out/{hook}/{track_id}.safetensors``. Every track's header is compared with the
    autoencoder before its tensor is used. Raises ModelError for a mismatch (both sides shown) or a
    top-k autoencoder that is not sparse, and StoreError.
    """
    site = site or hook.site
    result = Encoded(hook.name, None)
    for track_id in store.tracks(site):
        header = store.header(site, track_id)
        array = store.load(site, track_id)
        mismatches: list[Mismatch] = compare(hook, sae.config, header, array.shape[1])
        mismatches += compare_reading(hook, header)
        brand = require_alignment(hook.name, mismatches, allow_misaligned=allow_misaligned)
        codes = sae.encode(torch.from_numpy(array).to(sae.W_enc.device))
        most = int(codes.l0.max()) if codes.rows else 0
        check_sparsity(hook.name, sae.config, most)
        path = out / hook.name / f"{track_id}.safetensors"
        write_codes(
            path,
            codes,
            FeatureHeader(
                hook=hook.name,
                site=header.site,
                track_id=track_id,
                frames=codes.rows,
                frame_rate=header.frame_rate,
                hearing_seconds=header.hearing_seconds,
                d_sae=sae.config.d_sae,
                weights_sha256=hook.checkpoint.sha256,
                activations_address=header.address,
                misaligned=brand or "",
            ),
        )
        result.misaligned = result.misaligned or brand
        result.frames += codes.rows
        result.active += len(codes.values)
        result.most = max(result.most, most)
        result.bytes += path.stat().st_size
    return result


def write_codes(path: Path, codes: Codes, header: FeatureHeader) -> None:
    """Write features as int32, activations as float32, offsets as int64; atomically.

    Activations keep 16 binary digits, which do not depend on the processor.
    """
    tensors = {
        "indices": codes.indices.to(torch.int32).cpu().numpy(),
        "values": with_digits(codes.values.cpu().numpy()),
        "offsets": codes.offsets.cpu().numpy(),
    }
    write_tensors(path, tensors, header.to_metadata())


def read_codes(path: Path) -> tuple[Codes, FeatureHeader]:
    """Read an encoded track; raises StoreError for a missing, torn or foreign file."""
    restore = "run `dvc repro sae`, or `dvc checkout` the file"
    try:
        with open_tensors(path, "pt") as file:
            names, metadata = sorted(file.keys()), file.metadata() or {}
            if names != _TENSORS:
                raise StoreError(
                    f"{path} has other tensors", found=names, expected=_TENSORS, fix=restore
                )
            tensors = {name: file.get_tensor(name) for name in names}
    except FileNotFoundError:
        raise StoreError(f"{path} is missing", fix=restore) from None
    except (SafetensorError, OSError) as error:
        raise StoreError(f"{path} cannot be read", found=error, fix=restore) from error
    header = FeatureHeader.from_metadata(metadata, file=path)
    problem = _problem(tensors, header.d_sae)
    if problem:
        raise StoreError(f"{path} holds no features", found=problem, fix=restore)
    return Codes(tensors["indices"].long(), tensors["values"], tensors["offsets"]), header


def _problem(tensors: Mapping[str, Tensor], features: int) -> str:
    """What contradicts that these are rows of features with their activations; empty if nothing."""
    indices, values, offsets = (tensors[name] for name in ("indices", "values", "offsets"))
    kinds = (indices.dtype, values.dtype, offsets.dtype)
    if kinds != (torch.int32, torch.float32, torch.int64):
        return f"types {kinds}"
    if not indices.ndim == values.ndim == offsets.ndim == 1 or len(indices) != len(values):
        return f"shapes {[tuple(tensor.shape) for tensor in (indices, values, offsets)]}"
    whole = len(offsets) > 0 and int(offsets[0]) == 0 and int(offsets[-1]) == len(indices)
    if not whole or (offsets.diff() < 0).any():
        return "offsets that do not part the entries into rows"
    if len(indices) and not 0 <= int(indices.min()) <= int(indices.max()) < features:
        return f"features {int(indices.min())} to {int(indices.max())} of {features}"
    return "" if values.isfinite().all() else "NaN or infinity"
