"""The page of the swaps between concepts: what each component does, to see and to hear."""
