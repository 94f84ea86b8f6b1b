"""Where motifs return in a recording: proposals with a null, and the recurrence of given motifs."""
