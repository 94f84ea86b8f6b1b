"""The whole pipeline over local servers, with random weights in the shapes of the real models.

    python -m benchmarks.rehearsal                    # the published shapes: hours on two cores
    python -m benchmarks.rehearsal --shapes small     # the same path in minutes; the tests run it

Servers on this machine speak the protocols of the model hub and of MTG-Jamendo. They hold MusicGen
small, five sparse autoencoders, CLAP and an audio tagger with random weights, and a shard of
synthesised recordings in which motifs return. The preset ``rehearsal`` differs from
``musicgen-small`` in numbers. A listener who knows where the motifs return decides the proposals.
So every stage downloads, verifies and computes what it would with the real models, and the seconds
and the peak memory of each are measured. What is found means nothing: the weights are random.
"""
