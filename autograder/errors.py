"""The errors that a person can cause or fix. The command line prints their sentence and ends with their exit code."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of every command. `meaning` is what `--help` says of each."""

    meaning: str

    def __new__(cls, value: int, meaning: str) -> ExitCode:
        """Make a member that is an integer and carries its meaning."""
        member = int.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    DONE = 0, "done"
    MISSED = 1, "something was missed, for example nothing was graded or a wrong answer was not caught"
    WRONG_INPUT = 2, "wrong input"
    NO_SANDBOX = 3, "no sandbox"
    INTERRUPTED = 130, "interrupted"


class AutograderError(Exception):
    """Base of all errors of this package. The message is a sentence for a person."""

    exit_code = ExitCode.WRONG_INPUT


class NoSuchLab(AutograderError, KeyError):
    """Raised when no lab has this name. The message lists the labs that exist."""

    def __str__(self) -> str:  # a KeyError prints its message in quotes
        return str(self.args[0]) if self.args else ""


class NoSuchExercise(AutograderError):
    """Raised when no exercise has this name. The message lists the exercises that exist."""


class OptionError(AutograderError):
    """Raised when the options of a command contradict each other."""


class SourceError(AutograderError, ValueError):
    """Raised when the percent source of a lab breaks a convention. The message names file and line."""


class BuildError(AutograderError, RuntimeError):
    """Raised when a notebook, the release or the wheel cannot be built from a source that was read."""

    exit_code = ExitCode.MISSED


class ReleaseError(AutograderError, RuntimeError):
    """Raised when an archived release is damaged."""


class ScaffoldError(AutograderError, ValueError):
    """Raised when the files of a new exercise or lab cannot be written."""


class NotANotebook(AutograderError, ValueError):
    """Raised when a file is not a notebook of this course."""


class BadArchive(AutograderError, ValueError):
    """Raised when an archive cannot be read or is hostile."""


class GradebookError(AutograderError, RuntimeError):
    """Raised when the gradebook cannot be used."""


class CourseLocked(GradebookError):
    """Raised when another run is working on the course. The message says which."""

    exit_code = ExitCode.MISSED


class StoreError(AutograderError, RuntimeError):
    """Raised when the store of runs cannot be used."""


class SecretError(AutograderError, RuntimeError):
    """Raised when the course's secret protects nothing. The message has the command that fixes it."""


class ExportError(AutograderError, RuntimeError):
    """Raised when nothing could be exported."""


class MissingPackage(AutograderError, ImportError):
    """Raised when a command needs a package of an extra that is not installed."""

    def __init__(self, extra: str, package: str):
        super().__init__(f'{package} is not installed. Install it with: pip install "guidance-labs[{extra}]"')


class SandboxError(AutograderError, RuntimeError):
    """Raised when the sandbox does not work. The machine is at fault, not the student: nothing is stored or graded."""

    exit_code = ExitCode.NO_SANDBOX


class NoWorkers(AutograderError, RuntimeError):
    """Raised when a scheduler has no worker that can run a notebook."""


class MachineTooBusy(SandboxError):
    """Raised when other work on the machine made a run too long several times. The message says what to do."""
