"""Overwrite a file of utils."""

open("/course/utils/checks/__init__.py", "w").write("")
