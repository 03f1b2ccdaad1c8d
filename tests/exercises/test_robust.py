"""Verdicts on damaged evidence and on odd return values are findings, never a traceback of the grader's own."""

from __future__ import annotations

import copy
import functools
import random
import re

import pytest
import torch
from torch import Tensor

from autograder.course.labs import labs
from autograder.exercises.find_verdict import find_verdict
from autograder.judging.evidence import unpack
from autograder.validation.kill_matrix import challenge_number
from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.exercise import load, run_probe
from utils.checks.judging import judge_with

# CI takes so many damages of each exercise, the same ones every time; all of them take minutes.
DAMAGES = [pytest.param(12, id=""), pytest.param(None, id="all", marks=pytest.mark.slow)]
EXERCISES = [pytest.param(lab, entry, id=entry.name) for lab in labs() for entry in load(lab.short) if not entry.manual]
by_exercise = pytest.mark.parametrize("lab, entry", EXERCISES)


def verdict_functions(entry):
    return {"hidden": find_verdict(entry), "public": entry.public}


def judged(entry, which: str, challenge: Challenge, evidence: Evidence):
    """The verdict itself, without the net that catches what a verdict raises."""
    verdict = judge_with(verdict_functions(entry)[which], challenge, evidence)
    assert 0 <= verdict.points <= verdict.max_points
    assert verdict.findings or verdict.points == verdict.max_points, "points are gone without a word"
    return verdict


# --- damaged evidence


def set_tensor(change):
    def damage(evidence: Evidence, name: str) -> None:
        tensor = change(evidence.tensors[name])
        evidence.tensors[name] = tensor
        evidence.values[f"{name}.dtype"] = str(tensor.dtype).removeprefix("torch.")
        evidence.values[f"{name}.shape"] = list(tensor.shape)

    return damage


def set_kind(kind: str, value: object = None):
    def damage(evidence: Evidence, name: str) -> None:
        evidence.tensors.pop(name, None)
        evidence.kinds[name] = kind
        evidence.values[name] = value

    return damage


def set_value(value: object):
    def damage(evidence: Evidence, name: str) -> None:
        evidence.values[name] = value
        if name in evidence.kinds:
            evidence.kinds[name] = type(value).__name__

    return damage


def remove(*parts: str):
    def damage(evidence: Evidence, name: str) -> None:
        for part in parts:
            getattr(evidence, part).pop(name, None)

    return damage


def first(tensor: Tensor, value: float) -> Tensor:
    tensor = tensor.double() if tensor.is_floating_point() else tensor.clone()
    if tensor.numel():
        if not tensor.is_floating_point():
            value = 1 if tensor.dtype == torch.bool else min(10**12, torch.iinfo(tensor.dtype).max)
        tensor.view(-1)[0] = value
    return tensor


TENSOR_DAMAGES = {
    "all NaN": set_tensor(lambda t: torch.full_like(t.double(), torch.nan)),
    "one NaN": set_tensor(lambda t: first(t, float("nan"))),
    "infinite": set_tensor(lambda t: first(t, float("inf"))),
    "enormous": set_tensor(lambda t: first(t, -1e300)),
    "empty": set_tensor(lambda t: t[:0] if t.dim() else t.reshape(1)[:0]),
    "no axes": set_tensor(lambda t: torch.zeros((), dtype=t.dtype)),
    "an axis more": set_tensor(lambda t: t[None]),
    "flat": set_tensor(lambda t: t.reshape(-1)),
    "one row": set_tensor(lambda t: t[:1] if t.dim() else t),
    "a row more": set_tensor(lambda t: torch.cat([t, t[:1]]) if t.dim() else t.reshape(1).repeat(2)),
    "another width": set_tensor(lambda t: torch.cat([t, t], dim=-1) if t.dim() else t),
    "integers": set_tensor(lambda t: t.nan_to_num().to(torch.int64)),
    "truth values": set_tensor(lambda t: t > 0),
    "half precision": set_tensor(lambda t: t.to(torch.float16)),
    "constant": set_tensor(lambda t: torch.ones_like(t)),
    "negative": set_tensor(lambda t: -1 - t.double().abs() if t.is_floating_point() else -1 - t.long().abs()),
    "missing": remove("tensors", "kinds", "values"),
    "lost on the way": remove("tensors"),
    "None": set_kind("NoneType"),
    "a Python float": set_kind("float", 0.25),
    "a number that is none": set_kind("float", "not a number"),
    "a dictionary": set_kind("dict", None),
}
VALUE_DAMAGES = {
    "missing": remove("values", "kinds"),
    "None": set_value(None),
    "NaN": set_value("nan"),
    "a text": set_value("a text"),
    "negative": set_value(-1),
    "enormous": set_value(2**52),
    "a truth value": set_value(True),
    "a fraction": set_value(0.5),
    "a list": set_value([1, "x", None]),
    "nothing in it": set_value([]),
}
ERROR_DAMAGES = (
    {},
    {"type": "RuntimeError", "bases": ["RuntimeError"], "message": "m", "line": "x = 1"},
    {"type": None, "bases": None, "message": None, "line": None},
    {"type": 3, "bases": 3, "message": [1], "line": True},
    {"type": "WrongSignature", "bases": ["TypeError"], "message": "", "line": None},
)


def representatives(names) -> list[str]:
    """One name of each family: `call7/loss` and `call8/loss` are alike."""
    families: dict[str, str] = {}
    for name in names:
        families.setdefault(re.sub(r"\d+", "#", name), name)
    return list(families.values())


def damages(evidence: Evidence) -> list[tuple[str, str, object]]:
    found = [(name, what, how) for name in representatives(evidence.tensors) for what, how in TENSOR_DAMAGES.items()]
    plain = [name for name in evidence.values if not name.endswith((".dtype", ".shape", ".requires_grad"))]
    found += [(name, what, how) for name in representatives(plain) for what, how in VALUE_DAMAGES.items()]
    marks = [name for name in evidence.values if name.endswith((".dtype", ".shape", ".requires_grad"))]
    found += [(name, what, VALUE_DAMAGES[what]) for name in representatives(marks) for what in ("missing", "a text")]
    attempts = representatives({name.split("/")[0] for name in evidence.kinds} | {"probe", "device"})
    for attempt in sorted(attempts):
        for i, error in enumerate(ERROR_DAMAGES):
            found.append(
                (attempt, f"error {i}", lambda evidence, name, error=error: evidence.errors.update({name: error}))
            )
    return found


@by_exercise
@pytest.mark.parametrize("at_most", DAMAGES)
def test_damaged_evidence_is_judged_without_an_error_of_the_grader(at_most, lab, entry, solved_lab):
    challenge = challenge_number(entry, 0)
    good = run_probe(entry, solved_lab(lab).namespace, challenge)
    cases = damages(good)
    if at_most is not None and len(cases) > at_most:
        cases = random.Random(entry.name).sample(cases, at_most)
    broken, by_hand, found = [], [], 0
    for name, what, how in cases:
        for which in ("hidden", "public"):
            evidence = copy.copy(good)
            evidence.tensors, evidence.values = dict(good.tensors), dict(good.values)
            evidence.kinds, evidence.errors = dict(good.kinds), dict(good.errors)
            how(evidence, name)
            try:
                codes = [finding.code for finding in judged(entry, which, challenge, evidence).findings]
                found += bool(codes)
                by_hand += [f"{which} verdict, {name} {what}"] if "needs_a_person" in codes else []
            except Exception as error:
                broken.append(f"{which} verdict, {name} {what}: {type(error).__name__}: {error}")
    assert not broken, f"{len(broken)} of {2 * len(cases)}:\n" + "\n".join(broken[:40])
    assert len(by_hand) <= 0.05 * 2 * len(cases), "left to a person:\n" + "\n".join(by_hand)
    assert found > len(cases) // 2, "most damages are found"


# --- answers that return odd things


def deep(change, thing):
    """Change every tensor and number in what an answer returned."""
    if isinstance(thing, dict):
        return {key: deep(change, item) for key, item in thing.items()}
    if hasattr(thing, "_fields"):  # a named tuple takes its items one by one
        return type(thing)(*(deep(change, item) for item in thing))
    if isinstance(thing, (tuple, list)):
        return type(thing)(deep(change, item) for item in thing)
    return change(thing)


def nan(thing):
    if isinstance(thing, Tensor):
        return thing * torch.nan
    return float("nan") if isinstance(thing, (int, float)) else thing


def apart(thing):
    """The same tensor with gaps between its numbers."""
    if not isinstance(thing, Tensor) or thing.dim() == 0 or thing.device.type == "meta":
        return thing
    return torch.stack([thing, thing], dim=-1)[..., 0]


def another_shape(thing):
    """An axis more, or three numbers for one. Not longer: a sampler's loop would make it longer and longer."""
    if not isinstance(thing, Tensor):
        return [thing, thing, thing]
    return thing[None] if thing.dim() else thing.repeat(3)


def raises(_):
    raise RuntimeError("from the test")


def exits(_):
    raise SystemExit(1)


def as_complex(thing):
    return thing.to(torch.complex64) if isinstance(thing, Tensor) else complex(thing)


ODD = {
    "None": lambda thing: None,
    "a Python float": lambda thing: 0.25,
    "a text": lambda thing: "nonsense",
    "NaN": functools.partial(deep, nan),
    "another shape": functools.partial(deep, another_shape),
    "complex numbers": functools.partial(deep, as_complex),
    "empty": functools.partial(deep, lambda t: t.reshape(-1)[:0] if isinstance(t, Tensor) else []),
    "an error": raises,
    "an exit": exits,
    "a list around it": lambda thing: [thing],
    "an object": lambda thing: object(),
}  # fmt: skip


TOLD_APART = ("None", "a Python float", "an error", "an exit")  # by the words of their findings
SOME_ODD = (*TOLD_APART, "NaN", "another shape")


def altered(thing, change, inputs=lambda value: value):
    """A graded function or class whose results are changed; of a class, those of each public method of its own."""
    if not isinstance(thing, type):

        @functools.wraps(thing)
        def wrapper(*args, **kwargs):
            args, kwargs = tuple(map(inputs, args)), {key: inputs(value) for key, value in kwargs.items()}
            return change(thing(*args, **kwargs))

        return wrapper
    own = {
        name: altered(method, change, inputs)
        for name, method in vars(thing).items()
        if callable(method) and not name.startswith("_") and not isinstance(method, (type, staticmethod, classmethod))
    }
    own |= {"forward": altered(thing.forward, change, inputs)} if "forward" in vars(thing) else {}
    return type(thing.__name__, (thing,), own)


def with_changed(solved, entry, change, **options):
    return solved.namespace | {name: altered(solved.namespace[name], change, **options) for name in entry.names}


@by_exercise
@pytest.mark.parametrize("odd", [pytest.param(SOME_ODD, id=""), pytest.param([*ODD], id="all", marks=pytest.mark.slow)])
def test_odd_results_are_findings_each_its_own(odd, lab, entry, solved_lab):
    said = {}
    for what in odd:
        namespace = with_changed(solved_lab(lab), entry, ODD[what])
        for which, challenge in (("hidden", challenge_number(entry, 0)), ("public", Challenge.public(entry.name))):
            evidence = run_probe(entry, namespace, challenge)
            arrived = unpack(entry, evidence.to_json(), evidence.to_safetensors())
            verdict = judged(entry, which, challenge, arrived)
            assert verdict.points < verdict.max_points, f"{which}: {what} gets all points"
            assert "needs_a_person" not in {finding.code for finding in verdict.findings}, f"{which}: {what}"
            said[which, what] = tuple(sorted((f.code, re.sub(r"\d+", "#", f.message)) for f in verdict.findings))
    for which in ("hidden", "public"):
        messages = [said[which, what] for what in TOLD_APART]
        assert len(set(messages)) == len(messages), f"{which}: {messages}"
    for what in ("an error", "an exit"):
        assert {code for code, _ in said["hidden", what]} == {"raised"}, said["hidden", what]


@by_exercise
def test_gaps_between_numbers_make_no_difference(lab, entry, solved_lab):
    """Inputs and results as tensors that are not contiguous."""
    namespace = with_changed(solved_lab(lab), entry, functools.partial(deep, apart), inputs=apart)
    for which, challenge in (("hidden", challenge_number(entry, 1)), ("public", Challenge.public(entry.name))):
        verdict = judged(entry, which, challenge, run_probe(entry, namespace, challenge))
        assert not verdict.findings and verdict.points == verdict.max_points, verdict.findings


@by_exercise
def test_without_evidence_every_part_says_so(lab, entry):
    for which in ("hidden", "public"):
        verdict = judged(entry, which, challenge_number(entry, 0), Evidence(entry.name))
        assert verdict.points == 0 and verdict.findings
        assert "needs_a_person" not in {finding.code for finding in verdict.findings}


@by_exercise
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_challenge_on_the_gpu_gets_the_same_verdict(lab, entry, solved_lab):
    challenge = challenge_number(entry, 0)
    verdict = judged(entry, "hidden", challenge, run_probe(entry, solved_lab(lab).namespace, challenge.on("cuda")))
    assert verdict.points == entry.points, verdict.findings
