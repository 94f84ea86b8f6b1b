"""Functions of ``import leitmotif`` that only notebooks call: pieces, proposals, sound, plots."""
