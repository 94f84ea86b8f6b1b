"""Training autoencoders on an activation store."""
