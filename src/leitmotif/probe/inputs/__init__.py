"""The rows of an experiment: targets, controls, and where they come from."""
