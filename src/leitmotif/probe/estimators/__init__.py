"""Estimators and tests: nested regression, partial effects, nulls, and the naive pipeline."""
