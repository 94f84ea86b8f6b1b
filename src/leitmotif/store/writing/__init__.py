"""Writing a store: the model reads each track, and its activations are kept."""
