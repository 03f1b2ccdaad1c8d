"""Training fits, resumes exactly, survives a kill, and names damaged files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
import torch
from torch import nn

from tests.events import await_event
from utils.runtime import seed_everything
from utils.training import Trainer, load_tensors, load_weights, save_tensors, save_weights, warmup_stable_decay


class Line(Trainer):
    """Fits y = 2 x + 1 from noisy pairs."""

    def get_train_loss(self, batch_size):
        x = torch.rand(batch_size, 1)
        return ((self.model(x) - (2 * x + 1 + 0.1 * torch.randn_like(x))) ** 2).mean()


def line(tmp_path, name="line", **options):
    seed_everything(0)
    trainer = Line(nn.Linear(1, 1))
    trainer.train(options.pop("steps", 200), "cpu", lr=0.05, batch_size=32, checkpoint=tmp_path / name, **options)
    return trainer


def test_training_fits_and_ends_in_eval_mode(tmp_path):
    trainer = line(tmp_path, steps=400, ema=0.98)
    assert not trainer.model.training
    assert trainer.model.weight.item() == pytest.approx(2, abs=0.1)
    assert trainer.model.bias.item() == pytest.approx(1, abs=0.1)
    assert len(trainer.history) == 400 and trainer.history[-1] < 0.1 * trainer.history[0]


def test_a_run_that_was_cut_is_the_same_as_one_that_was_not(tmp_path):
    class Cut(Exception):
        pass

    def stop(trainer):
        if len(trainer.history) == 90:
            raise Cut

    whole = line(tmp_path, "whole", ema=0.9, save_seconds=0)
    with pytest.raises(Cut):
        line(tmp_path, "cut", ema=0.9, save_seconds=0, on_save=stop)
    torch.manual_seed(12345)  # another process has another state
    resumed = Line(nn.Linear(1, 1))
    resumed.train(200, "cpu", lr=0.05, batch_size=32, ema=0.9, checkpoint=tmp_path / "cut")
    assert resumed.history == whole.history
    assert torch.equal(resumed.model.weight, whole.model.weight)


def test_kill_9_loses_only_the_interval(tmp_path):
    """A process that is killed while it writes leaves a whole checkpoint behind."""
    program = (
        "import sys, torch; from tests.utils.test_training import line; from pathlib import Path\n"
        "print('started', flush=True); line(Path(sys.argv[1]), steps=10**6, save_seconds=0)"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, env=os.environ)
    process.stdout.readline()
    written: set[int] = set()

    def saved_often() -> bool:
        """Every checkpoint is a new file that replaces the last one."""
        if (tmp_path / "line").exists():
            written.add((tmp_path / "line").stat().st_mtime_ns)
        return len(written) > 5

    assert await_event(saved_often, process, "five checkpoints", 60)
    process.send_signal(signal.SIGKILL)
    process.wait()
    tensors, facts = load_tensors(tmp_path / "line")
    done = len(tensors["history"])
    assert done > 0 and facts["seconds"] > 0
    resumed = Line(nn.Linear(1, 1))
    resumed.train(done + 5, "cpu", lr=0.05, batch_size=32, checkpoint=tmp_path / "line")
    assert len(resumed.history) == done + 5
    assert resumed.history[:done] == tensors["history"].tolist()


@pytest.mark.parametrize(
    "damage", [lambda whole: whole[:100], lambda whole: whole[:-3], lambda whole: b"", lambda whole: b"x" * 99]
)
def test_a_damaged_checkpoint_is_named(tmp_path, damage):
    line(tmp_path, steps=5)
    path = tmp_path / "line"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(RuntimeError, match=r"line is damaged.*delete it"):
        line(tmp_path, steps=8)


def test_other_errors_are_not_called_damage(tmp_path):
    line(tmp_path, steps=5)
    with pytest.raises(RuntimeError) as error:  # torch has no such device: its own words
        load_tensors(tmp_path / "line", "cuda:99")
    assert "damaged" not in str(error.value)
    with pytest.raises(FileNotFoundError):
        load_tensors(tmp_path / "none")


def test_a_second_call_continues_and_a_finished_run_is_unchanged(tmp_path):
    torch.manual_seed(0)
    trainer = Line(nn.Linear(1, 1))
    first = list(trainer.train(5, "cpu", batch_size=8))
    assert trainer.train(8, "cpu", batch_size=8)[:5] == first and len(trainer.history) == 8
    before = trainer.model.weight.clone()
    assert len(trainer.train(8, "cpu", batch_size=8)) == 8 and torch.equal(trainer.model.weight, before)


def test_a_loss_that_explodes_stops_the_run(tmp_path):
    class Bad(Line):
        def get_train_loss(self, batch_size):
            return self.model.weight.sum() * float("nan")

    with pytest.raises(FloatingPointError, match="step 0"):
        Bad(nn.Linear(1, 1)).train(5, "cpu", batch_size=1)


def test_the_learning_rate_rises_stays_and_falls():
    rates = [warmup_stable_decay(i, 1000) for i in range(1000)]
    assert rates[0] < 0.1 and max(rates) == 1 and rates[500] == 1 and rates[-1] < 0.01
    assert rates[700:] == sorted(rates[700:], reverse=True)
    long, short = ([warmup_stable_decay(i, steps) for i in range(100, 3000)] for steps in (9000, 7000))
    assert long == short


def test_weights_go_to_disk_and_back(tmp_path):
    net = nn.Linear(3, 2)
    save_weights(net, tmp_path / "w.safetensors", {"seed": 1})
    other = nn.Linear(3, 2)
    assert load_weights(other, tmp_path / "w.safetensors") == {"seed": 1}
    assert torch.allclose(other.weight, net.weight, atol=1e-3) and not other.training
    save_tensors({"a": torch.ones(2).expand(3, 2)}, tmp_path / "t")  # not contiguous
    assert oct((tmp_path / "t").stat().st_mode & 0o777) == "0o644"
