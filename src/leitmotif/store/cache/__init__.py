"""What interrupted runs and later stages take up again: finished tensors, and codes of audio."""
