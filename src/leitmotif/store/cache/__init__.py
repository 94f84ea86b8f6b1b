"""What interrupted runs and later stages take up again: finished results, and codes of audio."""
