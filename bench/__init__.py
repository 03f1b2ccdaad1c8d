"""Measurements of the grader and of the labs."""
