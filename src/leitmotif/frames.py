"""The grid of time on which codes, activations and features lie."""

FRAME_RATE = 50
"""Codec frames, and therefore decoder steps, per second of audio (MusicGen's 32 kHz EnCodec)."""
