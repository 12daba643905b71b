"""Scoring files: one judge per kind of task reads a prediction and its truth, compares them and sums up."""
