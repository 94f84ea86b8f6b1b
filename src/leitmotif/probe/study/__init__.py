"""The probing experiment of a run, with its check for leaks of the future."""
