"""The hidden half of each exercise, with the answers on which the grader itself is tested beside it."""
