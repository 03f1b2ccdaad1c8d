"""The reach of lab and probe side by side, as text."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite, isinf

from autograder.validation.reach.accepted import ACCEPTED
from autograder.validation.reach.record import ArgumentRecord, rounded
from autograder.validation.reach.tables import Comparison

NAMES, WIDTH = 40, 64
ORDER = (
    "kind", "dtype", "axes", "batch", "gradient", "layout", "device", "transform", "special", "calls", "shapes",
    "mode", "passed",
)  # fmt: skip


def lines_of(comparison: Comparison) -> Iterator[str]:
    """Yield the table of one exercise, line by line; gaps are marked with ✗, accepted ones with ~."""
    yield f"\n{comparison.exercise}"
    if not comparison.lab:
        yield "  the lab's notebook never calls it, or its table was not made: autograder validate --reach --renew"
    for function, arguments in comparison.lab.items():
        yield f"  {function}"
        yield f"    {'':<{NAMES}} {'':<10} {'the lab':<{WIDTH}} the probe, in every challenge"
        mine = [gap for gap in comparison.gaps if gap.function == function]
        if any(not gap.argument for gap in mine):
            yield f"  ✗ {'':<{NAMES}} {'calls':<10} {'calls it':<{WIDTH}} never calls it"
            continue
        for argument, record in arguments.items():
            probe = comparison.probe[function].get(argument)
            gaps = {gap.what: gap.key for gap in mine if gap.argument == argument}
            yield from argument_lines(argument, record, probe, gaps)
    for gap in comparison.gaps:
        reason = ACCEPTED.get(gap.key)
        yield f"  ~ accepted: {gap}. Reason: {reason}" if reason else f"  ✗ gap: {gap}"
    for key in comparison.closed:
        yield f"  ✗ accepted without need, remove it from accepted.py: {key}"


def argument_lines(
    argument: str, lab: ArgumentRecord, probe: ArgumentRecord | None, gaps: dict[str, str]
) -> Iterator[str]:
    """Yield the lines of one argument: its traits, then its numbers."""
    rows = [(name, ", ".join(sorted(lab.traits.get(name, ()))), traits(probe, name)) for name in ORDER]
    if lab.has_numbers:
        rows.append(("numbers", numbers(lab), numbers(probe) if probe else ""))
    first = True
    for what, here, there in rows:
        if here:
            keys = gaps.keys() & ({"low", "high", "below_one"} if what == "numbers" else {what})
            mark = " " if not keys else "~" if all(gaps[key] in ACCEPTED for key in keys) else "✗"
            mark = "✗" if probe is None and first else mark
            missing = "(does not pass it)" if probe is None and first else there
            here = here if len(here) <= WIDTH else f"{here[: WIDTH - 1]}…"
            yield f"  {mark} {argument if first else '':<{NAMES}} {what:<10} {here:<{WIDTH}} {missing}".rstrip()
            first = False


def traits(probe: ArgumentRecord | None, name: str) -> str:
    """Return what occurred in the probe."""
    return ", ".join(sorted(probe.traits.get(name, ()))) if probe else ""


def numbers(record: ArgumentRecord) -> str:
    """Return the range of an argument in words."""
    if isinf(record.low) or isinf(record.high):
        return ""
    text = f"{rounded(record.low):g} … {rounded(record.high):g}"
    if not record.has_numbers:  # no number is reached in every challenge
        return f"down to {rounded(record.low):g}, up to {rounded(record.high):g}"
    if record.counts:
        return f"{text} (counts or indices)"
    if record.in_unit_interval and isfinite(record.below_one):
        text += f", between {rounded(record.tiny):g} and 1 - {rounded(record.below_one):g}"
    return text
