"""Exercise 1.5: a loss written with Python's own numbers, sample by sample, passes both verdicts."""

import math

import pytest
import torch

from autograder.exercises.lab1.classifier_loss import verdict
from utils.checks.challenge import Challenge
from utils.checks.exercise import run_probe
from utils.checks.judging import judge_with
from utils.checks.lab1.classifier_loss import EXERCISE, check


class LoopTrainer:
    """Takes -log p(y | x, t) one sample at a time; the gradient is that of the same sum."""

    def __init__(self, model, data, add_noise, t_min):
        self.model, self.data, self.add_noise, self.t_min = model, data, add_noise, t_min

    def times(self, x0):
        return torch.empty(len(x0), 1, 1, device=x0.device, dtype=x0.dtype).uniform_(self.t_min, 1)

    def get_train_loss(self, batch_size):
        x0, y = self.data.sample(batch_size)
        t = self.times(x0)
        logits = self.model(self.add_noise(x0, t, torch.randn_like(x0)), t)
        if logits.device.type == "meta":
            return logits.sum()
        total = 0.0
        for row, label in zip(logits, y.tolist()):
            probs = [math.exp(value) for value in row.tolist()]
            slope = torch.tensor([p / sum(probs) - (k == label) for k, p in enumerate(probs)], dtype=row.dtype)
            value = math.log(sum(probs)) - row[label].item()
            total = total + value + (slope * (row - row.detach())).sum()
        return total / batch_size


class LateTrainer(LoopTrainer):
    """Draws times between 0.6 and 1 only, so that the classifier never sees little noise."""

    def times(self, x0):
        return torch.empty(len(x0), 1, 1, device=x0.device, dtype=x0.dtype).uniform_(0.6, 1)


def verdicts_on(trainer: type, challenge: Challenge):
    evidence = run_probe(EXERCISE, {"ClassifierTrainer": trainer}, challenge)
    return [judge_with(judged, challenge, evidence) for judged in (check, verdict)]


@pytest.mark.parametrize("key", [b"a key", b"another"])
def test_the_oracle_passes(key):
    for result in verdicts_on(LoopTrainer, Challenge(EXERCISE.name, key)):
        assert result.points == EXERCISE.points and not result.findings, result.findings


def test_check_and_verdict_refuse_the_same_times():
    for result in verdicts_on(LateTrainer, Challenge.public(EXERCISE.name)):
        assert [finding.code for finding in result.findings] == ["time_distribution"]
