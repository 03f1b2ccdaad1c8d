"""The similarity report: it finds a copy with other names, and leaves out what was given, the answers and the usual."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import nbformat
import pytest

pytest.importorskip("copydetect", reason="the extra `similarity` is not installed")

from autograder.cli import main
from autograder.course.labs import find_lab
from autograder.course.source import read_source
from autograder.feedback import similarity
from autograder.intake.repair import repair
from autograder.judging.class_run import ClassRun, StudentRun

LAB = find_lab("lab4")
OWN = """\
def blend_between_the_two(first, second, weight, steps=7):
    values = []
    for step in range(steps):
        part = weight * step / (steps - 1)
        values.append(first * (1 - part) + second * part)
        if part > 0.5 and values[-1] is not first:
            values[-1] = values[-1] + 0.25 * (second - first)
    total = sum(values[1:], values[0])
    return total / len(values)
"""
RENAMED = OWN.replace("values", "kept").replace("part", "p").replace("weight", "w").replace("step", "k")


def invented(seed):
    """Return code that nobody else writes."""
    draw = random.Random(seed)
    names = "abcdefgh"
    lines = [
        f"    {draw.choice(names)} = {draw.choice(names)} {draw.choice('+-*/%')} {draw.randint(2, 99)} "
        f"{draw.choice(['<', '>', '==', '!=', 'and', 'or'])} {draw.choice(names)}[{draw.randint(2, 99)}]"
        for _ in range(30)
    ]
    return "\n".join([f"def own_{seed}({', '.join(names)}):", *lines, "    return a"])


def class_of(cells):
    """Return a class whose students have the model answers and one cell of their own, by student."""
    students = []
    for name, source in cells.items():
        notebook = read_source(LAB)
        notebook.cells.append(nbformat.v4.new_code_cell(source))
        students.append(StudentRun(name, Path(f"{name}.ipynb"), submission=repair(notebook, LAB)))
    return ClassRun(LAB, Path(), None, students)


def pairs(cells):
    return [pair.students for pair in similarity.find_similar(class_of(cells)).pairs]


def test_a_copy_with_other_names_is_found_and_equal_model_answers_are_not():
    found = similarity.find_similar(class_of({"ada": OWN, "ben": invented(1), "chi": RENAMED, "dia": invented(2)}))
    assert [pair.students for pair in found.pairs] == [("ada", "chi")]
    assert min(found.pairs[0].shares) > 0.8 and "values.append" in "".join(found.pairs[0].pieces)


def test_what_was_given_and_what_many_wrote_is_left_out():
    given = max((c.source for c in read_source(LAB).cells if c.id.startswith("definitions")), key=len)
    assert len(given) > 400 and pairs({"ada": given, "ben": given}) == []
    assert pairs({f"s{n}": OWN for n in range(similarity.FEWEST_COMMON + 1)}) == []
    assert len(pairs({f"s{n}": OWN for n in range(3)})) == 3


def test_code_that_one_student_has_twice_still_counts():
    assert pairs({"ada": f"{OWN}\n{OWN}", "ben": invented(1), "chi": f"{OWN}\n{OWN}"}) == [("ada", "chi")]


def test_no_more_pairs_than_a_person_can_read_and_no_longer_texts(monkeypatch):
    monkeypatch.setattr(similarity, "PAIRS", 2)
    monkeypatch.setattr(similarity, "LONGEST", 20_000)
    assert len(pairs({f"s{n}": OWN for n in range(4)})) == 2
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x\n" * 10**6)])
    assert len(similarity.code_of(notebook)) == 20_000


def test_the_page_says_what_it_is_not_and_escapes(tmp_path):
    pair = similarity.Pair(("<b>ada", "chi"), (0.9, 0.456), ("if a < b:",))
    found = similarity.Similarity(LAB.name, 3, [pair], ["zoe"])
    page = similarity.write_similarity(found, tmp_path / "report" / "page.html")
    text = page.read_text()
    assert "hints, not accusations" in text and "&lt;b&gt;ada" in text and "a &lt; b" in text and "46 %" in text
    assert "zoe" in text and "<script" not in text and page.stat().st_mode & 0o077 == 0


def test_the_command_and_the_sentence_without_the_package(tmp_path, monkeypatch, capsys):
    for name in ("ada", "ben"):
        place = tmp_path / "submitted" / name / LAB.name / f"{LAB.name}.ipynb"
        place.parent.mkdir(parents=True)
        notebook = read_source(LAB)
        notebook.cells.append(nbformat.v4.new_code_cell(OWN))
        nbformat.write(notebook, place)
    assert main(["similarity", "lab4", "--course", str(tmp_path)]) == 0
    assert "2 submissions compared, 1 similar pairs" in capsys.readouterr().out
    assert (tmp_path / "report" / f"{LAB.name}-similarity.html").is_file()
    monkeypatch.setitem(sys.modules, "copydetect", None)
    assert main(["similarity", "lab4", "--course", str(tmp_path)]) == 2
    assert "guidance-labs[similarity]" in capsys.readouterr().err
