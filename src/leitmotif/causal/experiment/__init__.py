"""Pieces continued under conditions: made, heard, compared with their baselines, and logged."""
