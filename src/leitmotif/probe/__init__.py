"""Probes for future events: targets, controls, nested regression, nulls, calibration.

Arrays follow scikit-learn: X [rows, features], y [rows] or [rows, horizons], controls [rows, p],
groups [rows] naming each row's track. docs/probes.md derives the tests.
"""
