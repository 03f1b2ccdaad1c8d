"""The registry: every exercise, its points (declared here and nowhere else), its probe and its public check."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from utils.checks.challenge import Challenge
from utils.checks.evidence import VERSION, Evidence
from utils.checks.judging import Judge
from utils.checks.student import Student, pinned
from utils.labs import LABS

Probe = Callable[[Student, Challenge, Evidence], None]


@dataclass(frozen=True)
class Exercise:
    """One exercise.

    Args:
        name: such as "lab4.cfg_train_loss".
        title: a few words for tables.
        points: the most points it gives, positive.
        names: the graded names in the notebook's namespace.
        probe: calls the student's code and fills the evidence.
        public: the public check, which judges evidence in the student's notebook.
        manual: graded by a person.
        version: raise it when the probe changes; stored evidence then becomes stale.
    """

    name: str  # lab4.cfg_train_loss
    title: str
    points: float
    names: tuple[str, ...] = ()  # graded names, found in the notebook's namespace
    probe: Probe | None = None
    public: Callable[[Judge], None] | None = None
    manual: bool = False  # graded by a person
    version: int = 1  # raise it when the probe changes: stored evidence becomes stale

    @property
    def lab(self) -> str:
        """The exercise's lab.

        Returns:
            The short name, such as "lab4".
        """
        return self.name.split(".")[0]

    @property
    def evidence_version(self) -> int:
        """The version of stored evidence: in its last digits that of the probe, before them that of its format.

        Returns:
            A number that differs from that of every other probe and format.
        """
        return 1000 * (VERSION - 1) + self.version

    @property
    def grade_id(self) -> str:
        """The id of its nbgrader test cell, in which no dot is allowed.

        Returns:
            Such as "lab4_cfg_train_loss".
        """
        return self.name.replace(".", "_")

    @property
    def answer_id(self) -> str:
        """The id of its nbgrader answer cell.

        Returns:
            Such as "lab4_cfg_train_loss_answer".
        """
        return self.grade_id if self.manual else f"{self.grade_id}_answer"


REGISTRY: dict[str, Exercise] = {}


def load(lab: str) -> list[Exercise]:
    """Return the exercises of one lab, in the notebook's order.

    Args:
        lab: the lab, such as "lab4" or "lab4_mnist_cfg".

    Returns:
        The exercises.

    Raises:
        KeyError: there is no such lab.
    """
    short = lab.split("_")[0]
    if short not in LABS:
        raise KeyError(f"there is no lab '{lab}'; there are {', '.join(LABS)}")
    entries = []
    for entry in importlib.import_module(f"utils.checks.{short}").EXERCISES:
        if isinstance(entry, str):  # the name of a module
            entry = importlib.import_module(f"utils.checks.{short}.{entry}").EXERCISE
        entries.append(REGISTRY.setdefault(entry.name, entry))
    return entries


def find(name: str) -> Exercise:
    """Return one exercise.

    Args:
        name: such as "lab4.cfg_train_loss".

    Returns:
        The exercise.

    Raises:
        KeyError: there is no such exercise. The message lists those that exist.
    """
    known = {entry.name: entry for entry in load(name.split(".")[0])}
    if name not in known:
        raise KeyError(f"there is no exercise '{name}'; there are {', '.join(known)}")
    return known[name]


def run_probe(entry: Exercise, namespace: Mapping[str, object], challenge: Challenge) -> Evidence:
    """Call the student's code and return what was observed.

    Whatever the student's code raises is stored in the evidence and never leaves this function.

    Args:
        entry: an automatic exercise.
        namespace: the notebook's objects by name.
        challenge: the inputs.

    Returns:
        The evidence.

    Raises:
        ValueError: the exercise is graded by a person, so it has no probe.
    """
    if entry.probe is None:
        raise ValueError(f"{entry.name} has no probe: a person grades it")
    evidence = Evidence(entry.name)
    with pinned(challenge), evidence.attempt("probe"):
        entry.probe(Student(namespace), challenge, evidence)
    return evidence
