"""The kill matrix for readers: a page of its own, and the report of a full run as Markdown and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from itertools import groupby
from pathlib import Path

from jinja2 import Environment, FileSystemLoader

from autograder import ROOT
from autograder.course.labs import labs
from autograder.validation.fingerprint import fingerprints
from autograder.validation.honesty import passes_and_loses, summary_of
from autograder.validation.kill_matrix import MatrixRow, chance_of_refusal
from utils.checks.exercise import REGISTRY

PAGES = Path(__file__).parent / "pages"
REPORTS = ROOT / "docs" / "validate"


def by_exercise(rows: Iterable[MatrixRow]) -> dict[str, list[MatrixRow]]:
    """Return the rows of each exercise."""
    return {name: list(group) for name, group in groupby(sorted(rows, key=lambda r: r.exercise), lambda r: r.exercise)}


def write_page(path: Path, rows: list[MatrixRow]) -> None:
    """Write the matrix as one self-contained HTML file."""
    exercises = [
        {
            "name": name,
            "title": REGISTRY[name].title if name in REGISTRY else "",
            "chance": chance_in_words(chance_of_refusal(mine).get(name, 0.0)),
            "right": [row for row in mine if row.right],
            "wrong": [row for row in mine if not row.right and row.kind != "generic"],
            "generic": [row for row in mine if row.kind == "generic"],
            "lost": [row for row in mine if passes_and_loses(row)],
        }
        for name, mine in by_exercise(rows).items()
    ]
    pages = Environment(loader=FileSystemLoader(PAGES), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    page = pages.get_template("matrix.html").render(rows=rows, summary=summary_of(rows), exercises=exercises)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page + "\n", encoding="utf-8")


def chance_in_words(chance: float) -> str:
    """Return a sentence about the probability of rejecting a right answer."""
    if not chance:
        return "Nothing in this verdict is left to chance."
    return f"The probability that its statistical tests reject a right answer is at most {chance:.0e}."


def row_key(row: MatrixRow) -> tuple[str, str, str]:
    """Return what identifies a row."""
    return row.exercise, row.kind, row.name


def write_report(
    folder: Path, lab: str, rows: list[MatrixRow], facts: dict[str, object], more: dict[tuple[str, str, str], dict]
) -> None:
    """Write `LAB.json`, all numbers, and `LAB.md`, the summary.

    Args:
        folder: where both files go; it is made if it is missing.
        lab: the lab's short name, such as `lab4`.
        rows: the rows of the kill matrix.
        facts: how the run was made.
        more: further entries of a row, by its key.
    """
    folder.mkdir(parents=True, exist_ok=True)
    answers = [summary(row) | more.get(row_key(row), {}) for row in rows]
    write_numbers(folder / f"{lab}.json", {"lab": lab, **facts}, answers)
    (folder / f"{lab}.md").write_text(markdown(lab, rows, facts), encoding="utf-8")


def write_numbers(path: Path, head: dict[str, object], answers: list[dict[str, object]]) -> None:
    """Write a report's JSON, with one line for each answer."""
    lines = ",\n".join(json.dumps(answer, ensure_ascii=False) for answer in answers)
    start = json.dumps(head, ensure_ascii=False, indent=1)[:-2]
    path.write_text(f'{start},\n "answers": [\n{lines}\n]}}\n', encoding="utf-8")


def renew_fingerprints(folder: Path = REPORTS) -> None:
    """Declare that the committed reports hold for the present code.

    Call it only after a change of which it was proved that all points and findings are the same.
    """
    for lab in labs():
        path = folder / f"{lab.short}.json"
        if path.exists():
            head = json.loads(path.read_text(encoding="utf-8"))
            answers = head.pop("answers")
            head.pop("marks", None)  # their name in older reports
            write_numbers(path, head | {"fingerprints": fingerprints(lab)}, answers)


def summary(row: MatrixRow) -> dict[str, object]:
    """Return a row without its messages and notes.

    Its `good` counts the challenges on which the grader was right: for a wrong answer, those with the wanted finding.
    """
    return {name: value for name, value in asdict(row).items() if name not in ("messages", "check_messages", "notes")}


def markdown(lab: str, rows: list[MatrixRow], facts: dict[str, object]) -> str:
    """Return the summary of a full run: a table of the exercises, misses, rare catches, equivalent changes."""
    lines = [
        f"# The grader, graded: {lab}",
        "",
        f"Made by `make validate-full LAB={lab}`. {facts['made']}",
        "",
        f"In all: {summary_of(rows)}.",
        "",
        "| exercise | right answers | challenges of these | rejected | chance of a rejection | wrong answers "
        "| challenges of these | caught | right finding | generic changes | caught | equivalent |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name, mine in by_exercise(rows).items():
        right = [r for r in mine if r.right]
        wrong = [r for r in mine if not r.right and r.kind not in ("generic", "gap")]
        generic = [r for r in mine if r.kind == "generic"]
        chance = chance_of_refusal(mine).get(name, 0.0)
        cells = [
            name, len(right), total(right, "challenges"), total(right, "caught"), f"≤ {chance:.0e}" if chance else "0",
            len(wrong), total(wrong, "challenges"), share(total(wrong, "caught"), total(wrong, "challenges")),
            share(total(wrong, "good"), total(wrong, "challenges")), len(generic),
            sum(r.caught == r.challenges for r in generic), sum(bool(r.equivalent) for r in generic),
        ]  # fmt: skip
        lines.append("| " + " | ".join(f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in cells) + " |")
    lines += ["", *section("Misses", [f"{r.exercise}, {r.name}: {'; '.join(r.misses)}" for r in rows if not r.ok])]
    sometimes = [r for r in rows if not r.right and not r.equivalent and r.caught < r.challenges]
    lines += section(
        "Wrong answers that are not caught every time",
        [f"{r.exercise}, `{r.name}`: caught in {share(r.caught, r.challenges)} of submissions" for r in sometimes],
    )
    lines += section(
        "Wrong answers that pass the public check, and lose points",
        [f"{r.exercise}, `{r.name}`: {', '.join(r.findings)}" for r in rows if passes_and_loses(r)],
    )
    lines += section(
        "Changes that are no mistakes",
        [f"{r.exercise}: `{r.name}` ({r.equivalent})" for r in rows if r.equivalent],
    )
    return "\n".join(lines).rstrip() + "\n"


def section(title: str, items: list[str]) -> list[str]:
    """Return the lines of a heading and a list."""
    return [f"## {title}", "", *([f"- {item}" for item in items] or ["None."]), ""]


def total(rows: list[MatrixRow], what: str) -> int:
    """Return the sum of one number over rows."""
    return sum(getattr(row, what) for row in rows)


def share(part: int, whole: int) -> str:
    """Return a percentage, `all`, or a dash if there is nothing to share."""
    return "–" if not whole else "all" if part == whole else f"{part / whole:.3%}"
