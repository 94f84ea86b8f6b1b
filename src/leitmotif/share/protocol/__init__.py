"""The activation extraction and SAE alignment protocol, checked on the repository as it is.

Each line is one check of ``checks``; docs/protocol.md has all of them.
"""
