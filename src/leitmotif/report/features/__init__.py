"""Pages of single features: when a feature fires, what it hears, and what it may foresee.

The pages show for music what Neuronpedia, and before it the dashboards of Bricken et al. 2023
("Towards Monosemanticity"), show for language models: top-activating moments as sound, moments from
lower bands so that the top does not mislead, density, and decoder neighbours. They add this
project's question: the feature's activity before recurrences, compared with other tracks at the
same places.

Everything is read track by track. Memory grows with the number of features and the length of a
context, not with the number of tracks.
"""
