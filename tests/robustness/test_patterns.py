"""Every regular expression of the grader takes linear time, whatever a student or the maker of an archive has typed."""

import re

import pytest

from autograder import ROOT
from autograder.bounded import Bounded, Bounds, OutOfBounds
from tests.robustness.patterns import find_patterns, modules_with_patterns, slow_text

WITHIN = Bounds(cpu_s=20.0)
# Patterns that a function makes: what it makes from hostile parts.
MADE = {
    "autograder.feedback.graded_student: f'(?<!\\\\w){re.escape(word)}(?!\\\\w)'": [
        rf"(?<!\w){re.escape(word)}(?!\w)" for word in ("aaaa", "a a a", "..", "(a+)+$", "\\")
    ],
    "autograder.exports.canvas: pattern": [r"Lab\ 4( \(\d+\))?", re.escape("((((") + r"( \(\d+\))?"],
    "autograder.validation.sandboxed: f\"\\\\b{one.replace('.', '[._]')}(_answer)?\\\\b\"": [
        r"\blab4[._]cfg_drift(_answer)?\b"
    ],
    "utils.checks.explain: pattern": [
        r"typechecking parameter '(\w+)'",
        r"Actual value: (.+)",
        r"Expected type: (?:<class ')?(.+?)(?:'>)?\.?(?:\n|$)",
    ],
    "utils.printed_text: f'\\\\S{{{room}}}(?=\\\\S)'": [r"\S{60}(?=\S)"],
}
# Patterns that no student's text reaches.
OF_AUTHORS = {
    "autograder.validation.equal_numbers.TOKEN": "reads the messages of our own verdicts on our own wrong answers",
    "utils.pdf.COMMENT": "makes a student's own PDF on the student's own machine",
    "utils.pdf.FOLDED": "the same",
}


def all_patterns():
    """Return every pattern of the grader, and the places where a function makes one."""
    return find_patterns(module for name in ("autograder", "utils") for module in modules_with_patterns(ROOT / name))


def measured(measure, pattern, flags=0, uses=("search", "sub")):
    """Return why a pattern is slow, or ""."""
    try:
        return measure(pattern=pattern, flags=flags, uses=list(uses))
    except OutOfBounds as error:
        return str(error)


def test_every_pattern_takes_linear_time():
    found, made = all_patterns()
    assert sorted(made) == sorted(MADE), "a function makes a pattern: say in MADE what it makes from hostile parts"
    slow, exempt = {}, set()
    with Bounded(slow_text, WITHIN) as measure:
        for one in found:
            if authors := OF_AUTHORS.keys() & set(one.places):
                exempt |= authors
            elif why := measured(measure, one.pattern, one.flags, sorted(one.uses)):
                slow[" and ".join(one.places)] = f"{one.pattern!r} on {why}"
        for place, patterns in MADE.items():
            for pattern in patterns:
                if why := measured(measure, pattern):
                    slow[place] = f"{pattern!r} on {why}"
    assert not slow, slow
    assert exempt == set(OF_AUTHORS) and len(found) > 60
    names = {place for one in found for place in one.places}
    assert {"autograder.text.CONTROL", "autograder.intake.lms.canvas.CANVAS", "utils.printed_text.ESCAPES"} <= names


@pytest.mark.parametrize(
    "pattern",
    [
        r"(a+)+$",
        r"(a|aa)+$",
        r"(x+x+)+y",
        r"\s+$",
        r"(\w+)*=",
        r"<!--.*?-->",
        r"a*b?a*c",
        r"[^@]+@[^@]+\.",
        r"^.*foo.*bar",
        r"(?:(\d+)[,;]?)+!",
        r"([;\t])(?=[\s\"']*[=+])",
        r"[^/]+?_[0-9]{1,20}_assignsubmission_",
    ],
)
def test_a_slow_pattern_is_found(pattern):
    with Bounded(slow_text, Bounds(cpu_s=1.0)) as measure:
        assert measured(measure, pattern)
