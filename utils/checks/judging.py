"""Verdicts: what a judge says of evidence. Points, and findings that a good teaching assistant would write."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.faults import fault_of

FALSE_ALARM = 1e-6  # the most that an exercise may risk of refusing a right answer

Mistakes = Sequence[tuple[str, str, Tensor]]  # code, message, what that mistake gives

UNJUDGED = "The grader could not judge this part of your answer by itself. A person will look at it."
PROBE_FAILED = "The grader's own test of this exercise failed. It is not your fault, and a person will look at it."


@dataclass(frozen=True)
class Finding:
    """One thing that was seen: a code for machines, a message for the student."""

    code: str
    message: str


@dataclass
class Verdict:
    points: float
    max_points: float
    findings: list[Finding] = field(default_factory=list)
    false_alarm: float = 0.0  # the chance that this verdict refuses a right answer
    faults: list[str] = field(default_factory=list)  # errors of the grader's own code, for instructors


class Failure(Exception):
    """Ends a part of an exercise with a finding."""

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.finding = Finding(code, message)


class Judge:
    """Reads one exercise's evidence. `with judge.part(…)` holds what earns points; `fail` ends it without them."""

    def __init__(self, challenge: Challenge, evidence: Evidence):
        self.challenge = challenge
        self.evidence = evidence
        self.points = 0.0
        self.max_points = 0.0
        self.findings: list[Finding] = []
        self.false_alarm = 0.0
        self.faults: list[str] = []
        self._cost: float | None = None

    # --- points

    @contextmanager
    def part(self, name: str, points: float) -> Iterator[None]:
        """Worth `points` if nothing in the block fails."""
        self.max_points += points
        self._cost = 0.0
        try:
            yield
        except Failure as failure:
            self._add(failure.finding)
        except AssertionError:
            raise  # the exercise itself is wrong, such as levels that add up to too much
        except Exception as error:
            # What a student's code hands over can be anything. Only this part is lost, and a person looks at it.
            self._add(Finding("needs_a_person", UNJUDGED))
            self._add_fault(fault_of(error))
        else:
            self.points += points * max(0.0, 1.0 - self._cost)
        finally:
            self._cost = None

    def fail(self, code: str, message: str) -> None:
        raise Failure(code, message)

    def require(self, condition: object, code: str, message: str) -> None:
        if not bool(condition):
            raise Failure(code, message)

    def note(self, code: str, message: str, cost: float = 0.0) -> None:
        """A finding that does not end the part; it takes the fraction `cost` of its points."""
        self._add(Finding(code, message))
        if self._cost is not None:
            self._cost += cost

    def level(self, alpha: float) -> float:
        """Declare a statistical test with this chance of failing a right answer."""
        self.false_alarm += alpha
        assert self.false_alarm <= FALSE_ALARM * (1 + 1e-9), (
            f"{self.evidence.exercise}: levels add up to {self.false_alarm}"
        )
        return alpha

    def verdict(self) -> Verdict:
        return Verdict(self.points, self.max_points, self.findings, self.false_alarm, self.faults)

    def _add(self, finding: Finding) -> None:
        if finding not in self.findings:
            self.findings.append(finding)

    def _add_fault(self, fault: str) -> None:
        if fault not in self.faults:
            self.faults.append(fault)

    # --- reading the evidence

    def attempt(self, name: str) -> None:
        """Fail if the attempt of this name raised, or never took place."""
        error = self.evidence.errors.get(name) or self.evidence.errors.get("probe")
        if error is not None:
            if where := error.get("where"):
                self._add_fault(f"{error.get('type')}: {gist(str(error.get('message')))} ({where})")
            raise Failure(*explain(error))

    def kind(self, name: str) -> str:
        """The Python type behind the evidence of this name."""
        self.attempt(name.split("/")[0])
        if name not in self.evidence.kinds:
            raise Failure("no_evidence", "The grader saw nothing of this part of the exercise. Was its cell run?")
        return self.evidence.kinds[name]

    def tensor(
        self,
        name: str,
        shape: Sequence[int] | None = None,
        what: str = "The result",
        finite: bool = True,
        dtype: torch.dtype | None = None,
    ) -> Tensor:
        """The tensor of this name, in float64 if it is real; each way of not being one has its finding."""
        kind = self.kind(name)
        if kind == "NoneType":
            raise Failure("returned_none", f"{what} is None. Does every path of your function end in a `return`?")
        if kind.endswith((" tensor", " array")):
            raise Failure("wrong_dtype", f"{what} is a {kind}. Ordinary real numbers were asked for.")
        if kind.startswith("tensor with "):
            raise Failure("wrong_shape", f"{what} is a {kind}: far more than was asked for.")
        if kind not in ("tensor", "array"):
            raise Failure("not_a_tensor", f"{what} is a Python {kind}, where a tensor was asked for.")
        tensor = self.evidence.tensors.get(name)
        if tensor is None:
            raise Failure("no_evidence", f"{what} did not reach the grader.")
        if shape is not None and tuple(tensor.shape) != tuple(shape):
            raise Failure(
                "wrong_shape", f"{what} should have the shape {tuple(shape)}, and came with {tuple(tensor.shape)}."
            )
        if shape is None and tensor.numel() == 0:
            raise Failure("wrong_shape", f"{what} has no numbers in it: its shape is {tuple(tensor.shape)}.")
        if dtype is not None and tensor.dtype != dtype:
            seen, wanted = (str(d).removeprefix("torch.") for d in (tensor.dtype, dtype))
            raise Failure("wrong_dtype", f"{what} should have the dtype {wanted}, and came with {seen}.")
        if tensor.is_floating_point():
            tensor = tensor.double()
            if finite and not bool(torch.isfinite(tensor).all()):
                raise Failure(
                    "not_finite", f"{what} contains NaN or infinity. Look for a division by zero or a log of zero."
                )
        return tensor

    def precise(self, name: str, wanted: torch.dtype, what: str = "The result") -> None:
        """Fail if the tensor of this name has lost digits: integers, or a shorter float than `wanted`. Longer is fine."""
        seen = self.evidence.tensors[name].dtype
        if torch.promote_types(seen, wanted) != seen:
            came, asked = (str(d).removeprefix("torch.") for d in (seen, wanted))
            raise Failure(
                "wrong_dtype",
                f"{what} came back as {came}, where the inputs were {asked}: digits are lost. "
                "Create new tensors in the dtype of the inputs, and convert none.",
            )

    def number(self, name: str, what: str = "The result", finite: bool = True) -> float:
        """A Python number, or a tensor with one element."""
        kind = self.kind(name)
        if kind in ("str", "dict", "tuple", "list"):
            raise Failure("not_a_number", f"{what} is a Python {kind}, where a number was asked for.")
        if kind in ("int", "float", "bool"):
            value = torch.tensor(as_float(self.evidence.values.get(name)), dtype=torch.float64)
        else:
            value = self.tensor(name, what=what, finite=finite)
            if value.numel() != 1:
                raise Failure(
                    "wrong_shape", f"{what} should be a single number, and came with the shape {tuple(value.shape)}."
                )
        if finite and not bool(torch.isfinite(value).all()):
            raise Failure("not_finite", f"{what} is NaN or infinite.")
        return float(value)

    def value(self, name: str, kind: type):
        """A JSON value that the probe itself wrote; anything else in its place is damaged evidence."""
        self.attempt(name.split("/")[0])
        value = self.evidence.values.get(name)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise Failure("no_evidence", "A part of the grader's record is missing or damaged.")
        return value

    def device(self, attempt: str = "device", cost: float = 0.25) -> None:
        """Note code that works on one device only. The attempt ran on torch's `meta` device: shapes, no numbers."""
        error = self.evidence.errors.get(attempt)
        if error is not None and is_device_error(error):
            self.note(
                "hard_coded_device",
                "Your code mixes devices: something it creates stays on one fixed device. "
                "Create new tensors where the inputs are, for example with `device=x.device`.",
                cost,
            )

    # --- comparing

    def close(self, actual: Tensor, expected: Tensor, rtol: float = 1e-6, atol: float = 1e-9) -> bool:
        """Largest difference at most rtol times the largest expected value, plus atol. NaN is never close."""
        if actual.shape != expected.shape:
            return False
        if actual.numel() == 0:
            return True
        actual, expected = actual.double(), expected.double()
        if not bool(expected.isfinite().all()):
            return False  # a tolerance of infinity would let everything pass
        return bool((actual - expected).abs().max() <= atol + rtol * expected.abs().max())

    def compare(
        self,
        actual: Tensor,
        expected: Tensor,
        mistakes: Mistakes | Callable[[], Mistakes] = (),
        otherwise: tuple[str, str] = ("wrong_value", "The numbers differ from the formula in the statement."),
        rtol: float = 1e-6,
        atol: float = 1e-9,
    ) -> None:
        """Fail unless `actual` is `expected`. `mistakes` are (code, message, what that mistake gives).

        Where they are costly, give a function that makes them: most answers are right, and need none.
        """
        if self.close(actual, expected, rtol, atol):
            return
        for code, message, wrong in mistakes() if callable(mistakes) else mistakes:
            if self.close(actual, wrong, rtol, atol):
                raise Failure(code, message)
        raise Failure(*otherwise)


def as_float(value: object) -> float:
    """A number of the evidence, where NaN and infinity stand as text; NaN if it is none."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")


def is_device_error(error: dict[str, object]) -> bool:
    words = str(error.get("message", "")).lower()
    return any(
        hint in words
        for hint in (
            "same device",
            "expected device",
            "not compiled with cuda",
            "found no nvidia",
            "no cuda gpus",
            "invalid device",
        )
    )


def explain(error: dict[str, object]) -> tuple[str, str]:
    """Code and message for an exception of the student's code."""
    kind, words, line = (str(error.get(key) or "") for key in ("type", "message", "line"))
    bases = error.get("bases")
    bases = bases if isinstance(bases, list) else []
    at = f" The line is `{line}`." if line else ""
    if kind == "MissingName":
        return "missing_name", f"The notebook does not define `{words}`. Was the cell deleted, renamed, or did it fail?"
    if kind == "WrongSignature":
        return "wrong_signature", f"{words}. Keep the arguments as the statement gives them."
    if error.get("fault") is True:
        return "needs_a_person", PROBE_FAILED
    if "NotImplementedError" in bases:
        return "not_implemented", "Not answered yet: the cell still raises NotImplementedError."
    if is_device_error(error):
        return "hard_coded_device", f"Your code works on one device only: {gist(words)}.{at}"
    if kind in ("TypeCheckError", "TypeCheckException"):
        return "wrong_shape", f"A tensor is not what the signature promises: {broken_promise(words)}.{at}"
    if kind in ("SystemExit", "KeyboardInterrupt"):
        return "raised", f"Your code ended the program ({kind}).{at}"
    what = f"{kind}: {gist(words)}" if words else kind
    if error.get("where"):
        return "raised", f"The test of your answer could not use your code or what it returned: {what}."
    return "raised", f"Your code raised {what}.{at}"


def gist(words: str) -> str:
    """An error message on one line without its last stop. Of torch's lists of possible calls only what came is kept."""
    words = " ".join(words.split(", but expected one of:")[0].split())
    return words.rstrip(".:; ")


def judge_with(verdict, challenge: Challenge, evidence: Evidence) -> Verdict:
    """Run one verdict function on evidence."""
    judge = Judge(challenge, evidence)
    verdict(judge)
    return judge.verdict()


def broken_promise(words: str) -> str:
    """What jaxtyping found, without the list of all that it looked at."""
    name, seen, wanted = (
        re.search(pattern, words)
        for pattern in (
            r"typechecking parameter '(\w+)'",
            r"Actual value: (.+)",
            r"Expected type: (?:<class ')?(.+?)(?:'>)?\.?(?:\n|$)",
        )
    )
    if seen is None or wanted is None:
        return gist(words)
    thing = f"`{name[1]}`" if name else "what comes back"
    return f"{thing} is {seen[1]}, expected `{wanted[1]}`"
