"""Review of proposals by people: decision log, agreement, labels, and the web page.

The decisions in data/decisions/REVIEWER.jsonl, kept in git, are authoritative. Everything else (the
SQLite index, the clips) is made from them, the proposals and the audio, and may be deleted at any
time.
"""
