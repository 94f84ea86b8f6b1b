"""Building a corpus of each kind, its recordings verified before they are used."""
