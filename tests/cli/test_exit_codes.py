"""Every command ends with one of the exit codes that the help promises, and an error is a sentence."""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import sys

import click
import pytest

from autograder import ROOT
from autograder.cli import main
from autograder.cli.group import autograder
from autograder.course.labs import Lab, find_lab
from autograder.errors import ExitCode, SandboxError

NOTEBOOK = str(find_lab("lab4").solution)
WORDS = {
    "grade-one": [NOTEBOOK],
    "doctor": [NOTEBOOK],
    "validate": ["lab4"],
    "build": ["lab4"],
    "execute": ["lab4"],
    "release": [],
    "demo": [],
    "collect": ["submissions.zip"],
    "grade": ["lab4"],
    "regrade": ["lab4"],
    "report": ["lab4"],
    "similarity": ["lab4"],
    "export": ["lab4", "--to", "csv"],
    "new": ["exercise", "lab4.energy"],
    "store": ["verify"],
}
SERVICES = {
    "grade-one": "autograder.intake.bounded_reading.Reader",
    "doctor": "autograder.intake.open_submission.open_submission",
    "release": "autograder.course.publish.release",
    "demo": "autograder.demo.run_demo",
    "collect": "autograder.intake.collect.collect",
    "new": "autograder.course.scaffold.new_exercise",
    "store": "autograder.running.store.Store",
}  # the first service that a command calls; of all others find_lab


def sentence(capsys) -> str:
    """Return what was printed on standard error, which must be one line."""
    said = capsys.readouterr().err
    assert said.strip().count("\n") == 0 and "Traceback" not in said
    return said


def test_the_table_above_has_all_commands():
    assert set(WORDS) == set(autograder.commands)


@pytest.mark.parametrize("command", WORDS)
@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "grades.csv"), 2, "grades.csv: Permission denied"),
        (OSError(errno.ENOSPC, "No space left on device", "store"), 2, "store: No space left on device"),
        (SandboxError("bubblewrap is not installed"), 3, "bubblewrap is not installed"),
        (KeyError("x"), 1, "This is a defect of the grader: KeyError: 'x'. Run it again with --debug"),
        (KeyboardInterrupt(), 130, "Stopped."),
        (BrokenPipeError(), 1, ""),
    ],
    ids=["unreadable", "full", "sandbox", "defect", "ctrl-c", "pipe"],
)
def test_an_error_is_a_sentence_and_an_exit_code(command, error, code, words, monkeypatch, capfd):
    def service(*args, **options):
        raise error

    monkeypatch.setattr(SERVICES.get(command, "autograder.course.labs.find_lab"), service)
    monkeypatch.setattr(os, "dup2", lambda *descriptors: None)  # pytest needs its standard output
    assert main([command, *WORDS[command]]) == code
    said = sentence(capfd)
    assert said.strip().startswith(words) and (said == "") == (words == "")


@pytest.mark.parametrize(
    "command", [name for name, words in WORDS.items() if words and name not in ("collect", "store")]
)
def test_an_unknown_lab(command, capsys):
    words = ["--lab", "lab9"] if command in ("grade-one", "doctor") else []
    arguments = [re.sub(r"^lab4\b", "lab9", word) for word in WORDS[command]]
    assert main([command, *arguments, *words]) == 2
    assert sentence(capsys).startswith("there is no lab 'lab9'; there are lab1_")


@pytest.mark.parametrize("command", ["grade", "regrade", "report", "export", "grade-one", "doctor", "collect"])
def test_a_missing_folder_or_file(command, tmp_path, capsys):
    missing = tmp_path / "none"
    words = {"grade-one": [str(missing)], "doctor": [str(missing)], "collect": [str(missing)]}
    assert main([command, *words.get(command, [*WORDS[command], "--course", str(missing)])]) == 2
    assert "none" in sentence(capsys)


@pytest.mark.parametrize("command", ["build", "execute", "validate"])
def test_a_missing_source(command, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Lab, "source", property(lambda lab: tmp_path / "none.py"))
    assert main([command, "lab4"]) == 2
    assert sentence(capsys) == f"{tmp_path / 'none.py'}: No such file or directory\n"


@pytest.mark.parametrize("command", ["grade-one", "doctor"])
def test_a_file_that_is_a_folder(command, tmp_path, capsys):
    assert main([command, str(tmp_path)]) == 2
    assert sentence(capsys).endswith("is not a file\n")


def test_a_page_that_cannot_be_written(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["doctor", NOTEBOOK, "--write", str(tmp_path / "file" / "x.ipynb")]) == 2
    assert "Not a directory" in sentence(capsys)


@pytest.mark.parametrize("words", [["nonsense"], ["grade"], ["grade", "lab4", "--workers", "x"], ["export", "lab4"]])
def test_wrong_words_on_the_command_line(words, capsys):
    assert main(words) == 2
    assert "Error: " in capsys.readouterr().err


def test_debug_shows_the_traceback_wherever_it_stands(capsys):
    for words in (["--debug", "build", "lab9"], ["build", "lab9", "--debug"], ["build", "--debug", "lab9"]):
        assert main(words) == 2
        said = capsys.readouterr().err
        assert "Traceback" in said and said.strip().splitlines()[-1].startswith("there is no lab 'lab9'")


def test_version(capsys):
    assert main(["--version"]) == 0
    assert re.fullmatch(r"autograder \d+\.\d+\S*\n", capsys.readouterr().out)


@pytest.mark.parametrize("command", ["", *WORDS])
def test_help(command, capsys):
    assert main([*filter(None, [command]), "--help"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "--debug" in said
    if not command:
        assert all(f"{code.value} {code.meaning}" in said for code in ExitCode) and "_AUTOGRADER_COMPLETE" in said
        assert "..." not in said.split("Commands:")[1], "the line of a command is too long"


def test_every_option_says_what_it_does():
    for command in autograder.commands.values():
        assert command.help
        options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
        assert all(option.help and option.help.endswith(".") for option in options), command.name


def test_the_docs_name_the_same_exit_codes():
    page = (ROOT / "docs" / "instructor.md").read_text(encoding="utf-8")
    line = next(line for line in page.splitlines() if "130" in line)
    assert all(re.search(rf"\b{code.value}\b", line) for code in ExitCode)


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom autograder.cli import main\nassert main(['--help']) == main(['grade', '--help']) == 0\n"
        "heavy = {'torch', 'nbgrader', 'nbformat', 'numpy', 'distributed', 'rich', 'utils.checks'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_completion_names_commands_and_labs():
    for words, expected in (("autograder va", "validate"), ("autograder grade lab4", "lab4_mnist_cfg")):
        ask = {"_AUTOGRADER_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
        done = subprocess.run(command(), env=environment() | ask, capture_output=True, text=True)
        assert done.returncode == 0 and expected in done.stdout, done.stderr


def test_a_closed_pipe_is_no_noise():
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(command("--help"), stdout=writing, stderr=subprocess.PIPE, env=environment(), text=True)
    os.close(writing)
    assert done.returncode == 1 and done.stderr == ""


def test_ctrl_c_in_the_middle_of_a_command():
    words = command("validate", "lab4", "--no-sandbox")
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(), start_new_session=True
    )
    assert process.stdout is not None and process.stdout.readline() == "\n"  # the matrix has begun
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=1800)
    assert process.returncode == 130 and said == "\nStopped. Run the same command again to continue.\n"


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "autograder", *words]


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
