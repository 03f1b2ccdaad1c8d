"""The hidden halves of the exercises of lab 4."""
