"""The kill matrix for readers: a page of its own, and the report of a full run as Markdown and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from html import escape
from itertools import groupby
from pathlib import Path

from autograder.validation.kill_matrix import Row, chance_of_refusal
from utils.checks.exercise import find

STYLE = """
:root { color-scheme: light dark; --paper: #ffffff; --ink: #1d2430; --faint: #5b6472; --line: #d6dbe3; --head: #eef1f6;
  --good: #0b6b50; --bad: #a3300f; --badpaper: #fbe9e2; }
@media (prefers-color-scheme: dark) { :root { --paper: #14181f; --ink: #e6eaf0; --faint: #9aa5b5; --line: #333b48;
  --head: #1f2631; --good: #5fd0a8; --bad: #ff9d7a; --badpaper: #3a2119; } }
body { background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto;
  max-width: 78rem; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin: 2.2rem 0 .3rem; }
p { color: var(--faint); margin: .3rem 0 .8rem; max-width: 50rem; }
.wide { overflow-x: auto; margin-bottom: 1rem; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; table-layout: fixed; }
th:nth-child(1) { width: 4rem; } th:nth-child(2) { width: 15rem; } th:nth-child(3) { width: 7.5rem; }
details th:nth-child(2) { width: 30rem; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .6rem; text-align: left; vertical-align: top; }
th { background: var(--head); } td:first-child { white-space: nowrap; }
@media (max-width: 48rem) { tr { display: grid; grid-template-columns: 4rem 1fr auto; border-bottom: 1px solid var(--line); }
  th, td { border: 0; } th { width: auto !important; } td:last-child { grid-column: 2 / 4; padding-top: 0; } th:last-child { display: none; } }
td.number, th.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.good { color: var(--good); } .bad { color: var(--bad); font-weight: 600; } tr.miss { background: var(--badpaper); }
code { font: .86em/1.4 ui-monospace, monospace; overflow-wrap: anywhere; } small { color: var(--faint); display: block; }
summary { cursor: pointer; margin: .8rem 0; }
"""


def by_exercise(rows: Iterable[Row]) -> dict[str, list[Row]]:
    return {name: list(group) for name, group in groupby(sorted(rows, key=lambda r: r.exercise), lambda r: r.exercise)}


def write_page(path: Path, rows: list[Row]) -> None:
    """A page that needs nothing but itself."""
    misses = sum(not row.ok for row in rows)
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Kill matrix</title><style>{STYLE}</style></head><body>",
        "<h1>The grader, graded</h1>",
        f"<p>{len(rows)} answers whose worth is known, {in_words(misses, 'miss')}. A wrong answer counts as caught if it lost points "
        "<em>and</em> got the finding that it should get; a right one as accepted if it got all points and no finding.</p>",
    ]
    for name, mine in by_exercise(rows).items():
        chance = chance_of_refusal(mine).get(name, 0.0)
        parts.append(f"<h2>{escape(name)}</h2><p>{escape(find(name).title)}. {chance_in_words(chance)}</p>")
        for title, some in (
            ("Right answers", [r for r in mine if r.right]),
            ("Wrong answers", [r for r in mine if not r.right and r.kind != "generic"]),
        ):
            if some:
                parts.append(table(title, some))
        generic = [r for r in mine if r.kind == "generic"]
        if generic:
            caught = sum(r.caught > 0 for r in generic)
            opened = " open" if any(not r.ok for r in generic) else ""
            parts.append(
                f"<details{opened}><summary>{len(generic)} changes made by a program: {caught} caught, "
                f"{sum(bool(r.equivalent) for r in generic)} equivalent</summary>{table('Change', generic)}</details>"
            )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*parts, "</body></html>"]) + "\n", encoding="utf-8")


def table(title: str, rows: list[Row]) -> str:
    head = f'<tr><th></th><th>{title}</th><th class="number">challenges</th><th>findings</th></tr>'
    return f'<div class="wide"><table>{head}{"".join(map(line, rows))}</table></div>'


def line(row: Row) -> str:
    mark = '<span class="good">✓</span>' if row.ok else '<span class="bad">✗ miss</span>'
    name = f"<code>{escape(row.name)}</code>" if row.kind == "generic" else escape(row.name.replace("_", " "))
    found = "".join(
        f"<div><code>{escape(code)}</code><small>{escape(row.messages.get(code, ''))}</small></div>"
        for code in row.findings
    )
    found = found or ("accepted" if row.right or row.equivalent else "not caught")
    if row.equivalent:
        found += f"<small>equivalent: {escape(row.equivalent)}</small>"
    misses = "".join(f'<div class="bad">{escape(miss)}</div>' for miss in row.misses)
    numbers = f'<td class="number">{row.good:,} / {row.challenges:,}</td>'
    return f"<tr{'' if row.ok else ' class=miss'}><td>{mark}</td><td>{name}</td>{numbers}<td>{found}{misses}</td></tr>"


def in_words(number: int, thing: str) -> str:
    return f"{number} {thing}" + ("" if number == 1 else "es" if thing.endswith("s") else "s")


def chance_in_words(chance: float) -> str:
    if not chance:
        return "Nothing in this verdict is left to chance."
    return f"Its statistical tests refuse a right answer with a chance of at most {chance:.0e}."


def row_key(row: Row) -> tuple[str, str, str]:
    return row.exercise, row.kind, row.name


def write_report(
    folder: Path, lab: str, rows: list[Row], facts: dict[str, object], more: dict[tuple[str, str, str], dict]
) -> None:
    """`LAB.json`, all numbers, and `LAB.md`, the summary. `facts` says how the run was made, `more` what else of each row."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(summary(row) | more.get(row_key(row), {}), ensure_ascii=False) for row in rows)
    head = json.dumps({"lab": lab, **facts}, ensure_ascii=False, indent=1)
    (folder / f"{lab}.json").write_text(f'{head[:-2]},\n "answers": [\n{lines}\n]}}\n', encoding="utf-8")
    (folder / f"{lab}.md").write_text(markdown(lab, rows, facts), encoding="utf-8")


def summary(row: Row) -> dict[str, object]:
    """`good` counts the challenges on which the grader was right: of a wrong answer, those with its finding."""
    return {name: value for name, value in asdict(row).items() if name != "messages"}


def markdown(lab: str, rows: list[Row], facts: dict[str, object]) -> str:
    lines = [
        f"# The grader, graded: {lab}",
        "",
        f"Made by `make validate-full LAB={lab}`. {facts['made']}",
        "",
        "| exercise | right answers | challenges of these | refused | chance of a refusal | wrong answers | challenges of these | caught | right finding | generic changes | caught | equivalent |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name, mine in by_exercise(rows).items():
        right = [r for r in mine if r.right]
        wrong = [r for r in mine if not r.right and r.kind != "generic"]
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
        "Changes that are no mistakes",
        [f"{r.exercise}: `{r.name}` ({r.equivalent})" for r in rows if r.equivalent],
    )
    return "\n".join(lines).rstrip() + "\n"


def section(title: str, items: list[str]) -> list[str]:
    return [f"## {title}", "", *([f"- {item}" for item in items] or ["None."]), ""]


def total(rows: list[Row], what: str) -> int:
    return sum(getattr(row, what) for row in rows)


def share(part: int, whole: int) -> str:
    return "–" if not whole else "all" if part == whole else f"{part / whole:.3%}"
