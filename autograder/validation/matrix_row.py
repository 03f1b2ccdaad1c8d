"""One answer's line in the kill matrix."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class MatrixRow:
    """One answer's line in the kill matrix."""

    exercise: str
    name: str
    right: bool
    challenges: int
    kind: str = ""  # "model", "generic", "sandbox", "gap", or "" for mutants written by hand
    good: int = 0  # challenges on which the grader was right
    caught: int = 0  # challenges on which points were taken
    findings: dict[str, int] = field(default_factory=dict)
    messages: dict[str, str] = field(default_factory=dict)  # of each finding, the first
    misses: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # for the author; none is a miss
    false_alarm: float = 0.0
    equivalent: str = ""
    rate: float = 1.0  # the least share of submissions in which it is caught, as declared
    points: dict[str, int] = field(default_factory=dict)  # the grader's points -> on how many challenges
    most_points: float = 0.0  # of the exercise
    check_passes: bool | None = None  # the public check; None if it did not run
    check: list[str] = field(default_factory=list)  # its findings
    check_messages: dict[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether every challenge gave the verdict that was expected."""
        return not self.misses

    def add(self, other: MatrixRow) -> None:
        """Add the results of further challenges on the same answer."""
        self.challenges += other.challenges
        self.good += other.good
        self.caught += other.caught
        for counted, more in ((self.findings, other.findings), (self.points, other.points)):
            for name, count in more.items():
                counted[name] = counted.get(name, 0) + count
        self.messages = other.messages | self.messages
        self.misses += [miss for miss in other.misses if miss not in self.misses]
        self.false_alarm = max(self.false_alarm, other.false_alarm)
