"""From what the search finds to the review queue, and how good the queue is."""
