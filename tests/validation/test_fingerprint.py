"""The fingerprint of an exercise: the code that its grade depends on, and nothing else."""

import ast
import json

from autograder.course.labs import find_lab, labs
from autograder.course.solved import answers_of
from autograder.validation import fingerprint as fingerprint_module
from autograder.validation.fingerprint import fingerprints
from autograder.validation.report import renew_fingerprints


def test_a_fingerprint_depends_on_the_code_that_decides_and_on_nothing_else(monkeypatch):
    """Change one source at a time, and compare all fingerprints."""
    parse = fingerprint_module.parse

    def changed(old: str, new: str) -> set[str]:
        found = []

        def parse_changed(source: str):
            found.append(old in source)
            return parse(source.replace(old, new))

        monkeypatch.setattr(fingerprint_module, "parse", parse_changed)
        fingerprint_module.read.cache_clear()
        after = {name for lab in labs() for name, code in fingerprints(lab).items() if code != before[name]}
        monkeypatch.setattr(fingerprint_module, "parse", parse)
        fingerprint_module.read.cache_clear()
        assert any(found), f"{old} is in no source"
        return after

    before = {name: code for lab in labs() for name, code in fingerprints(lab).items()}
    assert len(set(before.values())) == len(before)
    assert changed("LARGEST, MOST_AXES = 2**20, 8", "LARGEST, MOST_AXES = 2**20, 9") == set(before)
    assert "lab1.guided_step" in (touched := changed("BETA_MAX", "B_MAX"))  # in utils/vp.py
    assert not [name for name in touched if name.startswith("lab4")]
    answer = answers_of(find_lab("lab4"))["lab4.cfg_drift"].splitlines()[-3].strip()
    assert changed(answer, "pass") == {"lab4.cfg_drift"}


def test_a_fingerprint_ignores_comments_docstrings_and_formatting():
    def dump(source):
        return ast.dump(fingerprint_module.parse(source))

    one = dump('"""A module."""\n\ndef f(x):\n    """A function."""\n    return [x,\n            1]  # a comment\n')
    assert one == dump("def f(x):\n    return [x, 1]\n") != dump("def f(x):\n    return [x, 2]\n")


def test_reports_are_carried_over_to_the_present_code(tmp_path):
    lab = find_lab("lab4")
    old = {
        "lab": lab.short,
        "made": "Complete",
        "marks": {"lab4.cfg_drift": "x"},
        "answers": [{"answer": "a", "good": 1}],
    }
    (tmp_path / f"{lab.short}.json").write_text(json.dumps(old), encoding="utf-8")
    renew_fingerprints(tmp_path)
    new = json.loads((tmp_path / f"{lab.short}.json").read_text(encoding="utf-8"))
    assert new.pop("fingerprints") == fingerprints(lab) and "marks" not in new
    assert new == {key: value for key, value in old.items() if key != "marks"}
