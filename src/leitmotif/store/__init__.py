"""The activation store: written once per experiment, read by every later stage."""
