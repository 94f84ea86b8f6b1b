"""What a stored tensor says of itself, and the address of the work that makes it."""

import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Final, Literal, Self

from pydantic import Field, ValidationError

from leitmotif.errors import StoreError
from leitmotif.files import sha256_json
from leitmotif.tables.base import Sha256, Table, TrackId
from leitmotif.tables.corpus import Window
from leitmotif.timing.frames import FrameRate, Timing

FORMAT: Final = "leitmotif-activations/1"
TENSOR = "activations"
"""Name of the one tensor in a file."""
SHARD_FORMAT: Final = "leitmotif-shard/1"
_SHARD_FORMAT_KEY = ".format"
"""In the metadata of a shard; the other keys are tracks, whose ids have no full stop."""


class TensorOrigin(Table):
    """Everything that decides a tensor's bytes: equal origins, equal bytes."""

    format: Literal["leitmotif-activations/1"] = FORMAT
    model: str
    """Hub id or folder, as in params.yaml."""
    revision: str
    """Commit of the hub repository; empty for a folder."""
    model_fingerprint: Sha256
    """SHA-256 of all weights and sizes."""
    site: str
    """Canonical name, such as layers.5.residual."""
    track_id: TrackId
    audio_sha256: Sha256
    """SHA-256 of the recording's file."""
    windows: Annotated[list[Window], Field(min_length=1)]
    """Stretches of audio, each read in a context of its own."""
    prompt: str
    """Text that conditioned the model; empty for an unconditional pass."""
    text_padding: str
    forward_dtype: str
    """Precision of the forward pass."""
    dtype: Literal["float16", "float32"]
    """Precision of the stored tensor."""
    device: str
    """``cpu``, or the GPU's name."""
    versions: str
    """Versions of the libraries that decode, resample and compute."""
    code_version: Sha256
    """SHA-256 of this package's modules that decode, compute and write."""


def address_of(origin: TensorOrigin) -> str:
    """SHA-256 of all fields (64 hex): where the work cache keeps the finished tensor."""
    return sha256_json(origin.model_dump(mode="json"))


class Header(TensorOrigin):
    """The metadata of a tensor's file.

    ``windows`` are here those that were read, in the model's frames: the last frames of a window
    are missing where the audio ends a little before its stated duration.
    """

    frames: Annotated[int, Field(ge=1)]
    """Rows of the tensor: the frames of all windows."""
    frame_rate: FrameRate
    """Rows per second of audio: the model's."""
    hearing_seconds: Annotated[float, Field(ge=0)]
    """How far past a frame's end the model's codec hears."""
    sample_rate: int
    """Hz, of the audio that the model read."""
    address: Sha256
    """``address_of`` the origin."""

    @property
    def timing(self) -> Timing:
        """Where the tensor's rows lie in each window's audio."""
        return Timing(self.frame_rate, self.hearing_seconds)

    def to_metadata(self) -> dict[str, str]:
        """Return safetensors metadata: text as it is, other values as JSON."""
        fields = self.model_dump(mode="json")
        return {
            name: value if isinstance(value, str) else json.dumps(value, sort_keys=True)
            for name, value in fields.items()
        }

    @classmethod
    def from_metadata(cls, metadata: dict[str, str], *, file: object) -> Self:
        """Read safetensors metadata; raises StoreError naming ``file`` and the bad field."""
        try:
            fields = {
                name: json.loads(value) if name in _JSON_FIELDS else value
                for name, value in metadata.items()
            }
            return cls.model_validate(fields)
        except (ValidationError, json.JSONDecodeError) as error:
            found = str(error)
            if isinstance(error, ValidationError):
                problem = error.errors()[0]
                found = f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
            raise StoreError(
                f"{file} has a header of another kind",
                found=found,
                expected=f"the fields of {FORMAT}",
                fix="run `dvc repro activations`, or `dvc checkout` the file",
            ) from error


_JSON_FIELDS = ("windows", "frames", "frame_rate", "hearing_seconds", "sample_rate")


def shard_metadata(headers: Iterable[Header]) -> dict[str, str]:
    """Metadata of a shard: its format, and under the name of each tensor, its track, its header."""
    own = {header.track_id: json.dumps(header.to_metadata(), sort_keys=True) for header in headers}
    return {_SHARD_FORMAT_KEY: SHARD_FORMAT} | own


def is_shard(metadata: Mapping[str, str], *, file: object) -> bool:
    """Whether metadata are those of a shard; raises StoreError for one of another version."""
    stated = metadata.get(_SHARD_FORMAT_KEY, SHARD_FORMAT)
    if stated != SHARD_FORMAT:
        raise StoreError(
            f"{file} is a shard of another version",
            found=stated,
            expected=SHARD_FORMAT,
            fix="read it with the leitmotif that wrote it, or run `dvc repro activations`",
        )
    return _SHARD_FORMAT_KEY in metadata


def header_in_shard(metadata: Mapping[str, str], name: str) -> dict[str, str]:
    """Metadata of one tensor in a shard, as ``Header.from_metadata`` reads them; may be empty."""
    try:
        fields = json.loads(metadata.get(name, ""))
    except json.JSONDecodeError:
        return {}
    return fields if isinstance(fields, dict) else {}
