"""Functions of ``import leitmotif`` that only notebooks call: one piece composed, one searched."""
