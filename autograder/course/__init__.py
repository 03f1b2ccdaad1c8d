"""The course: labs, cells, the instructor source, building notebooks, releases, what is published."""
