"""Typed rows of the tables that stages hand each other: data/*.jsonl, one JSON object a line.

A stage writes what it found as rows of these models; later stages and the report read them by
attribute. Metrics are a small selection of the same rows, for reviewers; no stage reads them.
"""
