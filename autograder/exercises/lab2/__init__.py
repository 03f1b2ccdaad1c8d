"""Lab 2: the hidden half of each exercise, and the answers on which it is tested."""
