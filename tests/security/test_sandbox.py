"""The sandbox on unusual machines: where the course and its environment are, and what the system allows."""

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from autograder import ROOT
from autograder.course.labs import find_lab
from autograder.errors import SandboxError
from autograder.running import bubblewrap
from autograder.running.limits import Limits
from autograder.running.sandbox import Sandbox


@pytest.mark.parametrize("place", [ROOT, ROOT.parent], ids=["itself", "around"])
def test_a_course_inside_what_is_bound_stays_hidden(place, monkeypatch):
    """Some container images put programs below /usr/src, for example."""
    if ROOT.is_relative_to("/tmp") or ROOT.parent == Path("/"):
        pytest.skip("the sandbox has a /tmp and a root of its own")
    monkeypatch.setattr(bubblewrap, "READ_ONLY", (*bubblewrap.READ_ONLY, str(place)))
    look = f"import os\nprint('SEEN', os.listdir({str(ROOT)!r}))\nopen({str(ROOT / 'x')!r}, 'w')"
    with Sandbox(Limits(cell_s=8)) as box:
        outcome = box.run([{"index": 0, "source": look}], {})
    printed = json.dumps(outcome.outputs[0]["outputs"])
    assert outcome.finished and ("SEEN []" in printed or "SEEN ['.venv']" in printed), printed
    assert "Read-only file system" in printed


def test_an_environment_in_tmp_outlives_the_wiping_and_leads_nothing_across(tmp_path, monkeypatch):
    """People who try the course clone it into /tmp."""
    if not tmp_path.is_relative_to("/tmp") or ROOT.is_relative_to("/tmp"):
        pytest.skip("pytest's folders are not in /tmp, or the course is: then every test here is this one")
    (tmp_path / "environment").mkdir()
    monkeypatch.setattr(bubblewrap, "READ_ONLY", (*bubblewrap.READ_ONLY, sys.prefix))
    monkeypatch.setattr(bubblewrap.sys, "prefix", str(tmp_path / "environment"))
    top = Path("/tmp", tmp_path.relative_to("/tmp").parts[0])
    write = f"for place in ('/tmp', {str(top)!r}):\n    try: open(place + '/left', 'x'); print('WROTE', place)\n"
    write += "    except OSError as error: print(error.strerror)"
    with Sandbox(Limits(cell_s=8)) as box:
        for _ in range(2):
            outcome = box.run([{"index": 0, "source": write}], {})
            assert outcome.finished, outcome
            assert "WROTE /tmp\\nRead-only file system" in json.dumps(outcome.outputs[0]["outputs"])


def test_an_environment_that_is_the_course_is_rejected(monkeypatch):

    monkeypatch.setattr(bubblewrap.sys, "base_prefix", str(ROOT))
    with pytest.raises(SandboxError, match="folder of its own"):
        Sandbox().start()


def test_grading_needs_bubblewrap(monkeypatch):
    monkeypatch.setattr("autograder.running.bubblewrap.shutil.which", lambda name: None)
    with pytest.raises(SandboxError, match="make sandbox"):
        Sandbox()


@pytest.mark.parametrize(("reason", "words"), [("busy", "other work"), ("timeout", "imports"), ("idle", "waits for")])
def test_a_template_that_is_not_ready_in_time_says_why(reason, words, monkeypatch, needs_bubblewrap):
    """The last line that it printed, about a font cache for example, is not the reason."""
    monkeypatch.setattr("autograder.running.sandbox.Clock.expired", lambda clock: reason)
    with pytest.raises(SandboxError, match=rf"after \d+ s, of which it has computed \d+ s, .*{words}"):
        Sandbox().start()


def test_a_child_that_outlives_the_template_does_not_hold_up_the_reason(monkeypatch, needs_bubblewrap, tmp_path):
    """It keeps the pipe open to which the template prints."""
    pid_file = tmp_path / "pid"
    command = ["sh", "-c", f"setsid -f sh -c 'echo $$ > {pid_file}; exec sleep 1000'; exec sleep 1000"]
    monkeypatch.setattr("autograder.running.sandbox.bubblewrap_command", lambda limits, options: command)
    monkeypatch.setattr("autograder.running.sandbox.open_filter", lambda: None)
    monkeypatch.setattr("autograder.running.sandbox.LAST_WORDS_S", 0.5)
    started = "autograder.running.sandbox.Clock.expired"
    monkeypatch.setattr(started, lambda clock: "timeout" if pid_file.exists() and pid_file.read_text() else "")
    with pytest.raises(SandboxError, match="its imports are too slow"):
        Sandbox().start()
    os.kill(int(pid_file.read_text()), signal.SIGKILL)  # raises where it is gone: then nothing was tested


def test_bubblewrap_that_does_not_answer_is_the_machines_fault(monkeypatch, tmp_path):
    slow = tmp_path / "bwrap"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setattr("autograder.running.bubblewrap.shutil.which", lambda name: str(slow))
    monkeypatch.setattr(bubblewrap, "TRY_S", 0.2)
    with pytest.raises(SandboxError, match="too much other work"):
        Sandbox()


def test_a_sandbox_that_the_system_forbids_is_reported_once_and_before_the_class(monkeypatch, tmp_path):
    """This is Ubuntu's default: bubblewrap is installed, but may not create namespaces."""
    from autograder.judging.class_run import ClassRun, run_class
    from autograder.running.store import Store

    forbidden = tmp_path / "bwrap"
    forbidden.write_text("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n")
    forbidden.chmod(0o755)
    monkeypatch.setattr("autograder.running.bubblewrap.shutil.which", lambda name: str(forbidden))
    with pytest.raises(SandboxError, match=r"does not let it start \(bwrap: setting up uid map.*sysctl"):
        run_class(ClassRun(find_lab("lab4"), tmp_path, Store(tmp_path / "store", {})), protected=True)
