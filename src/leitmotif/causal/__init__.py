"""Interventions: change one thing while the model continues a piece, and measure what follows.

``targets`` says what can be changed, ``conditions`` how, ``runner`` makes the clips, ``measures``
compares each with its baseline, ``effects`` and ``verdict`` say what that means, ``log`` and
``replay`` keep it checkable.
"""
