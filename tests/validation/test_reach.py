"""Reach: a probe goes wherever the lab's notebook goes, and what is recorded is what was passed."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from autograder.cli import main
from autograder.course.labs import find_lab
from autograder.validation.reach import tables
from autograder.validation.reach.accepted import ACCEPTED
from autograder.validation.reach.gaps import SLACK, gaps_of
from autograder.validation.reach.record import merged
from autograder.validation.reach.recorder import CALLS, recording
from autograder.validation.reach.runs import lab_reach
from autograder.validation.reach.text import lines_of
from utils.checks.exercise import load


@dataclass(frozen=True)
class Levels:
    betas: Tensor
    name: str = "levels"


def step(x, w: float = 1.0, model=None, schedule=None, t=None, scales=()):
    """Stands for a graded function."""
    return x * w


class Trainer:
    """Stands for a graded class."""

    def __init__(self, model, null_label=9):
        self.model, self.null_label = model, null_label

    def loss(self, batch_size, y=None):
        return batch_size


def recorded(*calls, thing=step):
    """Return what was recorded of calls, each a function of the wrapped name."""
    namespace = {thing.__name__: thing}
    with recording(namespace, (thing.__name__,)) as recorder:
        for call in calls:
            call(namespace[thing.__name__])
    return recorder.table


def test_tensors_are_described_by_argument():
    x = torch.tensor([[0.0, 0.25], [0.999, float("nan")]], dtype=torch.float64)
    table = recorded(
        lambda step: step(x, 2), lambda step: step(x.float().T[:1].requires_grad_(), w=-1), lambda step: step(x[0, 0])
    )["step"]
    seen = table["x"].traits
    assert seen["dtype"] == {"float32", "float64"} and seen["axes"] == {"0", "2"}
    assert seen["gradient"] == {"requires grad", "constant"} and seen["layout"] == {"contiguous", "not contiguous"}
    assert seen["batch"] == {"one", "several"} and seen["special"] == {"0", "not finite"}
    assert table["x"].low == 0 and table["x"].high == pytest.approx(0.999)
    assert table["x"].below_one == pytest.approx(0.001, rel=1e-3)
    assert table["x"].tiny == 0.25
    assert (table["w"].low, table["w"].high, table["w"].counts) == (-1, 2, False), "its annotation says float"
    assert table["w"].traits["passed"] == {"by keyword", "by position"}
    assert table[CALLS].traits == {"calls": {"several"}, "shapes": {"several"}}
    assert "batch" not in recorded(lambda step: step(x[0, 0]))["step"]["x"].traits


def test_meta_tensors_and_those_inside_torch_func_are_recorded_too():
    table = recorded(
        lambda step: step(torch.zeros(2, device="meta")), lambda step: torch.func.vmap(step)(torch.ones(3, 2))
    )["step"]
    assert table["x"].traits["device"] == {"cpu", "meta"} and "inside torch.func" in table["x"].traits["transform"]
    assert (table["x"].low, table["x"].high) == (1, 1)


def test_fields_items_and_indices_are_described():
    table = recorded(
        lambda step: step(
            1.0, schedule=Levels(torch.tensor([0.1, 0.2, 0.4])), t=torch.tensor([2, -1]), scales=[0.5, {"a": 3.0}]
        )
    )["step"]
    assert table["schedule"].traits["kind"] == {"dataclass"} and table["schedule.betas"].high == pytest.approx(0.4)
    assert table["t"].traits["special"] == {"last", "negative"} and table["t"].counts
    assert table["scales"].traits["kind"] == {"list"} and table["scales[]"].traits["kind"] == {"float", "dict"}
    assert table["scales[][]"].high == 3


@pytest.mark.parametrize(
    "model, kind",
    [
        (nn.Identity(), "nn.Module"),
        (lambda x: x, "lambda"),
        (step, "function"),
        (Trainer(None).loss, "bound method"),
        (functools.partial(step, 1), "partial"),
        (torch.exp, "builtin function"),
        (None, "NoneType"),
        (object(), "object"),
    ],
)
def test_callables_are_told_apart(model, kind):
    assert recorded(lambda step: step(1.0, model=model))["step"]["model"].traits["kind"] == {kind}


def test_calls_on_one_object_are_counted_and_classes_restored():
    before = dict(vars(Trainer))

    def once_each(cls):
        cls(None).loss(4)
        cls(None).loss(5)

    def twice(cls):
        trainer = cls(nn.Identity(), null_label=3)
        trainer.loss(batch_size=4, y=torch.tensor([3, 0]))
        trainer.loss(batch_size=4)

    table = recorded(once_each, thing=Trainer)
    assert set(table) == {"Trainer.__init__", "Trainer.loss"} and not table["Trainer.loss"][CALLS].traits
    loss = recorded(twice, thing=Trainer)["Trainer.loss"]
    assert loss[CALLS].traits["calls"] == {"several on one object"}
    assert loss["y"].traits["special"] == {"0", "null label"} and "self" not in loss
    assert dict(vars(Trainer)) == before


def test_the_data_that_an_object_gives_are_recorded():
    class Data(nn.Module):
        def sample(self, n):
            return torch.full((n, 2), 0.5), torch.zeros(n, dtype=torch.long)

    data = Data()

    def call(cls):
        cls(data)
        data.sample(1)
        cls(data)
        data.sample(3)

    records = recorded(call, thing=Trainer)["Trainer.__init__"]
    assert records["model"].traits["kind"] == {"data"} and "sample" not in vars(data)
    assert (
        records["model.sample()[0]"].traits["batch"] == {"one", "several"} and records["model.sample()[0]"].low == 0.5
    )
    assert records["model.sample()[1]"].traits["special"] == {"0"} and records["model.sample()[1]"].counts


def test_an_error_of_the_call_stays_the_callers():
    def call(step):
        with pytest.raises(TypeError, match="missing 1 required positional argument: 'x'"):
            step()

    assert recorded(call) == {}


def gaps(lab, probe) -> set[str]:
    """Return the gaps between two lists of calls, as argument and category."""
    return {f"{gap.argument} {gap.what}" for gap in gaps_of("lab9.step", recorded(*lab), recorded(*probe))}


def test_what_the_probe_lacks_is_a_gap():
    x, model = torch.tensor([-2.0, 0.5]), nn.Identity()
    assert gaps([lambda step: step(x)], []) == {" calls"}
    assert gaps([lambda step: step(x, model=model)], [lambda step: step(x)]) == {"model passed"}
    assert gaps([lambda step: step(x, model=model)], [lambda step: step(x, model=step)]) == {"model kind"}
    assert not gaps([lambda step: step(x, model=lambda x: x)], [lambda step: step(x, model=gaps)])
    assert gaps([lambda step: step(x)], [lambda step: step(x.double())]) == {"x dtype"}
    assert gaps([lambda step: step(x[None].mT)], [lambda step: step(x)]) == {"x axes"}
    ones = torch.ones(2, 3)
    assert gaps([lambda step: step(ones.mT)], [lambda step: step(ones)]) == {"x layout"}
    assert gaps([lambda step: step(x)] * 2, [lambda step: step(x)]) == {f"{CALLS} calls"}
    assert gaps([lambda step: step(x[:1])], [lambda step: step(x)]) == {"x batch"}
    assert gaps([lambda step: step(x, t=0)], [lambda step: step(x, t=7)]) == {"t special"}
    assert not gaps([lambda step: step(x, t=1000)], [lambda step: step(x, t=7)]), "the size of a count says nothing"


def test_numbers_are_compared_with_the_stated_slack():
    def differ(lab, probe):
        return {
            found.removeprefix("x ")
            for found in gaps([lambda step: step(torch.tensor(lab))], [lambda step: step(torch.tensor(probe))])
        }

    assert SLACK == 0.25
    assert not differ([-4.0, 4.0], [-3.1, 3.1]) and differ([-4.0, 4.0], [-2.9, 3.1]) == {"low"}
    assert differ([0.01, 4.0], [0.013, 2.0]) == {"low", "high"} and not differ([0.01, 4.0], [0.012, 9.0])
    assert differ([0.5, 0.999], [0.5, 0.99]) == {"below_one"} and not differ([0.5, 0.999], [0.5, 1.0])
    assert differ([0.0, 3.0], [0.1, 3.0]) == {"special", "low"}


def test_only_what_occurs_in_every_challenge_counts():
    tables = [
        recorded(lambda step: step(torch.tensor([0.1, 5.0])))["step"],
        recorded(lambda step: step(torch.tensor([0.2, 9.0]), model=step))["step"],
        recorded(lambda step: step(torch.tensor([[0.0, 7.0]])))["step"],
    ]
    common = merged(tables)
    assert set(common) == {"x", CALLS} and "axes" in common["x"].traits and not common["x"].traits["axes"]
    assert common["x"].low == pytest.approx(0.2) and common["x"].high == 5


def test_one_number_that_differs_between_challenges_reaches_neither():
    lab = recorded(lambda step: step(1.0, w=0.3))
    tables = [recorded(lambda step, w=w: step(1.0, w=w))["step"] for w in (0.1, 0.9)]
    gaps = gaps_of("lab9.step", lab, {"step": merged(tables)})
    assert [(gap.what, gap.probe) for gap in gaps] == [("low", "0.9"), ("high", "0.1")]


def test_a_table_is_the_same_after_reading(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "FOLDER", tmp_path)
    lab, table = find_lab("lab4"), {"lab4.cfg_drift": recorded(lambda step: step(torch.rand(9), 0.12345, step))}
    assert tables.read(lab) == {}
    tables.path_of(lab).write_text(tables.as_text(table), encoding="utf-8")
    assert tables.as_text(tables.read(lab)) == tables.as_text(table)
    assert tables.read(lab)["lab4.cfg_drift"]["step"]["w"].high == 0.123


def comparison(lab, probe, name="lab4.cfg_drift"):
    here, there = recorded(*lab), recorded(*probe)
    return tables.Comparison(name, here, there, gaps_of(name, here, there))


def test_both_sides_are_printed_and_gaps_marked(monkeypatch):
    short = comparison([lambda step: step(torch.tensor(5.0))], [lambda step: step(torch.tensor(0.5))])
    text = "\n".join(lines_of(short))
    assert not short.ok and "✗" in text and "5 … 5" in text and "0.5 … 0.5" in text
    assert "✗ gap: lab4.cfg_drift: step(x): high: the lab has 5, the probe 0.5" in text
    monkeypatch.setitem(ACCEPTED, "lab4.cfg_drift: step(x): high", "it grows no further")
    text = "\n".join(lines_of(short))
    assert short.ok and "✗" not in text and "Reason: it grows no further" in text
    monkeypatch.setitem(ACCEPTED, "lab4.cfg_drift: step(x): low", "closed long ago")
    assert not short.ok and "accepted without need" in "\n".join(lines_of(short))
    assert "(does not pass it)" in "\n".join(
        lines_of(comparison([lambda step: step(1.0, model=step)], [lambda step: step(1.0)]))
    )
    assert "never calls it" in "\n".join(lines_of(comparison([lambda step: step(1.0)], [])))


@pytest.mark.parametrize("found, code", [([lambda step: step(1.0)], 0), ([], 1)])
def test_the_command_exits_with_1_if_there_is_a_gap(found, code, monkeypatch, capsys):
    monkeypatch.setattr(tables, "compare", lambda lab, only: [comparison([lambda step: step(1.0)], found)])
    monkeypatch.setattr(tables, "renew", lambda lab: tables.path_of(lab))
    assert main(["validate", "lab4", "--reach", "--renew"]) == code
    said = capsys.readouterr().out
    assert "written" in said and f"1 exercise, {code} gap" in said
    assert main(["validate", "lab4", "--renew"]) == 2


@functools.cache
def compared(lab):
    """Return the comparisons of a lab, made once in each process."""
    return tables.compare(lab)


def test_every_probe_goes_where_the_lab_goes(lab):
    open_now = [str(gap) for found in compared(lab) for gap in found.open]
    assert not open_now, "\n".join(open_now)


def test_accepted_gaps_have_a_reason_and_are_gaps(lab):
    names = {entry.name for entry in load(lab.short)}
    assert all(len(reason.split()) > 3 for reason in ACCEPTED.values())
    assert all(key.partition(":")[0] in names for key in ACCEPTED if key.startswith(f"{lab.short}."))
    assert not [key for found in compared(lab) for key in found.closed]


def test_every_exercise_has_a_row_in_the_table(lab):
    table = tables.read(lab)
    names = {entry.name for entry in load(lab.short) if not entry.manual}
    assert set(table) == names, f"autograder validate {lab.short} --reach --renew"
    assert tables.as_text(table) == tables.path_of(lab).read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_table_is_fresh(lab, tmp_path, monkeypatch):
    """Made again, it has the same traits, and numbers that another processor could have rounded differently."""
    new = json.loads(tables.as_text(lab_reach(lab)))["exercises"]
    old = json.loads(tables.path_of(lab).read_text(encoding="utf-8"))["exercises"]
    assert without_numbers(new) == without_numbers(old), f"autograder validate {lab.short} --reach --renew"
    for exercise, functions in new.items():
        for function, rows in functions.items():
            for argument, row in rows.items():
                before = old[exercise][function][argument].get("range", [])
                assert row.get("range", []) == pytest.approx(before, rel=0.1), f"{exercise} {function} {argument}"


def without_numbers(exercises):
    """Return the traits of a table."""
    numbers = ("range", "tiny", "below_one")
    return {
        (exercise, function, argument): {name: what for name, what in row.items() if name not in numbers}
        for exercise, functions in exercises.items()
        for function, rows in functions.items()
        for argument, row in rows.items()
    }
