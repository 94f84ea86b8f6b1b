"""From prompts to what cross-attention attends to: `transformers`' tokenizer and T5 encoder."""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from leitmotif.errors import ModelError
from leitmotif.precision import Undiminished

Padding = Literal["masked", "attended"]


def check_padding(padding: object, known: Sequence[str]) -> None:
    """Raise ModelError for a rule of pads that is not ``known``."""
    if not isinstance(padding, str) or padding not in known:
        raise ModelError(
            "unknown text_padding", found=f"{padding!r:.200}", expected=", ".join(known)
        )


class TextEncoder(nn.Module):
    """T5 and the projection to the decoder's width.

    ``padding`` is what becomes of pad tokens in a batch of prompts of unequal length:
    ``transformers`` masks them in cross-attention, audiocraft attends to zeros in their place. A
    model was trained under one rule; the logits of the two differ by about 0.3.
    """

    def __init__(
        self, tokenizer: Any, encoder: nn.Module, projection: nn.Module, padding: Padding
    ) -> None:
        super().__init__()
        self._tokenizer = tokenizer
        self.encoder, self.projection = encoder, projection
        self.padding = padding

    @torch.inference_mode()
    def forward(self, prompts: Sequence[str]) -> tuple[Tensor, Tensor | None]:
        """Return states [B, L, d] with zeros at pads, and the mask [B, L] where pads are masked.

        The mask is None where all tokens are attended to. Raises ModelError on a prompt that is
        empty, or for a model without a tokenizer.
        """
        if self._tokenizer is None:
            raise ModelError(
                "this checkpoint has no tokenizer, so it cannot read prompts",
                fix="put the tokenizer's files beside the weights, or use no prompts",
            )
        empty = [i for i, prompt in enumerate(prompts) if not prompt.strip()]
        if empty:
            raise ModelError(
                "a prompt is empty", found=f"rows {empty}", fix="pass prompts=None for no prompt"
            )
        odd = [i for i, prompt in enumerate(prompts) if not _is_text(prompt)]
        if odd:
            raise ModelError(
                "a prompt is no text",
                found=f"rows {odd} with half of a surrogate pair, which is no character",
            )
        batch = self._tokenizer(list(prompts), padding=True, return_tensors="pt")
        device = next(self.encoder.parameters()).device
        ids, mask = batch["input_ids"].to(device), batch["attention_mask"].to(device)
        with Undiminished():
            states = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        states = self.projection(states) * mask[..., None].to(states.dtype)
        unpadded = bool(mask.all())
        return states, None if self.padding == "attended" or unpadded else mask.bool()


def _is_text(prompt: str) -> bool:
    return prompt.encode("utf-8", "replace").decode() == prompt
