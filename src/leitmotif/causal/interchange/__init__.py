"""Interchange interventions by lead time and site, on pieces that are read and not sampled."""
