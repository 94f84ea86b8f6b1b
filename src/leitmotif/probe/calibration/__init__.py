"""Error rates and power of the tests, on features of which the truth is known."""
