"""Judges of generated audio: CLAP, an audio tagger, and measures computed from their outputs."""
