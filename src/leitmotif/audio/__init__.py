"""From encoded files to samples and frame-wise features."""
