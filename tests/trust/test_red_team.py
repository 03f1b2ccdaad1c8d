"""Hostile submissions through the whole hardened pipeline.

Each attack comes with wrong answers. It may cost the attacker points; it must not gain one over what the same answers earn
honestly, show nothing hidden, and leave the next student's grade as it is.
"""

import json
import sys
from pathlib import Path

import nbformat
import pytest

from autograder import ROOT
from autograder.course.cells import role_of
from autograder.course.labs import find_lab, labs
from autograder.course.source import read_source
from autograder.intake.repair import repair
from autograder.judging.grade import judge_run, run_submission
from autograder.running.limits import Limits
from autograder.running.sandbox import Sandbox

SECRET = b"the instructor's secret, 7f3a"
LAB = next(lab for lab in labs() if lab.short == "lab4")
LOSS = "lab4_cfg_train_loss"


@pytest.fixture(scope="module")
def box(needs_bubblewrap):
    # Short clocks: many attacks hang on purpose.
    with Sandbox(Limits(cell_s=8, notebook_s=40, memory_bytes=1024 * 2**20, scratch_bytes=64 * 2**20)) as sandbox:
        yield sandbox


def submission(attack="", answer="", after="", wrong=True):
    """The solved lab with a wrong training loss, an attack before the answers and one after all cells."""
    notebook = read_source(LAB)
    notebook.cells = [c for c in notebook.cells if role_of(c) not in ("illustration", "")]
    cell = next(c for c in notebook.cells if c.id == LOSS + "_answer")
    if wrong:
        assert "< self.eta" in cell.source
        cell.source = cell.source.replace("< self.eta", "> self.eta")
    cell.source += "\n" + answer
    first = next(i for i, c in enumerate(notebook.cells) if role_of(c) == "answer")
    if attack:
        notebook.cells.insert(first, nbformat.v4.new_code_cell(attack))
    if after:
        notebook.cells.append(nbformat.v4.new_code_cell(after))
    return repair(notebook, LAB)


def grade(mended, box):
    run = run_submission(mended, box, SECRET)
    return judge_run(mended, run, SECRET), run


@pytest.fixture(scope="module")
def honest(box):
    """What the wrong answers earn without an attack."""
    result, _ = grade(submission(), box)
    assert result.verdicts["lab4.cfg_train_loss"].points == 0 < result.points < result.max_points
    return result


# Sends evidence by hand: the channel is found among the open descriptors.
FORGE = """
import json, os, socket, stat
def send(name, text, tensors, copies=1):
    for fd in range(3, 256):
        try:
            if stat.S_ISSOCK(os.fstat(fd).st_mode):
                head = json.dumps({"kind": "evidence", "sizes": [len(text), len(tensors)], "name": name}).encode() + b"\\n"
                for _ in range(copies):
                    os.write(fd, head + text + tensors)
        except OSError:
            pass
"""
NO_TENSORS = "b'\\x02\\0\\0\\0\\0\\0\\0\\0{}'"

ATTACKS = {
    # --- of the project's grading facts
    "allclose": "import torch\ntorch.allclose = torch.equal = lambda *a, **k: True",
    "assert remover": (
        "import ast\nclass N(ast.NodeTransformer):\n    def visit_Assert(self, n):\n        return ast.Pass()\n"
        "get_ipython().ast_transformers.append(N())"
    ),
    "input transformer": (
        "def t(lines):\n    return ['4.0\\n'] if any('graded' in l for l in lines) else lines\n"
        "get_ipython().input_transformers_post.append(t)"
    ),
    "tensor subclass": (
        "import torch\nclass Liar(torch.Tensor):\n    @classmethod\n    def __torch_function__(cls, f, types, args=(), kwargs=None):\n"
        "        return True if 'close' in f.__name__ or 'equal' in f.__name__ else super().__torch_function__(f, types, args, kwargs or {})\n"
        "old = torch.rand\ntorch.rand = lambda *a, **k: old(*a, **k).as_subclass(Liar)"
    ),
    "solutions folder": "import glob, runpy\nfor p in glob.glob('/**/solutions/**/*.py', recursive=True): runpy.run_path(p)",
    "caller's frame": "import sys\nprint(sys._getframe(1).f_globals.keys(), sys._getframe(3).f_locals.keys())",
    "int formatter": "get_ipython().display_formatter.formatters['text/plain'].for_type(int, lambda o, p, c: p.text('4.0'))",
    "gradebook": (
        "import glob, sqlite3\nfor p in glob.glob('/**/*.db', recursive=True):\n"
        "    sqlite3.connect(p).execute('update grade set manual_score = 220')"
    ),
    "daemon": "import os\nif os.fork() == 0:\n    os.setsid()\n    import time\n    time.sleep(600)",
    "exfiltration": "import socket\ns = socket.socket(); s.settimeout(2)\ntry: s.connect(('127.0.0.1', 80))\nexcept OSError as e: print(e)",
    "history": "print(In[-1], Out)",
    "memory": "x = []\nwhile True: x.append(bytearray(64 << 20))",
    "custom exception handler": "get_ipython().set_custom_exc((Exception,), lambda *a, **k: None)",
    "sys.exit": "import sys\nsys.exit(0)",
    # --- patched machinery
    "graded replaced": "import utils.checks\nutils.checks.graded = lambda name: 4.0",
    "probe replaced": "import utils.checks.exercise as e, utils.checks as c\nc.run_probe = lambda *a: None",
    "judge's classes replaced": "import utils.checks.judging as j\nj.Judge.compare = j.Judge.require = j.Judge.fail = lambda *a, **k: None",
    "points raised": "import utils.checks.exercise as e\nfor x in e.REGISTRY.values(): object.__setattr__(x, 'points', 1000)",
    "nonsense replaced by zero": "import utils.checks.stubs as s\ns.Nonsense.__call__ = lambda self, x, *o: x * 0",
    "seed fixed": "import utils.checks.challenge as c\nc.Challenge.seed = lambda self, name: 1",
    "safetensors patched": "import safetensors.torch as s\ns.save = lambda *a, **k: b''",
    "json patched": "import json\njson.dumps = lambda *a, **k: '{}'",
    "torch patched": "import torch\ntorch.rand = torch.randn = lambda *a, **k: torch.zeros(*[x for x in a if isinstance(x, int)])",
    "IPython patched": "import IPython.core.interactiveshell as i\ni.InteractiveShell.run_cell = lambda *a, **k: None",
    "print patched": "import builtins\nbuiltins.print = builtins.len = lambda *a, **k: 4",
    "import hook": "import sys\nclass F:\n    def find_spec(self, n, p=None, t=None):\n        if 'autograder' in n: print('FOUND', n)\nsys.meta_path.insert(0, F())\nimport autograder.judging.judge",
    "default dtype and device": "import torch\ntorch.set_default_dtype(torch.float64)\ntorch.set_default_device('meta')",
    "no gradients": "import torch\ntorch.set_grad_enabled(False)",
    # --- forged evidence
    "empty evidence": FORGE + f"send('lab4.cfg_train_loss', b'{{}}', {NO_TENSORS})",
    "garbage evidence": FORGE + "send('lab4.cfg_train_loss', b'\\xff' * 100, b'\\xff' * 100)",
    "claimed points": FORGE
    + f"send('lab4.cfg_train_loss', json.dumps(dict(version=1, exercise='lab4.cfg_train_loss', values=dict(points=4), kinds={{}}, errors={{}})).encode(), {NO_TENSORS})",
    "another exercise's evidence": FORGE
    + f"send('lab4.cfg_train_loss', json.dumps(dict(version=1, exercise='lab4.cfg_drift', values={{}}, kinds={{}}, errors={{}})).encode(), {NO_TENSORS})",
    "an exercise that is not there": FORGE + f"send('lab9.everything', b'{{}}', {NO_TENSORS})",
    "a thousand copies": FORGE + f"send('lab4.cfg_train_loss', b'{{}}', {NO_TENSORS}, copies=1000)",
    "header bomb": FORGE + "send('lab4.cfg_train_loss', b'{}', (2**62).to_bytes(8, 'little') + b'{}')",
    "huge shape": FORGE
    + "h = json.dumps({'x': {'dtype': 'F64', 'shape': [2**40], 'data_offsets': [0, 8]}}).encode()\nsend('lab4.cfg_train_loss', b'{}', len(h).to_bytes(8, 'little') + h + b'\\0' * 8)",
    "nested JSON": FORGE + f"send('lab4.cfg_train_loss', b'[' * 500000, {NO_TENSORS})",
    "NaN everywhere": FORGE
    + f'send(\'lab4.cfg_train_loss\', b\'{{"version": 1, "exercise": "lab4.cfg_train_loss", "values": {{"x": NaN}}, "kinds": {{}}, "errors": {{}}}}\', {NO_TENSORS})',
    "frame of four gigabytes": FORGE
    + "[os.write(fd, b'{\"kind\": \"cell\", \"sizes\": [4294967296]}\\n') for fd in range(3, 256) if not os.system('true') and os.path.exists(f'/proc/self/fd/{fd}') and stat.S_ISSOCK(os.fstat(fd).st_mode)]",
    "noise on the channel": FORGE
    + "[os.write(fd, os.urandom(100000)) for fd in range(3, 256) if os.path.exists(f'/proc/self/fd/{fd}') and stat.S_ISSOCK(os.fstat(fd).st_mode)]",
    "early done": FORGE
    + '[os.write(fd, b\'{"kind": "done", "sizes": []}\\n\') for fd in range(3, 256) if os.path.exists(f\'/proc/self/fd/{fd}\') and stat.S_ISSOCK(os.fstat(fd).st_mode)]',
    # --- the machine
    "recursion": "def f(n): return f(n + 1)\nimport sys\nsys.setrecursionlimit(10**9)\nf(0)",
    "fork bomb": "import os\nfor _ in range(2000):\n    try:\n        if os.fork() == 0:\n            import time\n            time.sleep(600)\n    except OSError: break",
    "threads": "import threading, time\nfor _ in range(5000):\n    try: threading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n    except RuntimeError: break",
    "scratch filled": "f = open('/tmp/fill', 'wb')\ntry:\n    while True: f.write(b'0' * (1 << 20))\nexcept OSError as e: print(e)",
    "shm filled": "f = open('/dev/shm/fill', 'wb')\ntry:\n    while True: f.write(b'0' * (1 << 20))\nexcept OSError as e: print(e)",
    "all descriptors closed": "import os\nos.closerange(0, 65536)",
    "template killed": "import os, signal\nfor s in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGSTOP):\n    try: os.kill(1, s)\n    except OSError as e: print(e)",
    "everything killed": "import os, signal\nos.kill(-1, signal.SIGKILL)",
    "process 1 opened": "for name in ('environ', 'mem', 'maps', 'fd/0', 'root/etc/passwd', 'cwd'):\n    try: print(name, open('/proc/1/' + name, 'rb').read(4000))\n    except OSError as e: print(name, e)",
    "process 1 traced": "import ctypes\nprint(ctypes.CDLL(None).ptrace(16, 1, 0, 0))",
    "host paths": "import os\nfor p in ('/root', '/home', '/etc/shadow', '/etc/passwd', '/var', '/sys'):\n    try: print(p, os.listdir(p) if os.path.isdir(p) else open(p).read())\n    except OSError as e: print(p, e)",
    "utils overwritten": "open('/course/utils/checks/__init__.py', 'w').write('')",
    "python overwritten": "import torch\nopen(torch.__file__, 'w').write('')",
    "symbolic links": "import os\nos.symlink('/proc/1/environ', '/tmp/work/evidence.json')\nos.symlink('/', '/tmp/work/root')",
    "a numpy.py beside": "open('numpy.py', 'w').write('raise SystemExit')\nimport sys\nsys.modules.pop('numpy')\nimport numpy",
    "signals ignored": "import signal, time\nfor s in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM): signal.signal(s, signal.SIG_IGN)\nwhile True:\n    try: time.sleep(600)\n    except BaseException: pass",
    "endless loop": "while True: pass",
    "thirty megabytes in a line": "print('x' * 30_000_000)",
    "a flood of displays": "from IPython.display import display\nfor i in range(20000): display(i)",
    "script in HTML": "from IPython.display import HTML, display\ndisplay(HTML('<script>document.title=\"owned\"</script>'))",
    "half a frame, then silence": FORGE
    + "import time\n[os.write(fd, b'{\"kind\": \"ce') for fd in range(3, 256) if os.path.exists(f'/proc/self/fd/{fd}') and stat.S_ISSOCK(os.fstat(fd).st_mode)]\ntime.sleep(600)",
}
HANGS = {
    "import of an answer": dict(answer="import time\ntime.sleep(600)"),
    "inside the probe": dict(answer="CFGTrainer.get_train_loss = lambda self, batch_size: [0 for _ in iter(int, 1)]"),
    "in a destructor": dict(answer="class D:\n    def __del__(self):\n        while True: pass\nkeep = D()\ndel keep"),
    "at exit": dict(attack="import atexit, time\natexit.register(time.sleep, 600)"),
    "in a thread": dict(attack="import threading, time\nthreading.Thread(target=time.sleep, args=(600,)).start()"),
    "after everything": dict(after="while True: pass"),
    "death inside the probe": dict(
        answer="import os\nCFGTrainer.get_train_loss = lambda self, batch_size: os._exit(0)"
    ),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_gains_nothing(name, box, honest):
    result, run = grade(submission(ATTACKS[name]), box)
    assert result.points <= honest.points
    assert result.max_points == honest.max_points
    for exercise, verdict in result.verdicts.items():
        assert verdict.points <= honest.verdicts[exercise].points, exercise
    nothing_hidden(run)


@pytest.mark.parametrize("name", HANGS)
def test_a_hang_costs_at_most_its_own_exercise(name, box, honest):
    result, run = grade(submission(**HANGS[name]), box)
    assert result.verdicts["lab4.cfg_train_loss"].points == 0
    for exercise, verdict in honest.verdicts.items():
        assert result.verdicts[exercise].points == verdict.points, exercise
    nothing_hidden(run)


TOGETHER = {
    "more processes or threads": "import threading, time\nthreading.stack_size(65536)\nfor _ in range(1500):\n    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()\ntime.sleep(5)",
    # Taken out of each process's pages, shared memory still fills the machine's.
    "more memory": "import mmap, os, time\nfor _ in range(4):\n    if os.fork() == 0:\n        m = mmap.mmap(-1, 300 << 20)\n        for i in range(0, 300 << 20, 1 << 20):\n            m[i : i + (1 << 20)] = b'x' * (1 << 20)\n            m.madvise(mmap.MADV_DONTNEED, i, 1 << 20)\n        time.sleep(5)\n        os._exit(0)\ntime.sleep(5)",
}


@pytest.mark.parametrize("words", TOGETHER)
def test_limits_hold_for_all_processes_together(words, box, honest):
    """Also for a grader that is root, for whom the kernel counts neither processes nor threads."""
    result, _ = grade(submission(TOGETHER[words]), box)
    assert any(words in problem for problem in result.problems), result.problems
    assert result.points == honest.points


def test_a_display_of_odd_things_costs_no_cell(box, honest):
    odd = "import datetime\nfrom IPython.display import display\ndisplay({'text/plain': object(), 5: ['a']}, raw=True, metadata={'d': datetime.date.today()})"
    result, _ = grade(submission(odd), box)
    assert result.points == honest.points and not result.problems


def test_forged_outputs_do_not_fill_the_store(box, honest):
    """The runner bounds a cell's outputs, but what comes through the channel may be written by hand."""
    forge = FORGE + (
        "data = json.dumps({'outputs': [{'output_type': 'stream', 'name': 'stdout', 'text': 'x' * 15_000_000}]}).encode()\n"
        "fd = next(fd for fd in range(3, 256) if os.path.exists(f'/proc/self/fd/{fd}') and stat.S_ISSOCK(os.fstat(fd).st_mode))\n"
        "channel = socket.socket(fileno=os.dup(fd))\n"
        "for i in (3, 5, 6, 8, 9, 11, 12, 14, 15):\n"  # until the pass is ended for it
        "    channel.sendall(json.dumps({'kind': 'cell', 'sizes': [len(data)], 'index': i}).encode() + b'\\n' + data)"
    )
    result, run = grade(submission(forge), box)
    assert result.points == honest.points
    assert 15_000_000 < len(json.dumps(run.outputs)) < 60_000_000
    assert "were left out" in json.dumps(run.outputs)


def nothing_hidden(run):
    """Neither the secret, nor a verdict's source, nor a path of the instructor's is in what came out."""
    seen = json.dumps(run.outputs)
    for word in (
        SECRET.decode(),
        "judge.compare",
        "autograder/exercises",
        "gradebook",
        str(ROOT / "solutions"),
        str(ROOT / "tests"),
    ):
        assert word not in seen.replace("import autograder.judging.judge", "")
    assert len(seen) < 8 * 2**20


def test_an_honest_neighbour_keeps_the_grade_after_all_that(box):
    result, _ = grade(submission(wrong=False), box)
    assert result.points == result.max_points


def test_nothing_of_one_student_is_left_for_the_next(box):
    marks = "import os, torch, utils.checks\nopen('/tmp/left', 'w').write('x')\nopen('/dev/shm/left', 'w').write('x')\nos.environ['LEFT'] = 'x'\nutils.checks.LEFT = torch.LEFT = 1"
    grade(submission(marks), box)
    look = "import os, torch, utils.checks\nprint(os.path.exists('/tmp/left'), os.path.exists('/dev/shm/left'), 'LEFT' in os.environ, hasattr(torch, 'LEFT'), hasattr(utils.checks, 'LEFT'))"
    _, run = grade(submission(look), box)
    assert "False False False False False" in json.dumps(run.outputs)


def test_a_friends_evidence_does_not_fit(box, honest):
    """Right evidence of another submission is evidence for another challenge."""
    friend = submission(wrong=False)
    right = run_submission(friend, box, SECRET)
    thief = submission()
    run = run_submission(thief, box, SECRET)
    run.evidence["lab4.cfg_train_loss"] = right.evidence["lab4.cfg_train_loss"]
    assert judge_run(friend, right, SECRET).verdicts["lab4.cfg_train_loss"].points == 4
    assert judge_run(thief, run, SECRET).verdicts["lab4.cfg_train_loss"].points == 0


@pytest.mark.parametrize("place", [ROOT, ROOT.parent], ids=["itself", "around"])
def test_a_course_inside_what_is_bound_stays_hidden(place, monkeypatch):
    """Images of containers put programs below /usr/src, for example."""
    from autograder.running import sandbox

    if ROOT.is_relative_to("/tmp") or ROOT.parent == Path("/"):
        pytest.skip("the sandbox has a /tmp and a root of its own")
    monkeypatch.setattr(sandbox, "READ_ONLY", (*sandbox.READ_ONLY, str(place)))
    look = f"import os\nprint('SEEN', os.listdir({str(ROOT)!r}))\nopen({str(ROOT / 'x')!r}, 'w')"
    with Sandbox(Limits(cell_s=8)) as box:
        outcome = box.run([{"index": 0, "source": look}], {})
    seen = json.dumps(outcome.outputs[0]["outputs"])
    assert outcome.finished and ("SEEN []" in seen or "SEEN ['.venv']" in seen), seen
    assert "Read-only file system" in seen


def test_an_environment_in_tmp_outlives_the_wiping_and_leads_nothing_across(tmp_path, monkeypatch):
    """Who tries the course out clones it into /tmp."""
    from autograder.running import sandbox

    if not tmp_path.is_relative_to("/tmp") or ROOT.is_relative_to("/tmp"):
        pytest.skip("pytest's folders are not in /tmp, or the course is: then every test here is this one")
    (tmp_path / "environment").mkdir()
    monkeypatch.setattr(sandbox, "READ_ONLY", (*sandbox.READ_ONLY, sys.prefix))
    monkeypatch.setattr(sandbox.sys, "prefix", str(tmp_path / "environment"))
    top = Path("/tmp", tmp_path.relative_to("/tmp").parts[0])
    write = f"for place in ('/tmp', {str(top)!r}):\n    try: open(place + '/left', 'x'); print('WROTE', place)\n"
    write += "    except OSError as error: print(error.strerror)"
    with Sandbox(Limits(cell_s=8)) as box:
        for _ in range(2):
            outcome = box.run([{"index": 0, "source": write}], {})
            assert outcome.finished, outcome
            assert "WROTE /tmp\\nRead-only file system" in json.dumps(outcome.outputs[0]["outputs"])


def test_an_environment_that_is_the_course_is_refused(monkeypatch):
    from autograder.running import sandbox

    monkeypatch.setattr(sandbox.sys, "base_prefix", str(ROOT))
    with pytest.raises(sandbox.SandboxError, match="folder of its own"):
        Sandbox().start()


def test_without_bubblewrap_grading_refuses(monkeypatch):
    from autograder.errors import SandboxError

    monkeypatch.setattr("autograder.running.bubblewrap.shutil.which", lambda name: None)
    with pytest.raises(SandboxError, match="make sandbox"):
        Sandbox()


def test_a_sandbox_that_the_system_forbids_is_told_once_and_before_the_class(monkeypatch, tmp_path):
    """Ubuntu's default: bubblewrap is there, and its namespaces are refused."""
    from autograder.errors import SandboxError
    from autograder.judging.class_run import ClassRun, run_class

    forbidden = tmp_path / "bwrap"
    forbidden.write_text("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n")
    forbidden.chmod(0o755)
    monkeypatch.setattr("autograder.running.bubblewrap.shutil.which", lambda name: str(forbidden))
    with pytest.raises(SandboxError, match=r"does not let it start \(bwrap: setting up uid map.*sysctl"):
        run_class(ClassRun(find_lab("lab4"), tmp_path), protected=True)


def test_unprotected_grading_says_so(unprotected):
    result, _ = grade(submission(), unprotected)
    assert any("unprotected" in line for line in result.problems)
