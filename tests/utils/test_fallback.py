"""Stored results replace missing answers, and are complete."""

from __future__ import annotations

import json

import pytest

from utils.fallback import drawn, or_precomputed, show_or_say
from utils.training import CHECKPOINTS


def test_a_missing_answer_is_printed(capsys):
    def blank():
        raise NotImplementedError

    assert or_precomputed(blank, lambda: 7, "The grid") == 7
    assert "The grid" in capsys.readouterr().out


@pytest.mark.parametrize("error", [NotImplementedError(), ValueError("broken")], ids=repr)
def test_in_the_courses_own_tests_nothing_stands_in_for_what_fails(error, monkeypatch):
    def fail():
        raise error

    calls = (
        lambda: or_precomputed(fail, lambda: 7, "The grid"),
        lambda: drawn(fail, "1.1"),
        lambda: show_or_say(fail, "1.1"),
    )
    for call in calls:
        call()
        monkeypatch.setenv("LAB_STRICT", "1")
        with pytest.raises(type(error)):
            call()
        monkeypatch.delenv("LAB_STRICT")


def test_the_stored_sweep_is_complete():
    table = json.loads((CHECKPOINTS / "lab3_sweep.json").read_text())
    assert list(table["by scale"]) == ["0", "1", "2", "3", "4", "8"]
    for row in table["by scale"].values():
        assert {len(row[name]) for name in ("accuracy", "distance", "precision", "recall")} == {table["seeds"]}
    accuracy = [sum(row["accuracy"]) / table["seeds"] for row in table["by scale"].values()]
    assert accuracy[0] < 0.25 < 0.9 < accuracy[4]
