"""People decide which proposals are motifs: the decision log, agreement, labels, and the web page.

The decisions in data/decisions/REVIEWER.jsonl are the truth, and git keeps them. Everything else
here (the SQLite index, the clips) is made from them, the proposals and the audio, and may be
deleted at any time.
"""
