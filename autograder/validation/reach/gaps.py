"""Compare what a lab passes to a graded function with what the exercise's probe passes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from autograder.validation.reach.record import ArgumentRecord
from autograder.validation.reach.recorder import Table

# A probe reaches an end of the lab's numbers if it goes to within a quarter of it: to 3.6 where the lab has 4.8, and to
# 0.0125 where the lab goes down to 0.01. Random numbers have no sharper end, and a formula that holds there holds on.
SLACK = 0.25
# What must occur in the probe if it occurs in the lab. Whether an argument is passed by keyword is only shown.
COMPARED = (
    "kind", "dtype", "axes", "gradient", "layout", "batch", "special", "device", "transform", "calls", "shapes",
)  # fmt: skip
# No answer can tell these from each other.
SAME = {"lambda": "function", "builtin function": "function"}


@dataclass(frozen=True)
class Gap:
    """Something that the lab passes, and the probe does not.

    Args:
        exercise: such as "lab4.cfg_drift".
        function: such as "CFGVectorFieldODE.drift_coefficient".
        argument: such as "x" or "schedule.betas".
        what: the category of a trait, or "low", "high", "below_one".
        lab: what the lab has.
        probe: what the probe has instead.
    """

    exercise: str
    function: str
    argument: str
    what: str
    lab: str
    probe: str

    @property
    def key(self) -> str:
        """The gap's name in the table of accepted gaps, such as "lab4.cfg_drift: drift_coefficient.x: dtype"."""
        return f"{self.exercise}: {self.function}({self.argument}): {self.what}"

    def __str__(self) -> str:
        return f"{self.key}: the lab has {self.lab}, the probe {self.probe or 'nothing of it'}"


def gaps_of(exercise: str, lab: Table, probe: Table) -> list[Gap]:
    """Return all that the lab passes to the names of an exercise, and the probe does not."""
    found = []
    for function, arguments in lab.items():
        if function not in probe:
            found.append(Gap(exercise, function, "", "calls", "calls", "never calls it"))
            continue
        for argument, record in arguments.items():
            reached = probe[function].get(argument)
            if reached is None:
                found.append(Gap(exercise, function, argument, "passed", "passes it", "never does"))
                continue
            for what, here, there in differences(record, reached):
                found.append(Gap(exercise, function, argument, what, here, there))
    return found


def differences(lab: ArgumentRecord, probe: ArgumentRecord) -> list[tuple[str, str, str]]:
    """Return for one argument what is missing in the probe: category, the lab's, the probe's."""
    found = []
    for category in COMPARED:
        reached = {SAME.get(what, what) for what in probe.traits.get(category, ())}
        missing = {SAME.get(what, what) for what in lab.traits.get(category, ())} - reached
        if category == "special" and lab.traits.get("kind") == {"tensor"} and not lab.in_unit_interval:
            missing.discard("1")  # one number of many; it is an end of times and probabilities only
        if missing:
            found.append((category, ", ".join(sorted(missing)), ", ".join(sorted(reached))))
    if not lab.has_numbers or lab.counts:
        return found
    if math.isinf(probe.low) or math.isinf(probe.high):
        return [*found, ("high", f"{lab.high:.3g}", "")]
    if probe.low > lab.low + SLACK * abs(lab.low):
        found.append(("low", f"{lab.low:.3g}", f"{probe.low:.3g}"))
    if probe.high < lab.high - SLACK * abs(lab.high):
        found.append(("high", f"{lab.high:.3g}", f"{probe.high:.3g}"))
    elif lab.in_unit_interval and probe.high < 1 and probe.below_one > (1 + SLACK) * lab.below_one:
        found.append(("below_one", f"1 - {lab.below_one:.3g}", f"1 - {probe.below_one:.3g}"))
    return found
