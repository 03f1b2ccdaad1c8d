"""Stored results replace missing answers, and are complete."""

from __future__ import annotations

import json

from utils.fallback import or_precomputed
from utils.training import CHECKPOINTS


def test_a_missing_answer_is_printed(capsys):
    def blank():
        raise NotImplementedError

    assert or_precomputed(blank, lambda: 7, "The grid") == 7
    assert "The grid" in capsys.readouterr().out


def test_the_stored_sweep_is_complete():
    table = json.loads((CHECKPOINTS / "lab3_sweep.json").read_text())
    assert list(table["by scale"]) == ["0", "1", "2", "4", "8"]
    for row in table["by scale"].values():
        assert {len(row[name]) for name in ("accuracy", "distance", "precision", "recall")} == {table["seeds"]}
    accuracy = [sum(row["accuracy"]) / table["seeds"] for row in table["by scale"].values()]
    assert accuracy[0] < 0.25 < 0.9 < accuracy[3]
