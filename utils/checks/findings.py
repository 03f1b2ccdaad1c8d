"""What a verdict consists of: findings, points, and the exception that ends a part of an exercise."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Finding:
    """One observation.

    Args:
        code: a short name for programs.
        message: what the student reads.
    """

    code: str
    message: str


@dataclass
class Verdict:
    """The result of judging one exercise.

    Args:
        points: the points earned, from 0 to max_points.
        max_points: the points that the parts of the exercise add up to.
        findings: what was observed.
        false_alarm: the probability that this verdict rejects a right answer.
        faults: errors of the grader's own code, for instructors.
    """

    points: float
    max_points: float
    findings: list[Finding] = field(default_factory=list)
    false_alarm: float = 0.0
    faults: list[str] = field(default_factory=list)


class Failure(Exception):
    """Raised to end a part of an exercise with a finding.

    Args:
        code: the finding's code.
        message: the finding's message.
    """

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.finding = Finding(code, message)
