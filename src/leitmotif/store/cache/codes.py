"""Codes of audio, each encoded once: all readers of a recording ask here and get the same bytes.

EnCodec takes three times as long as the decoder's pass over the codes, and the same audio is read
for activations, by every compared model, for prefixes, by the leak check and for spliced loss.
"""

import hashlib
from pathlib import Path
from typing import Annotated, Final, Literal

import numpy as np
import torch
from pydantic import Field
from safetensors import safe_open
from torch import Tensor

from leitmotif.audio.reading.samples import Clip, Samples, as_clip
from leitmotif.files import sha256_json
from leitmotif.files.provenance import code_version, library_versions
from leitmotif.musicgen.protocol import MusicModel
from leitmotif.store.cache.entries import Entry, WorkCache
from leitmotif.tables.base import Sha256, Table
from leitmotif.tensors import serialise

FORMAT: Final = "leitmotif-codes/1"
FOLDER = "codes"
"""Name of the folder in the work cache."""
TENSOR = "codes"
"""Name of the one tensor in a file, int32 [K, T]."""


class CodesOrigin(Table):
    """Everything that decides codes: equal origins, equal codes."""

    format: Literal["leitmotif-codes/1"] = FORMAT
    codec_fingerprint: Sha256
    """Of the codec's weights and settings; models with the same codec share codes."""
    samples_sha256: Sha256
    """SHA-256 of the samples as float32, little-endian, after decoding and resampling."""
    samples: Annotated[int, Field(ge=1)]
    """How many there are."""
    dtype: str
    """Precision in which the codec computes."""
    device: str
    """``cpu``, or the GPU's name."""
    versions: str
    """Versions of the libraries that compute."""
    code_version: Sha256
    """SHA-256 of this package's modules that compute and write."""


class CachedCodec:
    """A model's codec that encodes no audio twice, in this process or another.

    Codes lie in the work cache below ``root``, at the address of what decides them: the samples
    themselves, the codec's weights, its precision, device and code. Codecs that differ in any of
    these never share codes; models with the same codec do. An entry is whole or not there, is
    verified each time that it is read, and is encoded anew where it is damaged. So a killed run and
    other processes do no harm.

    >>> codec = CachedCodec(model, Path(".leitmotif"))
    >>> codes = codec.encode_audio(samples)  # the same as model.encode_audio(samples)
    """

    def __init__(self, model: MusicModel, root: Path) -> None:
        self.sample_rate, self.samples_per_frame = model.sample_rate, model.samples_per_frame
        self.frame_rate = model.frame_rate
        self._model, self._cache = model, WorkCache(root / FOLDER)
        self._code_version = code_version(__name__)
        self._versions = library_versions()

    def encode_audio(self, audio: Clip) -> Tensor:
        """Encode a clip at ``sample_rate`` to codes [1, K, T], T whole frames.

        Raises AudioError as ``Codec.encode`` does, and StoreError on a full disk.
        """
        samples = as_clip(audio, self.sample_rate)
        origin = self.origin(samples)
        address = sha256_json(origin.model_dump(mode="json"))
        if entry := self._cache.find(address):
            return _read(entry).to(self._model.device)
        codes = self._model.encode_audio(samples)
        stored = codes[0].to("cpu", torch.int32).numpy()
        metadata = {name: str(value) for name, value in origin.model_dump().items()}
        self._cache.put(address, serialise({TENSOR: stored}, metadata))
        return codes

    def origin(self, samples: Samples) -> CodesOrigin:
        """Return everything that decides the codes of these samples."""
        device = self._model.device
        gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else None
        content = np.ascontiguousarray(samples, dtype="<f4")
        return CodesOrigin(
            codec_fingerprint=self._model.codec_fingerprint,
            samples_sha256=hashlib.sha256(content.data).hexdigest(),
            samples=len(content),
            dtype=str(self._model.dtype_beside).removeprefix("torch."),
            device=gpu or device.type,
            versions=self._versions,
            code_version=self._code_version,
        )


def _read(entry: Entry) -> Tensor:
    """Codes [1, K, T] of an entry, whose SHA-256 the cache has verified."""
    with safe_open(entry.path, framework="pt") as file:
        codes: Tensor = file.get_tensor(TENSOR)
    return codes.long()[None]
