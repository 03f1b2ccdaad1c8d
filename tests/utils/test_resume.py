"""Colab takes the machine away in the middle of training. Run the same cells again, and nothing was lost."""

import json
import os
import signal
import subprocess
import sys

import pytest

from autograder import ROOT
from tests.events import await_event

# A notebook as a student has it: cells, run one by one by IPython.
CELLS = [
    "import torch, json, os, signal\nfrom torch import nn\nfrom utils.training import Trainer\n"
    "from utils.runtime import setup\ndevice, budget = setup('lab1_discrete_toys')",
    "class MyTrainer(Trainer):\n"
    "    def get_train_loss(self, batch_size):\n"
    "        if len(self.history) == int(os.environ['STOPS_AT_STEP']):\n"
    "            open('stopped', 'w').close()\n"
    "            signal.pause()\n"
    "        x = torch.randn(batch_size, 3)\n"
    "        return (self.model(x) - x.sum(1, keepdim=True)).square().mean()",
    "trainer = MyTrainer(nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1)))\n"
    "history = trainer.train(40, 'cpu', lr=1e-2, ema=0.9, batch_size=16, save_seconds=0,"
    " checkpoint='drive/net.safetensors')",
    "weights = torch.cat([p.flatten() for p in trainer.model.parameters()]).tolist()\n"
    "json.dump({'history': history, 'weights': weights}, open('result.json', 'w'))",
]
PLAYER = (
    "import sys, json; from IPython.core.interactiveshell import InteractiveShell\n"
    "shell = InteractiveShell.instance()\n"
    "for cell in json.loads(sys.argv[1]):\n"
    "    result = shell.run_cell(cell, store_history=True)\n"
    "    if not result.success: sys.exit(1)\n"
)


def start(folder, stops_at_step=-1):
    """Run the cells in a process of its own, which waits for the kill before this step."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "LAB_BUDGET": "ci", "STOPS_AT_STEP": str(stops_at_step)}
    environment["IPYTHONDIR"] = str(folder / ".ipython")
    return subprocess.Popen([sys.executable, "-c", PLAYER, json.dumps(CELLS)], cwd=folder, env=environment)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The result of a training that is not interrupted."""
    folder = tmp_path_factory.mktemp("undisturbed")
    assert start(folder).wait(120) == 0
    return json.loads((folder / "result.json").read_text())


def test_a_killed_training_continues_to_the_same_weights(undisturbed, tmp_path):
    process = start(tmp_path, stops_at_step=17)
    assert await_event((tmp_path / "stopped").exists, process, "the 17th step")
    assert (tmp_path / "drive" / "net.safetensors").exists()
    process.send_signal(signal.SIGKILL)
    process.wait(20)
    assert not (tmp_path / "result.json").exists(), "it was not interrupted"
    assert start(tmp_path).wait(120) == 0
    resumed = json.loads((tmp_path / "result.json").read_text())
    assert len(resumed["history"]) == 40
    assert resumed == undisturbed


@pytest.mark.slow
def test_without_the_file_it_starts_again(undisturbed, tmp_path):
    assert start(tmp_path).wait(120) == 0
    again = json.loads((tmp_path / "result.json").read_text())
    assert again == undisturbed and len(set(again["history"])) == 40
