"""The hidden verdicts of lab 3, classifier guidance, each with its mutants."""
