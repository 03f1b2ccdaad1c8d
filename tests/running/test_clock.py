"""The clocks of a run count what the submission uses, and not what else the machine does."""

import pytest
from nbformat import NotebookNode

from autograder.errors import MachineTooBusy
from autograder.intake.repair import Submission
from autograder.judging.class_run import ClassRun, StudentRun, run_class
from autograder.running import clock as clock_module
from autograder.running.clock import Clock
from autograder.running.limits import Limits
from autograder.running.passes import execute_task
from autograder.running.processes import ProcessUse, parse_stat
from autograder.running.run_types import Cell, Pass, Task
from autograder.running.store import Store

LIMITS = Limits(cell_s=10, notebook_s=30, busy_factor=10)
STEP = 0.5  # seconds between two looks
TASK = Task((Cell(0, "1", "setup"), Cell(1, "2", "test", "lab4.cfg_drift")), {}, "digest")


class Machine:
    """A machine of which one thread gets a share, and waits for a processor in the rest of the time."""

    def __init__(self, monkeypatch, wants=1.0, gets=1.0, seen="R"):
        self.now = self.cpu = self.waited = 0.0
        self.wants, self.gets, self.seen = wants, gets, seen
        monkeypatch.setattr(clock_module.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(clock_module, "thread_states", lambda one: [(1, self.seen == "R", self.waited)])
        self.clock = Clock(LIMITS, 0.0)
        self.clock.begin_cell()

    def run(self):
        """Let time pass until the clock says why the pass must end."""
        process = ProcessUse(1, 0, self.seen, 0, 0, 1, 0.0)
        while not (reason := self.clock.expired()):
            self.now += STEP
            self.cpu += STEP * self.wants * self.gets
            self.waited += STEP * self.wants * (1 - self.gets)
            self.clock.add(self.cpu, [process])
            assert self.now < 1000
        return reason


def test_a_loop_ends_by_processor_time_however_busy_the_machine_is(monkeypatch):
    for gets in (1.0, 0.5, 0.15):
        machine = Machine(monkeypatch, gets=gets)
        assert machine.run() == "timeout" and machine.clock.cpu_s == pytest.approx(LIMITS.cell_s, abs=STEP)


def test_waiting_for_something_of_ones_own_ends_too(monkeypatch):
    machine = Machine(monkeypatch, wants=0.0, seen="S")
    assert machine.run() == "idle" and machine.now == pytest.approx(LIMITS.cell_s, abs=2 * STEP)


def test_waiting_for_a_processor_is_the_machines_fault(monkeypatch):
    machine = Machine(monkeypatch, gets=0.01)
    assert machine.run() == "busy" and machine.now == pytest.approx(LIMITS.cell_s * LIMITS.busy_factor, abs=STEP)
    assert machine.clock.used_s < LIMITS.cell_s


def test_a_thread_that_a_look_finds_ready_is_not_idle_even_where_the_kernel_counts_no_waiting(monkeypatch):
    """A hypervisor may give a virtual machine no processor at all: then nothing waits, and nothing computes."""
    assert Machine(monkeypatch, wants=0.0, seen="R").run() == "busy"


def test_a_grader_that_was_stopped_for_an_hour_blames_nobody(monkeypatch):
    machine = Machine(monkeypatch, wants=0.0, seen="S")
    machine.now += 50
    machine.clock.add(0.0, [])
    assert machine.clock.idle_s <= clock_module.LONGEST_STEP_S and machine.clock.expired() == ""


def test_computing_and_waiting_in_turn_runs_out(monkeypatch):
    machine = Machine(monkeypatch, wants=0.5, seen="S")
    assert machine.run() in ("timeout", "idle") and machine.now <= 2 * LIMITS.cell_s + 2 * STEP


def test_a_program_with_parentheses_in_its_name():
    line = b"7 (a) R (b)) S 3 " + b" ".join(str(number).encode() for number in range(5, 60))
    assert (parse_stat(7, line).state, parse_stat(7, line).parent) == ("S", 3)


class BusySandbox:
    """A sandbox whose first passes are made too long by other work."""

    limits, protected = LIMITS, True

    def __init__(self, busy):
        self.busy, self.passes = busy, 0

    def run(self, cells, challenges):
        self.passes += 1
        if self.passes <= self.busy:
            return Pass(ended_by="busy", last_cell=1, wall_s=100.0, used_s=1.0, evidence={"lab4.cfg_drift": ()})
        return Pass(finished=True, evidence={"lab4.cfg_drift": ((b"{}", b""),)})


def test_what_a_busy_machine_made_too_long_is_run_again_without_a_trace():
    box = BusySandbox(busy=2)
    run = execute_task(TASK, box)
    assert box.passes == 3 and run.problems == () and run.evidence == {"lab4.cfg_drift": ((b"{}", b""),)}


def test_a_machine_that_stays_too_busy_leaves_the_student_for_a_person():
    box = BusySandbox(busy=99)
    with pytest.raises(MachineTooBusy, match=r"lab4.cfg_drift was not finished after 100 s.*No points are lost"):
        execute_task(TASK, box)
    assert box.passes == 3


def test_a_student_whose_run_the_machine_was_too_busy_for_gets_no_grade_and_a_sentence(monkeypatch, tmp_path, lab4):
    from autograder.judging import class_run as module

    busy = MachineTooBusy("The machine was too busy to run this notebook")
    monkeypatch.setattr(module, "run_all", lambda tasks, *_: [(name, busy) for name in tasks])
    monkeypatch.setattr(module, "make_task", lambda submission, secret: TASK)
    student = StudentRun("ada", tmp_path, submission=Submission(lab4, "", NotebookNode()), key="ab" + "0" * 62)
    one = ClassRun(lab4, tmp_path, Store(tmp_path / "store", {}), [student])
    run_class(one, protected=False)
    assert student.problems == [str(busy)] and student.key not in one.store and student.grade is None
