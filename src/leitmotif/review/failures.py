"""What a review refuses or cannot do; the server answers each kind with a status of its own."""

from leitmotif.errors import ReviewError


class NotFoundError(ReviewError):
    """There is no such item, clip or track."""


class RefusedError(ReviewError):
    """The request cannot be carried out as it is."""


class ConflictError(ReviewError):
    """The decision contradicts one that stands, or undoes one that does not."""


class LockedError(ReviewError):
    """Another program holds the index."""


class NotSavedError(ReviewError):
    """The decision could not be written to the disk."""
