"""The kit that records what a graded function leaves behind."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from torch import nn

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.judging import judge_with
from utils.checks.kits.left_behind import require_nothing_left, watching
from utils.checks.settings import settings
from utils.checks.student import pinned

CHALLENGE = Challenge.public("lab4.cfg_drift")


def set_gpu_precision(precision):
    """Set one backend by the new interface, after which torch has no single name for the precision."""
    torch.backends.cuda.matmul.fp32_precision = precision


RUDE = {
    "eval": (lambda model, x: model.eval(), "mode_left"),
    "eval of a part": (lambda model, x: model[1].eval(), "mode_left"),
    "frozen": (lambda model, x: model.requires_grad_(False), "requires_grad_left"),
    "input frozen": (lambda model, x: x.requires_grad_(False), "requires_grad_left"),
    "backward": (lambda model, x: model(x).sum().backward(), "gradient_left"),
    "zero_grad": (lambda model, x: model.zero_grad(), "gradient_cleared"),
    "grad zeroed": (lambda model, x: x.grad.zero_(), "gradient_cleared"),
    "step": (lambda model, x: model[0].weight.data.add_(1), "parameter_changed"),
    "torch seeded": (lambda model, x: torch.manual_seed(0), "seed_left"),
    "numpy seeded": (lambda model, x: (np.random.seed(3), np.random.rand()), "seed_left"),
    "random seeded": (lambda model, x: random.seed(3), "seed_left"),
    "default dtype": (lambda model, x: torch.set_default_dtype(torch.float64), "setting_left"),
    "default device": (lambda model, x: torch.set_default_device("meta"), "setting_left"),
    "gradients off": (lambda model, x: torch.set_grad_enabled(False), "setting_left"),
    "anomaly": (lambda model, x: torch.autograd.set_detect_anomaly(True), "setting_left"),
    "matrix products": (lambda model, x: torch.set_float32_matmul_precision("medium"), "setting_left"),
    "matrix products on a GPU": (lambda model, x: set_gpu_precision("tf32"), "setting_left"),
    "cudnn": (lambda model, x: setattr(torch.backends.cudnn, "benchmark", True), "setting_left"),
    "numpy's errors": (lambda model, x: np.seterr(all="ignore"), "setting_left"),
}


def codes_of(function):
    """Return the codes of the findings on a function of a model and an input, called in two runs."""
    evidence, runs = Evidence("lab4.cfg_drift"), ["first", "second"]
    torch.manual_seed(12)  # another seed than any below
    for run in runs:
        model, x = nn.Sequential(nn.Linear(2, 1), nn.Dropout(0.5)), torch.ones(3, 2, requires_grad=True)
        with watching(evidence, run, model=model, x=x):
            function(model, x)

    def verdict(judge):
        with judge.part("all", 1):
            require_nothing_left(judge, runs)

    return [finding.code for finding in judge_with(verdict, CHALLENGE, evidence).findings]


@pytest.mark.parametrize(("function", "code"), RUDE.values(), ids=RUDE)
def test_what_stays_changed_is_a_finding_and_settings_are_restored(function, code):
    before = settings()
    assert codes_of(function) == [code]
    assert settings() == before


def polite(model, x):
    """Change everything, and restore it."""
    training = model.training
    model.eval()
    with torch.no_grad():
        model(x)
    model.train(training)
    torch.rand(3, generator=torch.Generator().manual_seed(0))
    np.random.rand(2000), random.random(), torch.rand(5)
    torch.autograd.grad(model(x).sum(), x)
    with torch.random.fork_rng():
        torch.manual_seed(0)


def test_what_is_restored_is_no_finding():
    assert codes_of(polite) == []


def test_the_gradient_that_shows_a_clearing_is_gone_at_the_end():
    evidence, model = Evidence("lab4.cfg_drift"), nn.Linear(1, 1)
    with watching(evidence, "run", model=model):
        assert model.weight.grad is not None
    assert model.weight.grad is None


def test_an_exception_loses_no_record():
    evidence, model = Evidence("lab4.cfg_drift"), nn.Linear(1, 1)
    with evidence.attempt("run"), watching(evidence, "run", model=model):
        model.eval()
        raise ValueError
    assert evidence.values["run/left_behind.0"] == "mode: model"


def test_a_setting_that_one_probe_leaves_does_not_hide_from_the_next():
    """Also where nobody watched the call that left it."""
    before = settings()
    with pinned(Challenge.public("lab4.cfg_drift")):
        torch.autograd.set_detect_anomaly(True)
        torch.use_deterministic_algorithms(True)
        torch.set_num_threads(before["torch's number of threads"] + 1)
    assert settings() == before
    with torch.autograd.set_detect_anomaly(True), pinned(Challenge.public("lab4.cfg_drift")):
        assert not torch.is_anomaly_enabled()
