"""Checkpoints of models: found in a folder or on the hub, and their weights checked."""
