"""Pages of single features: when a feature fires, what it hears, and what it may foresee.

What Neuronpedia shows of a feature of a language model, and the dashboards of Bricken et al. 2023
("Towards Monosemanticity") before it, for music: top-activating moments as sound, moments from
lower bands so that the top does not mislead, density, decoder's neighbours. To that comes what this
project asks: the feature's activity before recurrences, against other tracks at the same places.

Everything is read track by track; what is kept grows with the features shown and the length of a
context, not with the number of tracks.
"""
