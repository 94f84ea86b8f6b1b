"""Errors of a review; the server answers each kind with its own status."""

from leitmotif.errors import ReviewError


class NotFoundError(ReviewError):
    """There is no such item, clip or track."""


class RefusedError(ReviewError):
    """The request cannot be carried out as it is."""


class ConflictError(ReviewError):
    """The decision contradicts a current decision, or undoes a decision that is not current."""


class LockedError(ReviewError):
    """Another program holds the index."""


class NotSavedError(ReviewError):
    """The decision could not be written to the disk."""
