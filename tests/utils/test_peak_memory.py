"""The peak of memory, against sums that can be done by hand."""

import pytest
import torch
from torch import nn

from utils.peak_memory import peak_memory

MB = 250_000  # numbers in float32


def test_what_is_let_go_of_does_not_count():
    def chain():
        x = torch.zeros(MB)
        for _ in range(10):
            x = x + 1  # the old one and the new one live together for a moment

    assert peak_memory(chain) == pytest.approx(2, abs=0.01)


def test_views_count_once():
    assert peak_memory(lambda: torch.zeros(MB).reshape(500, -1).T[:10]) == pytest.approx(1, abs=0.01)


def test_what_was_there_before_does_not_count():
    x = torch.zeros(MB)
    assert peak_memory(lambda: x.reshape(500, -1).T[:10]) == 0
    assert peak_memory(lambda: x.add_(1)) == 0
    layer, row = nn.Linear(500, 500), torch.zeros(1, 500)  # the weight has 1 MB, and is transposed for the product
    assert peak_memory(lambda: layer(row)) == pytest.approx(0.002, abs=1e-4)


def test_a_graph_keeps_what_it_needs():
    x = torch.zeros(MB, requires_grad=True)

    def forward(grad):
        with torch.set_grad_enabled(grad):
            y = x
            for _ in range(8):
                y = nn.functional.silu(y * 1.0)  # silu keeps its input
            return float(y.detach().sum())

    without, with_graph = peak_memory(lambda: forward(False)), peak_memory(lambda: forward(True))
    assert without <= 3.01
    assert with_graph >= 8
