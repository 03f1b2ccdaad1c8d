"""The command line: thin commands that call services and print the results. One module per group of commands."""

from autograder.cli.boundary import main

__all__ = ["main"]
