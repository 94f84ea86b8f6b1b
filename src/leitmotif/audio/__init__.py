"""Decoding of audio files, and frame-wise features."""
