"""Judge in a child process, so that no evidence can stall, fill or crash the grader.

A submission chooses every number of its evidence. A verdict checks shapes before it computes, but it is our own code on
a stranger's data, with libraries below it.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch

from autograder.bounded import Bounded, Bounds, FailedInside, OutOfBounds
from autograder.errors import MachineTooBusy
from autograder.intake.repair import Submission
from autograder.judging.grade import Grade, judge_exercises, judge_run, run_submission
from autograder.judging.judge import UNJUDGED
from autograder.running.run_types import EvidenceFiles, Run
from autograder.running.sandbox import Sandbox
from autograder.text import one_line
from utils.checks.challenge import Challenge
from utils.checks.exercise import find
from utils.checks.judging import Finding, Verdict

JUDGING = Bounds(cpu_s=20.0)  # a submission takes 0.1 s and 50 MB, and the first one 2 s for imports


class BoundedJudging:
    """Judges runs, one at a time, within bounds of time and memory.

    Args:
        bounds: What all exercises of a run may use together; if they use more, what each of them may use.
        fork: As in `Bounded`.
    """

    def __init__(self, bounds: Bounds = JUDGING, fork: bool = True):
        self.bounded = Bounded(judge_in_child, bounds, fork)

    def __enter__(self) -> BoundedJudging:
        """Return this object; leaving the block ends the child."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the child."""
        self.bounded.close()

    def start(self) -> None:
        """Fork the child now, before this process has threads. One that has to replace it is not forked."""
        self.bounded.start()
        self.bounded.fork = False

    def judge_exercises(self, challenges: Mapping[str, Challenge], run: Run) -> dict[str, Verdict]:
        """Return the verdict on each exercise of a run; the arguments are those of `grade.judge_exercises`.

        If a limit is reached, each exercise is judged alone. One that reaches a limit even then gets the finding
        `needs_a_person`, and the others keep their points.

        Raises:
            MachineTooBusy: The machine, and not the evidence, was the cause.
        """
        try:
            return self.judge(list(challenges), challenges, run)
        except (OutOfBounds, FailedInside) as error:
            require_time(error)
        return {name: self.judge_alone(name, challenges, run) for name in challenges}

    def judge_alone(self, name: str, challenges: Mapping[str, Challenge], run: Run) -> Verdict:
        """Return the verdict on one exercise; the arguments and errors are those of `judge_exercises`."""
        try:
            return self.judge([name], challenges, run)[name]
        except (OutOfBounds, FailedInside) as error:
            require_time(error)
            fault = f"judging this answer was ended: {one_line(str(error))}"
            return Verdict(0.0, find(name).points, [Finding("needs_a_person", UNJUDGED)], faults=[fault])

    def judge(self, names: Sequence[str], challenges: Mapping[str, Challenge], run: Run) -> dict[str, Verdict]:
        """Return the verdicts on some exercises.

        Raises:
            OutOfBounds: They reached a limit.
            FailedInside: The child raised an exception.
        """
        reply = self.bounded(
            keys={name: challenges[name].key.hex() for name in names},
            evidence={name: [pack(files) for files in run.evidence.get(name, ())] for name in names},
        )
        return {name: verdict_from(reply[name]) for name in names}


def require_time(error: OutOfBounds | FailedInside) -> None:
    """Raise `MachineTooBusy` if the machine was too busy to judge."""
    if isinstance(error, OutOfBounds) and error.kind == "busy":
        raise MachineTooBusy(f"the evidence was not judged: {error}") from error


def pack(files: EvidenceFiles) -> list[str]:
    """Return two files as text, for JSON."""
    return [base64.b64encode(data).decode("ascii") for data in files]


def verdict_from(document: dict[str, Any]) -> Verdict:
    """Return a verdict from its JSON."""
    findings = [Finding(**finding) for finding in document["findings"]]
    return Verdict(**document | {"findings": findings})


def judge_in_child(keys: dict[str, str], evidence: dict[str, list[list[str]]]) -> dict[str, dict]:
    """Judge some exercises; `BoundedJudging` calls this in its child.

    Args:
        keys: Exercise -> the key of its challenge, in hexadecimal.
        evidence: Exercise -> the pairs of files that arrived.
    """
    torch.set_num_threads(1)  # a forked process has none of the threads that its parent computed with
    copies = {name: tuple(from_text(pair) for pair in pairs) for name, pairs in evidence.items()}
    run = Run("", evidence=copies)
    challenges = {name: Challenge(name, bytes.fromhex(key)) for name, key in keys.items()}
    return {name: asdict(verdict) for name, verdict in judge_exercises(challenges, run).items()}


def from_text(pair: list[str]) -> EvidenceFiles:
    """Return what `pack` was given."""
    text, tensors = (base64.b64decode(data) for data in pair)
    return text, tensors


def grade_submission(submission: Submission, sandbox: Sandbox, secret: bytes) -> Grade:
    """Run a submission in the sandbox and judge it within bounds.

    Raises:
        SandboxError: the sandbox does not work.
        MachineTooBusy: the machine has too much other work.
    """
    with BoundedJudging() as judging:
        return judge_run(submission, run_submission(submission, sandbox, secret), secret, judging.judge_exercises)
