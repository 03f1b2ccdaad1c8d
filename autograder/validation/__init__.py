"""Test the grader itself: the kill matrix, its report, the long run, generic mutants."""
