"""Methods that look for foresight, scored on organisms whose truth is planted.

A method is given one model and composed pieces, and says whether the model foresees, how far ahead
and where. ``study`` runs it on all models of ``models/zoo`` and writes its findings before it reads
what is true of them.
"""
