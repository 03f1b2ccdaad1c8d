"""Lab 1: the hidden half of each exercise."""
