"""The comparison of the network on pixels with the one on patches."""

import itertools
import json

import torch

from solutions import patch_curve
from utils.data import LabelledImages
from utils.fallback import stored_table
from utils.nets import UNet


def test_a_second_call_continues_and_both_networks_see_the_same_batches(tmp_path, monkeypatch):
    few = LabelledImages(torch.randint(256, (300, 1, 32, 32), dtype=torch.uint8), torch.arange(300) % 10, "a test")
    seen: dict[int, list[torch.Tensor]] = {1: [], 2: []}

    class Small(UNet):
        def __init__(self, channels=(8, 8), layers=1, patch=2):
            super().__init__(channels, layers, patch=patch)

        def forward(self, x, t, y):
            if self.training and len(x) == 4:
                seen[self.patch].append(t)
            return super().forward(x, t, y)

    monkeypatch.setattr(patch_curve, "load_digits", lambda split, device: few)
    monkeypatch.setattr(patch_curve, "UNet", Small)
    monkeypatch.setattr(patch_curve, "CHUNK", 1)
    monkeypatch.setattr(patch_curve, "SETTINGS", patch_curve.SETTINGS | {"batch": 4, "images": 10, "euler steps": 1})
    ticks = itertools.count()
    monkeypatch.setattr(patch_curve, "clock", lambda device: float(next(ticks)))
    out = tmp_path / "table.json"
    tables = []
    for marks in (["1"], ["1", "3"]):  # the second command finds the state of the first; a step takes one tick
        patch_curve.main(["--runs", str(tmp_path / "runs"), "--out", str(out), "--marks", *marks])
        tables.append(json.loads(out.read_text()))
    for name in patch_curve.PATCHES:
        first, second = tables[1][name]["curve"]
        assert tables[0][name]["curve"] == [first]
        assert (first["seconds"], first["steps"], second["seconds"], second["steps"]) == (1, 1, 3, 3)
        assert {"accuracy", "distance"} <= set(first)
    assert len(seen[1]) == len(seen[2]) == 3 and all(torch.equal(a, b) for a, b in zip(seen[1], seen[2]))


def test_the_stored_table_compares_networks_of_one_size_at_equal_times():
    table = stored_table("lab4_patches")
    pixels, patches = table["pixels"], table["patches"]
    assert abs(pixels["parameters"] / patches["parameters"] - 1) < 0.01
    assert len(pixels["curve"]) == len(patches["curve"]) == len(patch_curve.MARKS)
    for mark, a, b in zip(patch_curve.MARKS, pixels["curve"], patches["curve"]):
        assert mark <= a["seconds"] < 1.2 * mark and mark <= b["seconds"] < 1.2 * mark
        assert b["steps"] > 2 * a["steps"]
