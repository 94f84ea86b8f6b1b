"""An audio tagger, which predicts the AudioSet labels of a clip.

It is the Audio Spectrogram Transformer (Gong, Chung, Glass, Interspeech 2021, arXiv 2104.01778) in
the implementation of `transformers`. The labels come from the checkpoint's config.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from leitmotif.arguments import as_texts
from leitmotif.audio.reading.samples import Clips, Samples
from leitmotif.errors import ModelError, counted
from leitmotif.judge.models.checkpoint import Fits, Judge, Loaded, is_one_of, is_within
from leitmotif.judge.models.clips import over_windows, prepare
from leitmotif.judge.models.spectra import FRAME, HOP, RATE, inputs_of
from leitmotif.precision import Undiminished

Logits = NDArray[np.floating]
"""[clips, labels] in the tagger's precision. Labels are not exclusive: a sigmoid gives the
probability of each label."""


class Tagger(Judge):
    """An audio tagger with named labels.

    A clip that is longer than the context is cut into windows (see
    ``leitmotif.judge.models.clips.windows``), whose logits are averaged; `transformers` would drop
    everything past the context. The feature extractor pads shorter clips.

    Parameters
    ----------
    loaded: the checkpoint, as ``from_pretrained`` reads it.
    name: folder or hub id, for messages.
    batch_size: windows that are scored at once.

    Raises ModelError for a checkpoint without names of labels, or whose extractor does not fit it.

    Example
    -------
    >>> import leitmotif
    >>> [piece] = leitmotif.compose(1, seed=3)
    >>> tagger = Tagger.from_pretrained("models/organism/judges/tagger", device="cpu")
    >>> chances = tagger.probabilities([piece.samples], piece.sample_rate)
    >>> chances[:, tagger.indices(["Guitar", "Piano"])].shape
    (1, 2)
    """

    model_type = "audio-spectrogram-transformer"
    model_class = "ASTForAudioClassification"

    def __init__(self, loaded: Loaded, name: str, *, batch_size: int) -> None:
        super().__init__(loaded, name, batch_size=batch_size)
        self.labels = _labels(loaded.model.config, name)
        """Names, in the order of the logits."""
        self.context_samples = FRAME + HOP * (loaded.extractor.max_length - 1)
        """Maximum length of a window, in samples at ``sample_rate``."""
        self._index = {label: number for number, label in enumerate(self.labels)}

    def _expected(self, extractor: Any, config: Any) -> Iterator[tuple[str, Fits]]:
        yield "sampling_rate", is_one_of(RATE)
        yield "max_length", is_one_of(config.max_length)
        yield "num_mel_bins", is_one_of(config.num_mel_bins)
        yield "do_normalize", is_one_of(True)
        yield "mean", is_within(-1000, 1000)
        yield "std", is_within(1e-3, 1000)

    def _try(self, clip: Samples) -> None:
        self._score([clip])

    @torch.inference_mode()
    def logits(self, clips: Clips, sample_rate: int | None = None) -> Logits:
        """Logits of clips.

        Parameters
        ----------
        clips
            See ``Clips``.
        sample_rate
            Of the clips, in Hz; None for clips that know their own, such as ``load_audio``'s.

        Returns
        -------
        Logits
            [clips, labels].

        Raises
        ------
        AudioError, ModelError
            If audio cannot be judged; see ``prepare``.
        """
        prepared = prepare(clips, sample_rate, self.sample_rate)
        size = self._batch_size
        scored = over_windows(prepared, self.context_samples, self._score, batch_size=size)
        return np.asarray(scored.cpu().numpy())

    def _score(self, pieces: list[Samples]) -> torch.Tensor:
        like = self._extractor
        bands, frames = like.num_mel_bins, like.max_length
        inputs = torch.from_numpy(inputs_of(pieces, bands, frames, like.mean, like.std))
        with Undiminished():
            scored: torch.Tensor = self._model(inputs.to(self._device, self._dtype)).logits
        return scored

    def probabilities(self, clips: Clips, sample_rate: int | None = None) -> Logits:
        """Compute the probability of each label by itself.

        Parameters
        ----------
        clips, sample_rate: as for ``logits``.

        Returns
        -------
        Probabilities [clips, labels].

        Raises AudioError and ModelError as ``logits`` does.
        """
        return np.asarray(torch.from_numpy(self.logits(clips, sample_rate)).sigmoid().numpy())

    def indices(self, labels: Sequence[str]) -> list[int]:
        """Find the columns of labels.

        Parameters
        ----------
        labels: names, as in ``labels`` of the tagger.

        Returns
        -------
        Their columns, in the same order.

        Raises ModelError, which names the labels that the tagger lacks.
        """
        if as_texts(labels) is None:
            raise ModelError(
                "these are no labels", found=f"{labels!r:.200}", expected="a list of their names"
            )
        unknown = [label for label in labels if label not in self._index]
        if unknown:
            raise ModelError(
                f"{self.name} has no label called {', '.join(map(repr, unknown))}",
                found=f"{counted(len(self.labels), 'label')}: {', '.join(self.labels[:8])}, …",
                expected="names as in AudioSet's ontology, such as 'Violin, fiddle'",
            )
        return [self._index[label] for label in labels]


def _labels(config: Any, name: str) -> tuple[str, ...]:
    labels = tuple(str(config.id2label.get(number, "")) for number in range(config.num_labels))
    unnamed = all(label == f"LABEL_{number}" for number, label in enumerate(labels))
    if unnamed or not all(labels) or len(set(labels)) < len(labels):
        raise ModelError(
            f"the labels of {name} have no names of their own",
            found=", ".join(labels[:4]),
            expected="id2label in config.json with AudioSet's names, each once",
            fix="name a checkpoint that has them",
        )
    return labels
