"""The README: one picture, the two commands, each reader's first minute, a short table, and quotes that are true."""

from __future__ import annotations

import re

import pytest

from autograder import ROOT
from autograder.demo import CLASS
from utils.checks import describe
from utils.checks.exercise import find
from utils.checks.judging import Finding, Verdict

README = (ROOT / "README.md").read_text(encoding="utf-8")
FIGURES = re.search(r"<!-- BEGIN FIGURES.*?-->\n(.*?)<!-- END FIGURES -->", README, re.DOTALL)
LONGEST = 60  # characters of a cell, links without their address


def section(heading):
    return re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL).group(1)


def test_it_opens_with_one_picture_and_the_two_commands():
    assert len(re.findall(r"!\[[^\]]+\]\(", README)) == 1
    top = README.partition("## ")[0]
    assert "![" in top and re.search(r"^make demo +#.*\n^make test +#", top, re.MULTILINE)


@pytest.mark.parametrize(
    "who, page",
    [("A student", "docs/student.md"), ("An instructor", "docs/instructor.md"), ("A contributor", "CON")],
)
def test_each_reader_has_a_first_minute_and_a_page(who, page):
    text = section(f"{who}'s first minute")
    assert "make " in text and f"]({page}" in text and re.search(r"^    \S", text, re.MULTILINE), "what one sees"


def test_the_figures_are_one_short_table():
    lines = FIGURES.group(1).strip().splitlines()
    assert 8 <= len(lines) <= 15 and all(line.startswith("|") for line in lines)
    cells = [re.sub(r"\]\([^)]*\)", "]", cell).strip() for line in lines for cell in line.strip("|").split("|")]
    assert max(map(len, cells)) <= LONGEST, max(cells, key=len)
    assert "](bench/README.md)" in README


def test_what_it_quotes_is_what_people_see():
    code, message = re.search(r"^       (\w+): (.*)$", section("A student's first minute"), re.MULTILINE).groups()
    entry = find("lab4.cfg_drift")
    said = describe(entry, Verdict(0.0, entry.points, [Finding(code, message)]))
    assert "\n".join(f"    {line}" for line in said.splitlines()) in README
    modules = sorted((ROOT / "utils" / "checks" / "lab4").glob("cfg_drift*.py"))
    source = "".join(path.read_text(encoding="utf-8") for path in modules)
    assert f'"{code}"' in source and all(part in source for part in re.split(r"(?<=label y)", message))
    assert "chi" in CLASS and "lab4.cfg_train_loss: eta_inverted" in section("An instructor's first minute")
