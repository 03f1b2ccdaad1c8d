"""The command `autograder`, and the options that several commands share. It imports nothing heavy, so help is fast."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from autograder import ROOT
from autograder.errors import ExitCode
from utils.version import VERSION

PATH = click.Path(path_type=Path)
EPILOG = (
    "Exit codes: "
    + " · ".join(f"{code.value} {code.meaning}" for code in ExitCode)
    + ".\n\nShell completion: put this into ~/.bashrc (zsh and fish have zsh_source and fish_source): "
    'eval "$(_AUTOGRADER_COMPLETE=bash_source autograder)"'
)


@dataclass
class Invocation:
    """The state of one invocation, for the error handler."""

    debug: bool = False
    command: str = ""


def switch_debug_on(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    """Remember `--debug`, at any place on the command line."""
    if value:
        context.find_root().obj.debug = True


def debug_option() -> click.Option:
    """Return a new option `--debug`."""
    words = "Show the traceback of an error."
    return click.Option(["--debug"], is_flag=True, expose_value=False, callback=switch_debug_on, help=words)


class Command(click.Command):
    """A command that also accepts `--debug` after its name."""

    def __init__(self, *args: Any, **options: Any):
        super().__init__(*args, **options)
        self.params.append(debug_option())


class Group(click.Group):
    """The group of all commands."""

    command_class = Command

    def __init__(self, *args: Any, **options: Any):
        super().__init__(*args, **options)
        self.params.append(debug_option())


def show_version(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    """Print the version and end."""
    if value and not context.resilient_parsing:
        click.echo(f"autograder {VERSION}")
        context.exit()


@click.group(cls=Group, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=show_version,
    help="Show the version and exit.",
)
@click.pass_context
def autograder(context: click.Context) -> None:
    """Grade notebooks of the course, and build and test its labs."""
    context.obj.command = context.invoked_subcommand or ""
    if context.obj.command != "execute":  # judging handles small tensors: threads would wait for each other
        os.environ.setdefault("OMP_NUM_THREADS", "1")


def complete_lab(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the labs that begin with these letters, without importing the registry."""
    folders = [path.name for path in (ROOT / "solutions").glob("lab*") if path.is_dir()]
    return sorted(name for name in folders if name.startswith(incomplete))


def lab_argument(required: bool = True) -> Callable:
    """The argument LAB: `lab4` or `lab4_mnist_cfg`."""
    return click.argument("lab", required=required, shell_complete=complete_lab)


def lab_option(words: str) -> Callable:
    """The option `--lab`."""
    return click.option("--lab", metavar="LAB", shell_complete=complete_lab, help=words)


def sandbox_option(words: str) -> Callable:
    """The option `--sandbox`."""
    return click.option("--sandbox", type=click.Choice(["bwrap", "none"]), default="bwrap", help=words)


def course_option(function: Callable) -> Callable:
    """The option `--course`."""
    words = "Folder of the gradebook, the store and the pages; the current folder by default."
    return click.option("--course", type=PATH, default=Path("."), metavar="DIR", help=words)(function)


def submissions_option(function: Callable) -> Callable:
    """The option `--submissions` of commands on a class."""
    words = "Folder of the submissions; COURSE/submitted by default."
    return click.option("--submissions", type=PATH, metavar="DIR", help=words)(function)
