"""The one place where an error becomes a sentence and an exit code."""

from __future__ import annotations

import os
import sys
import traceback

import click

from autograder.cli import authors, classes, notebooks, stores
from autograder.cli.group import Invocation, autograder
from autograder.errors import AutograderError, ExitCode

NAME = "autograder"
COMPLETION = "_AUTOGRADER_COMPLETE"
RESUMABLE = ("grade", "validate", "build")  # the same command continues where it stopped

for module in (notebooks, classes, stores, authors):
    for command in module.COMMANDS:
        autograder.add_command(command)


def main(arguments: list[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: the words after `autograder`; those of the process by default.

    Returns:
        The exit code, one of `ExitCode`.
    """
    if COMPLETION in os.environ:
        autograder.main(prog_name=NAME)  # click answers the shell and ends the process
    invocation = Invocation()
    words = sys.argv[1:] if arguments is None else list(arguments)
    try:
        with autograder.make_context(NAME, words, obj=invocation) as context:
            code = autograder.invoke(context)
        sys.stdout.flush()  # a pipe that the reader closed is noticed here, and not while Python exits
        return int(code or ExitCode.DONE)
    except BaseException as error:
        if invocation.debug and not isinstance(error, click.exceptions.Exit | SystemExit):
            traceback.print_exc()
        return explain(error, invocation)


def explain(error: BaseException, invocation: Invocation) -> int:
    """Print a sentence about an error and return the exit code."""
    match error:
        case click.exceptions.Exit():
            return error.exit_code
        case click.ClickException():
            error.show()
            return error.exit_code
        case BrokenPipeError():
            # The reader of the output, such as `head`, has closed it. Python would complain again while it exits.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return ExitCode.MISSED
        case KeyboardInterrupt() | click.Abort():
            more = " Run the same command again to continue." if invocation.command in RESUMABLE else ""
            say(f"\nStopped.{more}")
            return ExitCode.INTERRUPTED
        case SystemExit():  # rich ends this way where the output is closed
            return error.code if isinstance(error.code, int) else ExitCode.MISSED
        case AutograderError():
            say(str(error))
            return error.exit_code
        case OSError():  # a missing folder, a full disk, no permission, no scheduler
            say(f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error))
            return ExitCode.WRONG_INPUT
        case _:
            what = " ".join(f"{type(error).__name__}: {error}".split())
            hint = "" if invocation.debug else " Run it again with --debug, and report what it prints."
            say(f"This is a defect of the grader: {what[:300]}.{hint}")
            return ExitCode.MISSED


def say(sentence: str) -> None:
    """Print a sentence on standard error, which may be closed too."""
    try:
        print(sentence, file=sys.stderr, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
