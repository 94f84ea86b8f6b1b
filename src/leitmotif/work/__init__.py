"""Long work: done side by side, with a line that says how far it is."""
