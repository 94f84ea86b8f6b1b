"""Music composed here, in which a cue decides early whether a motif returns at least 5 s later.

A piece is a few bars of equal notes: the motif, a cue of bells, the motif again, filler, and slots.
Each part of the cue says of one slot whether the motif returns there. The slots' truth is therefore
known from the score, and so is the counterfactual: the same piece under the other cue.
"""
