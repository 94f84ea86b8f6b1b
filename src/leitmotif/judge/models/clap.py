"""CLAP embeds audio and text in one space, in which a clip is near the words that describe it.

Wu et al., Large-scale contrastive language-audio pretraining with feature fusion and
keyword-to-caption augmentation, ICASSP 2023 (arXiv 2211.06687), by the classes of `transformers`.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from leitmotif.arguments import as_texts
from leitmotif.audio.reading.samples import Clips, Samples
from leitmotif.checkpoints.folders import reading_checkpoint
from leitmotif.errors import ModelError
from leitmotif.judge.models.checkpoint import Fits, Judge, Loaded, is_one_of, is_within
from leitmotif.judge.models.clips import check_judged, over_windows, prepare
from leitmotif.precision import Undiminished

Embeddings = NDArray[np.floating]
"""[n, width] in the judge's precision, with rows of norm 1, so a dot product is a cosine."""

UNLIKE = ("heavy metal with distorted guitars", "a calm solo piano", "a dog barking", "rain")
"""Unrelated sentences that any working text tower distinguishes."""
COLLAPSED = 0.99
"""Mean cosine among these sentences above which a text tower counts as broken. Others measured on
LAION's checkpoints: 0.18 and 0.29 in working checkpoints, 0.9993 in the broken one
(https://github.com/embeddings-benchmark/mteb/issues/5069)."""


_RATE, _MOST_FFT = 48_000, 65_536


class Clap(Judge):
    """A CLAP model that embeds clips and sentences.

    Every result is a function of the clip alone. The feature extractor of `transformers` takes a
    random crop of a clip that is longer than its context. Here such a clip is cut into windows (see
    ``leitmotif.judge.models.clips.windows``), whose embeddings are averaged and scaled to norm 1
    again. In fused checkpoints no window counts as longer than the context, so no random crops are
    fused. Shorter clips are padded as the checkpoint says, usually by repetition.

    Parameters
    ----------
    loaded: the checkpoint, as ``from_pretrained`` reads it.
    name: folder or hub id, for messages.
    batch_size: windows or sentences that are embedded at once.

    Raises ModelError for a tokenizer that is missing or tells no sentences apart, and for a feature
    extractor that does not fit the model.

    Example
    -------
    >>> import leitmotif
    >>> [piece] = leitmotif.compose(1, seed=3)
    >>> clap = Clap.from_pretrained("models/organism/judges/clap", device="cpu")
    >>> audio = clap.embed_audio([piece.samples], piece.sample_rate)
    >>> text = clap.embed_text(["a rock piece with a guitar melody", "a calm solo piano"])
    >>> (audio @ text.T).shape  # cosines [clips, sentences]
    (1, 2)
    """

    model_type = "clap"
    model_class = "ClapModel"

    def __init__(self, loaded: Loaded, name: str, *, batch_size: int) -> None:
        super().__init__(loaded, name, batch_size=batch_size)
        self.context_samples: int = loaded.extractor.nb_max_samples
        """Maximum length of a window, in samples at ``sample_rate``."""
        self.width: int = loaded.model.config.projection_dim
        """Size of an embedding."""
        self._tokenizer = _tokenizer(loaded.folder, name)
        # RoBERTa's positions start after the pad token's.
        text = loaded.model.config.text_config
        if text.pad_token_id != self._tokenizer.pad_token_id:
            raise ModelError(
                f"the tokenizer of {name} does not fit its model",
                found=f"pad_token_id {text.pad_token_id!r:.200} in text_config",
                expected=f"{self._tokenizer.pad_token_id}, as the tokenizer has it",
                fix="restore config.json and the tokenizer as the checkpoint was published",
            )
        positions = text.max_position_embeddings - text.pad_token_id - 1
        self._text_context = min(self._tokenizer.model_max_length, positions)

    def _expected(self, extractor: Any, config: Any) -> Iterator[tuple[str, Fits]]:
        audio = config.audio_config
        yield "sampling_rate", is_one_of(_RATE)
        yield "feature_size", is_one_of(audio.num_mel_bins)
        yield "fft_window_size", is_within(2, _MOST_FFT, whole=True)
        yield "hop_length", is_within(1, extractor.fft_window_size, whole=True)
        # The network folds at most so many frames of a spectrogram into its square image.
        frames = audio.spec_size * (audio.spec_size // audio.num_mel_bins)
        most_seconds = (frames - 1) * extractor.hop_length // _RATE
        yield "max_length_s", is_within(1, most_seconds, whole=True)
        yield "frequency_min", is_within(0, _RATE / 2 - 1)
        yield "frequency_max", is_within(extractor.frequency_min + 1, _RATE / 2)
        yield "padding", is_one_of("repeatpad", "repeat", "pad")
        yield "truncation", is_one_of("fusion" if audio.enable_fusion else "rand_trunc")

    def _try(self, clip: Samples) -> None:
        self._embed([clip])
        self._embed_text(UNLIKE[:1])

    @torch.inference_mode()
    def embed_audio(self, clips: Clips, sample_rate: int | None = None) -> Embeddings:
        """Embed clips.

        Parameters
        ----------
        clips
            See ``Clips``.
        sample_rate
            Of the clips, in Hz; None for clips that know their own, such as ``load_audio``'s.

        Returns
        -------
        Embeddings
            [clips, width], rows of norm 1.

        Raises
        ------
        AudioError, ModelError
            If audio cannot be judged; see ``prepare``.
        """
        prepared = prepare(clips, sample_rate, self.sample_rate)
        size = self._batch_size
        embedded = over_windows(prepared, self.context_samples, self._embed, batch_size=size)
        return _unit(embedded, "clip")

    def _embed(self, pieces: list[Samples]) -> torch.Tensor:
        inputs = self._extractor(pieces, sampling_rate=self.sample_rate, return_tensors="pt")
        features = inputs["input_features"].to(self._device, self._dtype)
        # The extractor marks a random window as longer than the context if none is.
        longer = torch.zeros(len(pieces), 1, dtype=torch.bool, device=self._device)
        with Undiminished():
            out = self._model.get_audio_features(input_features=features, is_longer=longer)
        return _pooled(out)

    @torch.inference_mode()
    def embed_text(self, sentences: Sequence[str]) -> Embeddings:
        """Embed sentences.

        Parameters
        ----------
        sentences: none of them empty. Text past the context of the text tower (512 tokens in
            LAION's checkpoints) is cut off.

        Returns
        -------
        Embeddings [sentences, width], rows of norm 1.

        Raises ModelError if there is no sentence or an empty one, or if the text tower gives every
        sentence the same embedding, so that a similarity to a prompt means nothing.
        """
        if self.text_collapse > COLLAPSED:
            raise ModelError(
                f"the text tower of {self.name} tells no sentences apart",
                found=f"a mean cosine of {self.text_collapse:.4f} among {len(UNLIKE)} sentences "
                "that have nothing in common",
                expected=f"at most {COLLAPSED}",
                fix="use another checkpoint, such as laion/larger_clap_general, or compare audio "
                "with audio only",
            )
        return self._embed_text(sentences)

    def _embed_text(self, sentences: Sequence[str]) -> Embeddings:
        if not as_texts(sentences) or not all(sentence.strip() for sentence in sentences):
            raise ModelError(
                "these sentences cannot be embedded",
                found=f"{sentences!r:.200}",
                expected="a list of sentences, none of them empty",
            )
        rows = []
        for first in range(0, len(sentences), self._batch_size):
            some = list(sentences[first : first + self._batch_size])
            tokens = self._tokenizer(
                some,
                padding=True,
                truncation=True,
                max_length=self._text_context,
                return_tensors="pt",
            )
            with Undiminished():
                out = self._model.get_text_features(
                    input_ids=tokens["input_ids"].to(self._device),
                    attention_mask=tokens["attention_mask"].to(self._device),
                )
            rows.append(_pooled(out))
        embedded = torch.cat(rows)
        return _unit(embedded, "sentence")

    @cached_property
    def text_collapse(self) -> float:
        """Mean cosine among unrelated sentences, near 1 in a broken text tower.

        The text tower of `laion/larger_clap_music`, as converted for `transformers`, is broken.
        """
        with torch.inference_mode():
            texts = self._embed_text(UNLIKE)
        pairs = combinations(range(len(texts)), 2)
        return float(np.mean([texts[a] @ texts[b] for a, b in pairs]))

    def logits(self, audio: Embeddings, text: Embeddings) -> NDArray[np.floating]:
        """Compare clips with sentences: cosines times the model's own scale.

        A softmax over a row gives probabilities of the sentences, as in zero-shot classification.

        Parameters
        ----------
        audio: embeddings [clips, width] of ``embed_audio``.
        text: embeddings [sentences, width] of ``embed_text``.

        Returns
        -------
        Logits [clips, sentences].

        Raises ModelError for what are no such embeddings, and for NaN.
        """
        for name, rows in (("audio", audio), ("text", text)):
            array = rows if isinstance(rows, np.ndarray) else np.empty(0)
            fits = array.dtype.kind == "f" and array.ndim == 2 and array.shape[1] == self.width
            if not fits or not np.isfinite(array).all():
                raise ModelError(
                    f"these are no embeddings of {name}",
                    found=f"{rows!r:.200}",
                    expected=f"finite numbers [rows, {self.width}], as embed_{name} returns them",
                )
        scale = float(self._model.logit_scale_a.exp())
        return np.asarray(scale * audio @ text.T)


def _tokenizer(folder: Path, name: str) -> Any:
    from transformers import AutoTokenizer

    with reading_checkpoint(
        name, expected="the tokenizer's files beside the weights", fix="add tokenizer.json"
    ):
        tokenizer = AutoTokenizer.from_pretrained(folder)
    # Where the files are missing, transformers makes a tokenizer that knows no words.
    read = {tuple(ids) for ids in tokenizer(list(UNLIKE))["input_ids"]}
    if len(read) < len(UNLIKE):
        raise ModelError(
            f"the tokenizer of {name} tells no sentences apart",
            found=f"a vocabulary of {len(tokenizer)}",
            expected="tokenizer.json, or vocab.json and merges.txt, beside the weights",
            fix="save the tokenizer into the same folder",
        )
    return tokenizer


def _pooled(out: Any) -> torch.Tensor:
    # transformers before 5 returned the projected embedding itself.
    return getattr(out, "pooler_output", out)


def _unit(rows: torch.Tensor, what: str) -> Embeddings:
    """Rows of norm 1; raises ModelError for one that has no direction, or too large a norm."""
    units = rows / rows.norm(dim=-1, keepdim=True)
    check_judged(torch.where(units.any(-1, keepdim=True), units, torch.nan), what)
    return np.asarray(units.cpu().numpy())
