"""Reading recordings: containers, their lengths, and samples block by block."""
