"""The errors that a person can cause or cure. The command line prints their sentence and ends with their exit code."""

from __future__ import annotations


class AutograderError(Exception):
    """Raised with a sentence for a person; the base of all errors of this package."""

    exit_code = 2  # wrong input


class NoSuchLab(AutograderError, KeyError):
    """Raised when no lab has this name. The message lists the labs that exist."""

    def __str__(self) -> str:  # a KeyError prints its message in quotes
        return str(self.args[0]) if self.args else ""


class SourceError(AutograderError, ValueError):
    """Raised when the percent source of a lab breaks a convention."""


class ScaffoldError(AutograderError, ValueError):
    """Raised when the files of a new exercise or lab cannot be written."""


class NotANotebook(AutograderError, ValueError):
    """Raised when a file is not a notebook of this course."""


class BadArchive(AutograderError, ValueError):
    """Raised when an archive cannot be read or is hostile."""


class GradebookError(AutograderError, RuntimeError):
    """Raised when the gradebook cannot be used."""


class ExportError(AutograderError, RuntimeError):
    """Raised when nothing could be exported."""


class SandboxError(AutograderError, RuntimeError):
    """Raised when the sandbox does not work: the machine is at fault and not the student. Nothing is stored or graded."""

    exit_code = 3
