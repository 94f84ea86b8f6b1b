"""Sharing results: DVC remotes and their audit, comparison of revisions, publication, the check."""
