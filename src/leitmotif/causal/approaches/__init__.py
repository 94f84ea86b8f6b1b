"""The approaches that are compared: each searches for features, and its choice is tested."""
