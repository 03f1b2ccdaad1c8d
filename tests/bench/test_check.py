"""`make bench-check` fails where a ratio got much worse than the committed one."""

import json

import pytest

from bench import check


@pytest.fixture
def results(tmp_path, monkeypatch):
    """A copy of the committed results, which `make bench` would overwrite."""
    for name in check.MEASURED_BY:
        (tmp_path / name).write_text(json.dumps(check.committed_results(name)))
    monkeypatch.setattr(check, "RESULTS", tmp_path)
    return tmp_path


def change(path, edit):
    document = json.loads(path.read_text())
    edit(document)
    path.write_text(json.dumps(document))


def test_equal_results_pass(results, capsys):
    assert check.main(["--no-run"]) == 0
    printed = capsys.readouterr().out
    assert "grading ratio: " in printed and "cpu: a sampled image" in printed


def test_a_fifth_less_passes_and_more_fails(results, capsys):
    change(results / "grading.json", lambda d: d.update({"grading ratio": d["grading ratio"] * 0.81}))
    assert check.main(["--no-run"]) == 0
    change(results / "grading.json", lambda d: d.update({"grading ratio": d["grading ratio"] * 0.9}))
    assert check.main(["--no-run"]) == 1
    assert "more than a fifth worse: grading ratio:" in capsys.readouterr().err


def test_a_slower_step_fails(results):
    def slower(document):
        document["cpu"]["speed"]["ours"]["seconds a training step"] *= 1.3

    change(results / "lab4.json", slower)
    assert check.main(["--no-run"]) == 1


def test_a_ratio_that_was_not_measured_is_told(results, capsys):
    change(results / "grading.json", lambda document: document.pop("judging ratio"))
    assert check.main(["--no-run"]) == 1
    assert "not measured now" in capsys.readouterr().err
