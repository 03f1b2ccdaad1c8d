"""Whether check and grader agree about an answer, and whether the grader says the same in every challenge.

These are the columns of the kill matrix beside "caught": the points, the public check, and what each of its findings
stands for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from autograder.validation.equal_numbers import equal_pairs
from autograder.validation.matrix_row import MatrixRow
from utils.checks.judging import Verdict

# One finding of the public check may stand for so many mistakes that the grader tells apart; with more it says little.
MOST_MISTAKES = 3

GIVES_NOTHING = "the check passes, and the grader gives 0"
DEPENDS = "depends on the challenge, and no rate is declared"


def add_check(row: MatrixRow, verdict: Verdict) -> None:
    """Note in a row what the public check says."""
    row.check_passes = verdict.points == verdict.max_points
    row.check = [finding.code for finding in verdict.findings]
    row.check_messages = {finding.code: finding.message for finding in verdict.findings}


def assess_honesty(row: MatrixRow) -> None:
    """Add the misses of a row that concern its points, its check and its messages. Call it again after an addition."""
    misses = [f"{GIVES_NOTHING} of {row.most_points:g} points"] if gives_nothing(row) else []
    if depends_unstated(row):
        share = ", ".join(f"{points} points in {number}" for points, number in sorted(row.points.items()))
        misses.append(f"{DEPENDS}: {share} of {row.challenges} challenges")
    for code, message in [*row.messages.items(), *row.check_messages.items()]:
        misses += [f"{code} tells two numbers apart that look equal: {piece}" for piece in equal_pairs(message)]
    kept = [miss for miss in row.misses if not miss.startswith((GIVES_NOTHING, DEPENDS))]
    row.misses[:] = kept + [miss for miss in dict.fromkeys(misses) if miss not in kept]


def by_hand(row: MatrixRow) -> bool:
    """Return whether a row is a wrong answer that a person wrote. Changes made by a program are only listed."""
    return not row.right and not row.kind


def gives_nothing(row: MatrixRow) -> bool:
    """Return whether the check passes a wrong answer to which the grader gives no point in some challenge."""
    return by_hand(row) and bool(row.check_passes) and "0" in row.points


def depends_unstated(row: MatrixRow) -> bool:
    """Return whether points, or being caught, differ between challenges although the answer declares no rate."""
    return by_hand(row) and row.rate == 1 and (len(row.points) > 1 or 0 < row.caught < row.challenges)


def passes_and_loses(row: MatrixRow) -> bool:
    """Return whether the check passes a wrong answer that loses points."""
    return not row.right and bool(row.check_passes) and row.caught > 0


def check_in_words(row: MatrixRow) -> str:
    """Return what check and grader say of a wrong answer: `check: wrong_drift; 0 of 2 points`."""
    points = " or ".join(sorted(row.points, key=float))
    found = ", ".join(row.check) if not row.check_passes else "passes" + "".join(f" ({code})" for code in row.check)
    parts = [f"check: {found}"] if row.check_passes is not None else []
    return "; ".join([*parts, f"{points} of {row.most_points:g} points"] if points else parts)


def mistakes_by_finding(rows: Iterable[MatrixRow]) -> dict[str, list[str]]:
    """Return for each finding of the public check which mistakes it stands for, as findings of the grader.

    A finding that the grader gives, too, stands for itself.

    Args:
        rows: of one exercise.
    """
    stands: dict[str, dict[str, None]] = {}
    for row in rows:
        if by_hand(row) and row.check_passes is False:
            hidden = sorted(row.findings, key=lambda code: -row.findings[code])
            for code in row.check:
                other = [found for found in hidden if found not in row.check][:1] or hidden[:1]
                stands.setdefault(code, {}).update(dict.fromkeys([code] if code in hidden else other))
    return {code: list(mistakes) for code, mistakes in stands.items()}


def unhelpful_findings(rows: list[MatrixRow]) -> Iterator[MatrixRow]:
    """Yield a miss for each finding of an exercise's public check that stands for too many mistakes.

    Args:
        rows: of one exercise.
    """
    for code, mistakes in mistakes_by_finding(rows).items():
        if len(mistakes) > MOST_MISTAKES:
            miss = f"the check says {code} for {len(mistakes)} mistakes: {', '.join(sorted(mistakes))}. Split it"
            yield MatrixRow(rows[0].exercise, f"check: {code}", False, 0, "gap", misses=[miss])


def with_unhelpful_findings(rows: Iterable[MatrixRow]) -> Iterator[MatrixRow]:
    """Yield rows, and after those of each exercise the misses of its check as a whole."""
    mine: list[MatrixRow] = []
    for row in rows:
        if mine and row.exercise != mine[0].exercise:
            yield from unhelpful_findings(mine)
            mine = []
        mine.append(row)
        yield row
    if mine:
        yield from unhelpful_findings(mine)


def summary_of(rows: list[MatrixRow]) -> str:
    """Return the numbers of misses, in words."""
    nothing, depends = sum(map(gives_nothing, rows)), sum(map(depends_unstated, rows))
    misses = sum(not row.ok for row in rows)
    words = "1 miss" if misses == 1 else f"{misses} misses"
    return f"{words}, {nothing} 'check passes, grader gives 0', {depends} that depend on the challenge without a rate"
