"""Frames, steps, seconds and the manifest's windows, whatever the frame rate."""
