"""The version of the course: the only place that names it."""

VERSION = "0.1.0"
