"""The runner gives what a Jupyter kernel gives: the same outputs in the same order."""

import re

import nbformat
import pytest
from nbclient import NotebookClient

from autograder import ROOT
from autograder.course.cells import role_of
from autograder.course.labs import labs
from autograder.course.source import read_source

CELLS = [
    "print('one'); import sys; print('two', file=sys.stderr); print('three'); 4",
    "x = 5\nx; x + 1",
    "x + 2;",
    "_ + 1",
    "from IPython.display import HTML, Markdown, display, clear_output, update_display\n"
    "display(HTML('<b>bold</b>')); print('after'); Markdown('*m*')",
    "handle = display('before', display_id='d')\nupdate_display('after', display_id='d')",
    "print('gone'); clear_output(); print('stays')",
    "print('gone too'); clear_output(wait=True); print('stays too')",
    "import matplotlib.pyplot as plt\nfig, ax = plt.subplots(figsize=(2, 1)); ax.plot([1, 2])\nprint('figure')",
    "plt.plot([1, 2]); plt.show(); print('shown'); plt.plot([2, 1]); plt.show()",
    "%time y = 1\n",
    "import asyncio\nawait asyncio.sleep(0)\n'awaited'",
    "1 / 0",
    "def f():\n    return undefined_name\nf()",
    "raise KeyboardInterrupt",
    "syntax error here",
    "None",
    "import warnings\nwarnings.simplefilter('always')\nwarnings.warn('careful')",
    "for i in range(3): display(i)",
    "print('no newline', end=''); print(' joined')",
    "class R:\n    def _repr_html_(self): return '<i>r</i>'\n    def __repr__(self): return 'r'\nR()",
    "{'a': 1, 'b': [1, 2, 3]}",
    "from PIL import Image\nImage.new('RGB', (8, 8), 'red')",
    "class P:\n    def _repr_png_(self): return b'\\x89PNG' + bytes(5)\n    def __repr__(self): return 'p'\nP()",
    "input",
]


# What no kernel would pass on: keys and values that JSON does not know.
ODD = [
    "display({'text/plain': 'seen', ('a', 'tuple'): 1, 'x/y': {1, 2}}, raw=True)",
    "class O:\n    def _repr_mimebundle_(self, **_): return {'text/plain': 'seen', 'x/y': object()}\nO()",
]


def by_kernel(sources, folder=ROOT):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s) for s in sources])
    NotebookClient(
        notebook, timeout=300, kernel_name="python3", allow_errors=True, resources={"metadata": {"path": str(folder)}}
    ).execute()
    return [cell.outputs for cell in notebook.cells]


def by_runner(sources, sandbox):
    run = sandbox.run([{"index": i, "source": s} for i, s in enumerate(sources)], {})
    assert run.finished
    return [run.outputs[i]["outputs"] for i in range(len(sources))]


def simplify(outputs):
    """What people see: kinds, texts, data types; not addresses, times, colours or file names."""
    simplified = []
    for output in outputs:
        if output["output_type"] == "stream":
            text = re.sub(r"\d+(\.\d+)?(e[+-]?\d+)? (ns|\w?s)\b", "TIME", output["text"])
            text = re.sub(r"^(/\S*|<ipython-input\S*>):\d+: ", "FILE ", text, flags=re.MULTILINE)
            simplified.append(("stream", output["name"], text))
        elif output["output_type"] == "error":
            simplified.append(("error", output["ename"], re.sub(r"\(.*?\)", "", output["evalue"])))
        else:
            data = {k: (v if k.startswith("text/") else "binary") for k, v in output["data"].items()}
            data = {k: re.sub(r"0x[0-9a-f]+|<bound method.*", "ADDRESS", v) for k, v in data.items()}
            simplified.append((output["output_type"], data))
    # A kernel buffers each stream: between two other outputs only the order within a stream is kept.
    joined: list = []
    for item in simplified:
        before = []
        for earlier in reversed(joined):
            if earlier[0] != "stream":
                break
            before.append(earlier)
        same = next((e for e in before if item[0] == "stream" and e[1] == item[1]), None)
        if same is not None:
            joined[joined.index(same)] = (*item[:2], same[2] + item[2])
        else:
            joined.append(item)
    return joined


@pytest.fixture(scope="module")
def both(sandbox):
    """The outputs of all cells, by a kernel and by the runner."""
    return by_kernel(CELLS), by_runner(CELLS, sandbox)


@pytest.mark.parametrize("index", range(len(CELLS)))
def test_every_kind_of_output_is_as_in_a_kernel(both, index):
    kernel, runner = both
    if CELLS[index] == "input":
        return  # a kernel's own function; ours refuses, as nbclient does
    assert simplify(runner[index]) == simplify(kernel[index])


@pytest.mark.parametrize("source", ODD)
def test_an_odd_output_does_not_end_the_run(source, sandbox):
    odd, after = by_runner([source, "print('after')"], sandbox)
    assert odd[0]["data"]["text/plain"] == "seen" and after[0]["text"] == "after\n"


@pytest.mark.parametrize(
    "lab", [pytest.param(lab, id=lab.short, marks=[pytest.mark.slow] * (lab != labs()[-1])) for lab in labs()]
)
def test_instructor_notebooks_run_alike(lab, sandbox, tmp_path, monkeypatch):
    """All that grading runs of each lab: definitions, answers and the cells around them. No MNIST in either place."""
    monkeypatch.delenv("LAB_DATA", raising=False)
    sources = [
        c.source
        for c in read_source(lab).cells
        if c.cell_type == "code" and role_of(c) not in ("test", "illustration", "check")
    ]
    budget = "import os\nos.environ['LAB_BUDGET'] = 'grade'"
    kernel, runner = by_kernel([budget, *sources], tmp_path), by_runner([budget, *sources], sandbox)
    for source, one, other in zip(sources, kernel[1:], runner[1:], strict=True):
        kinds = [[(o[0], sorted(o[1]) if isinstance(o[1], dict) else o[1]) for o in simplify(x)] for x in (one, other)]
        assert kinds[1] == kinds[0], source
        assert "error" not in [kind for kind, _ in kinds[1]], source
