"""Read the sources and results of all cells so far."""

print(In[-1], Out)
