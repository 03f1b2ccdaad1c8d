"""`autograder doctor --machine`: what is tried, what is printed, and what follows where something is missing."""

import io

import pytest
from rich.console import Console

from autograder import printing
from autograder.cli import main
from autograder.running import machine
from autograder.running.machine import Guarantee, Inside, guarantees, isolation, look_inside


def by_name(rows):
    return {row.name: row for row in rows}


def test_every_row_is_given_or_says_what_follows(needs_bubblewrap):
    rows = guarantees()
    assert rows[0].given and all(row.given != bool(row.otherwise) for row in rows), rows
    assert all(row.name and row.by for row in rows)


def test_the_sandbox_of_this_machine_holds_what_it_promises(needs_bubblewrap):
    """The machine on which these tests run is one that the course supports."""
    rows = by_name(isolation(look_inside()))
    assert all(row.given for row in rows.values()), rows


def test_a_machine_without_bubblewrap_says_so_and_ends_with_its_exit_code(monkeypatch, capsys):
    monkeypatch.setattr("autograder.running.bubblewrap.shutil.which", lambda name: None)
    monkeypatch.setattr(machine, "bubblewrap", lambda: None)
    monkeypatch.setattr(machine, "bubblewrap_knows", lambda option: False)
    assert main(["doctor", "--machine"]) == 3
    assert "make sandbox" in " ".join(capsys.readouterr().out.replace("│", " ").split())


def test_namespaces_that_are_shared_are_named():
    inside = Inside(report={"namespaces": {}, "status": {"Seccomp": "0", "CapEff": "00ff"}})
    rows = by_name(isolation(inside))
    shared = rows["files, processes, network and users apart"]
    assert not shared.given and "net" in shared.otherwise
    assert not rows["system calls filtered"].given and not rows["no rights inside"].given


@pytest.mark.parametrize("root", [True, False])
def test_root_is_told_what_a_user_would_gain(root, monkeypatch):
    monkeypatch.setattr(machine.os, "geteuid", lambda: 0 if root else 1000)
    assert by_name(machine.around())["the grader is not root"].given is not root


def test_the_table_shows_words_as_they_are():
    console = Console(file=io.StringIO(), width=200)
    printing.print_guarantees([Guarantee("[bold]", False, "nothing", "It hurts.")], console)
    assert "[bold]" in console.file.getvalue() and "It hurts." in console.file.getvalue()


def test_doctor_wants_a_notebook_or_the_machine(capsys):
    assert main(["doctor"]) == 2
    assert "--machine" in capsys.readouterr().err


def test_mappings_timers_and_what_is_left_behind_are_tried(needs_bubblewrap):
    inside = look_inside()
    assert 0 < inside.report["timers"] <= machine.Limits().timers and inside.mappings_readable
    rows = by_name(machine.left_behind(inside))
    assert len(rows) == 3 and all(row.given for row in rows.values()), rows


@pytest.mark.parametrize(
    ("inside", "missing", "words"),
    [
        (Inside(report={"timers": 5000, "state": {"limits": True}}), "timers and waiting signals", "get none"),
        (Inside(report={"timers": None, "state": {"limits": True}}), "timers and waiting signals", "get none"),
        (Inside(report={"timers": 9, "state": {"limits": True}}), "memory mappings", "Each process may have"),
        (
            Inside(report={"timers": 9, "state": {"limits": True, "network": False}}),
            "nothing is left for the next submission",
            "does not show: network",
        ),
        (Inside(), "nothing is left for the next submission", "cannot be read"),
    ],
)
def test_a_machine_that_cannot_bound_or_compare_something_says_so(inside, missing, words):
    row = by_name(machine.left_behind(inside))[missing]
    assert not row.given and words in row.otherwise
