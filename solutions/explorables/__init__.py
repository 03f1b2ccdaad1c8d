"""What the explorables of `utils.explorables` need from the labs' own answers: stored samples, and Python's numbers."""
