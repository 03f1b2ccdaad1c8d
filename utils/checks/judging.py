"""Judges: read the evidence of an exercise and conclude points and findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import torch
from torch import Tensor

from utils.checks.challenge import Challenge
from utils.checks.evidence import COMPLETED, Evidence
from utils.checks.explain import DEVICE_NOT_SHOWN, RESULT_ELSEWHERE, device_finding, explain, gist, is_device_error
from utils.checks.faults import fault_of
from utils.checks.findings import Failure, Finding, Verdict

__all__ = ["FALSE_ALARM", "Failure", "Finding", "Judge", "Mistakes", "Verdict", "as_float", "explain", "judge_with"]

FALSE_ALARM = 1e-6  # the largest probability with which an exercise may reject a right answer
NAMING_RTOL = 1e-5  # of a wrong number and of what a mistake gives; with more, one in a hundred meets by chance

Mistakes = Sequence[tuple[str, str, Tensor]]  # code, message, what that mistake gives

UNJUDGED = "The grader could not judge this part of your answer by itself. A person will look at it."


class Judge:
    """A reader of one exercise's evidence.

    A block `with judge.part(…)` contains what earns points; `fail` ends it without them.

    Args:
        challenge: the inputs that the probe used.
        evidence: what the probe observed.
    """

    def __init__(self, challenge: Challenge, evidence: Evidence):
        self.challenge = challenge
        self.evidence = evidence
        self.points = 0.0
        self.max_points = 0.0
        self.findings: list[Finding] = []
        self.false_alarm = 0.0
        self.faults: list[str] = []
        self._deducted: float | None = None

    # --- points

    @contextmanager
    def part(self, name: str, points: float) -> Iterator[None]:
        """Give points if nothing in the `with` block fails.

        Args:
            name: the part's name, for readers of the code.
            points: the points of the part.

        Returns:
            A context manager.
        """
        self.max_points += points
        self._deducted = 0.0
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
            self.points += points * max(0.0, 1.0 - self._deducted)
        finally:
            self._deducted = None

    def fail(self, code: str, message: str) -> NoReturn:
        """End the part with a finding.

        Args:
            code: the finding's code.
            message: the finding's message.

        Raises:
            Failure: always.
        """
        raise Failure(code, message)

    def require(self, condition: object, code: str, message: str) -> None:
        """End the part with a finding unless a condition holds.

        Args:
            condition: anything with a truth value.
            code: the finding's code.
            message: the finding's message.

        Raises:
            Failure: the condition does not hold.
        """
        if not bool(condition):
            raise Failure(code, message)

    def note(self, code: str, message: str, deduct: float = 0.0) -> None:
        """Add a finding without ending the part.

        Args:
            code: the finding's code.
            message: the finding's message.
            deduct: the fraction of the part's points that it deducts, in [0, 1].
        """
        self._add(Finding(code, message))
        if self._deducted is not None:
            self._deducted += deduct

    def spend_alpha(self, alpha: float) -> float:
        """Declare a statistical test that rejects a right answer with this probability.

        Args:
            alpha: the probability.

        Returns:
            The probability, for the test.

        Raises:
            AssertionError: the tests of the exercise add up to more than `FALSE_ALARM`.
        """
        self.false_alarm += alpha
        name = self.evidence.exercise
        assert self.false_alarm <= FALSE_ALARM * (1 + 1e-9), f"{name}: levels add up to {self.false_alarm}"
        return alpha

    def verdict(self) -> Verdict:
        """Return the verdict so far.

        Returns:
            The verdict.
        """
        return Verdict(self.points, self.max_points, self.findings, self.false_alarm, self.faults)

    def _add(self, finding: Finding) -> None:
        if finding not in self.findings:
            self.findings.append(finding)

    def _add_fault(self, fault: str) -> None:
        if fault not in self.faults:
            self.faults.append(fault)

    # --- reading the evidence

    def attempt(self, name: str) -> None:
        """End the part if the attempt raised, or the whole probe did.

        Args:
            name: the attempt's name.

        Raises:
            Failure: the attempt raised.
        """
        error = self.evidence.errors.get(name) or self.evidence.errors.get("probe")
        if error is not None:
            if where := error.get("where"):
                self._add_fault(f"{error.get('type')}: {gist(str(error.get('message')))} ({where})")
            raise Failure(*explain(error))

    def kind(self, name: str) -> str:
        """Return the Python type that was stored under a name.

        Args:
            name: `attempt/thing`.

        Returns:
            The type's name.

        Raises:
            Failure: the attempt raised, or nothing was stored.
        """
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
        """Return a stored tensor, in float64 if it is real.

        Args:
            name: `attempt/thing`.
            shape: the shape that it must have. None accepts every shape with at least one number.
            what: how messages call it.
            finite: reject NaN and infinity.
            dtype: the dtype that it must have. None accepts every dtype.

        Returns:
            The tensor.

        Raises:
            Failure: it is not such a tensor. Each reason has its own code.
        """
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
            actual, expected = (str(d).removeprefix("torch.") for d in (tensor.dtype, dtype))
            raise Failure("wrong_dtype", f"{what} should have the dtype {expected}, and came with {actual}.")
        if tensor.is_floating_point():
            tensor = tensor.double()
            if finite and not bool(torch.isfinite(tensor).all()):
                look = "Look for a division by zero, a log of zero or a mean of nothing."
                raise Failure("not_finite", f"{what} contains NaN or infinity. {look}")
        return tensor

    def require_precision(self, name: str, expected: torch.dtype, what: str = "The result") -> None:
        """End the part if a stored tensor has lost digits: if it holds integers, or shorter floats than expected.

        Args:
            name: `attempt/thing`.
            expected: the shortest dtype that is accepted.
            what: how messages call it.

        Raises:
            Failure: digits were lost.
        """
        actual = self.evidence.tensors[name].dtype
        if torch.promote_types(actual, expected) != actual:
            returned, given = (str(d).removeprefix("torch.") for d in (actual, expected))
            raise Failure(
                "wrong_dtype",
                f"{what} came back as {returned}, where the inputs were {given}: digits are lost. "
                "Create new tensors in the dtype of the inputs, and convert none.",
            )

    def number(self, name: str, what: str = "The result", finite: bool = True) -> float:
        """Return a stored number, or the number in a stored tensor with one element.

        Args:
            name: `attempt/thing`.
            what: how messages call it.
            finite: reject NaN and infinity.

        Returns:
            The number.

        Raises:
            Failure: it is not such a number.
        """
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
        """Return a JSON value that the probe itself stored.

        Args:
            name: `attempt/thing`.
            kind: its Python type. Anything else means that the evidence is damaged.

        Returns:
            The value.

        Raises:
            Failure: the attempt raised, or the value is missing or of another type.
        """
        self.attempt(name.split("/")[0])
        value = self.evidence.values.get(name)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise Failure("no_evidence", "A part of the grader's record is missing or damaged.")
        return value

    def device(self, attempt: str = "device", deduct: float = 0.25) -> None:
        """Add a finding if the code works on one device only, or returns its result on another device.

        Args:
            attempt: the attempt's name.
            deduct: the fraction of the part's points that the finding deducts.
        """
        error = self.evidence.errors.get(attempt)
        if error is not None and is_device_error(error):
            self.note(*device_finding(error), deduct)
        elif error is None and self.evidence.values.get(f"{attempt}/{COMPLETED}") is not True:
            self.note(*DEVICE_NOT_SHOWN, deduct)  # an attempt that neither failed nor finished shows nothing
        elif error is None and self.evidence.values.get(f"{attempt}/elsewhere"):
            self.note(*RESULT_ELSEWHERE, deduct)

    # --- comparing

    def close(self, actual: Tensor, expected: Tensor, rtol: float = 1e-6, atol: float = 1e-9) -> bool:
        """Compare two tensors: no difference may exceed rtol times the largest expected size, plus atol.

        Args:
            actual: any shape.
            expected: the shape of actual; otherwise they are not close.
            rtol: the relative tolerance.
            atol: the absolute tolerance.

        Returns:
            True if they are close. NaN is never close.
        """
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
        otherwise: tuple[str, str] = ("wrong_value", "The numbers differ from the formula in the exercise."),
        rtol: float = 1e-6,
        atol: float = 1e-9,
    ) -> None:
        """End the part unless a tensor is close to the expected one. A known mistake gives the finding.

        Args:
            actual: what the student's code gave.
            expected: the right result.
            mistakes: (code, message, what that mistake gives), or a function that makes them if they are needed.
            otherwise: code and message if no known mistake matches.
            rtol: the relative tolerance. A mistake is named within `NAMING_RTOL` at most.
            atol: the absolute tolerance.

        Raises:
            Failure: the two are not close.
        """
        if self.close(actual, expected, rtol, atol):
            return
        rtol = min(rtol, NAMING_RTOL)
        for code, message, wrong in mistakes() if callable(mistakes) else mistakes:
            if self.close(actual, wrong, rtol, atol):
                raise Failure(code, message)
        raise Failure(*otherwise)


def as_float(value: Any) -> float:
    """Convert a stored number, in which NaN and infinity are text.

    Args:
        value: a number or its text.

    Returns:
        The number, or NaN if it is none.
    """
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")


def judge_with(verdict, challenge: Challenge, evidence: Evidence) -> Verdict:
    """Run a verdict function on evidence.

    Args:
        verdict: a function of a judge.
        challenge: the inputs that the probe used.
        evidence: what the probe observed.

    Returns:
        The verdict.
    """
    judge = Judge(challenge, evidence)
    verdict(judge)
    return judge.verdict()
