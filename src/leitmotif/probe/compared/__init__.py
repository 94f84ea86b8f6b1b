"""Models that are probed beside the one under study."""
