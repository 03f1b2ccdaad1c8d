"""The pretended device: what runs on a GPU runs on it, and what fails on a GPU fails on it."""

import copy
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.explain import HARD_CODED_DEVICE, READ_BY_NUMPY, device_finding, is_device_error
from utils.checks.kits.other_device import OTHER, is_elsewhere, other_device, put_device


def attempt(function):
    """Return what a function of the challenge makes on the other device, and the evidence."""
    evidence, results = Evidence("lab1.add_noise"), []
    with other_device(evidence, Challenge.public("lab1.add_noise")) as there:
        results.append(function(there.randn("x", (4, 3))))
        put_device(evidence, results[0])
    return results[0] if results else None, evidence


def like(x):
    return {"dtype": x.dtype, "device": x.device}


def in_place_views(x):
    y = torch.zeros_like(x)
    y[0] = x[0]
    y[1:].copy_(x[1:])
    return y.unsqueeze_(1).squeeze_(1).add_(1).sub_(1)


def gradient_by_backward(x):
    x = x.detach().requires_grad_()
    x.pow(2).sum().backward()
    return x.grad / 2


def through_a_copied_layer(x):
    layer = nn.Linear(3, 3, bias=False, dtype=x.dtype, device=x.device)
    with torch.no_grad():
        layer.weight.copy_(torch.eye(3))
    return copy.deepcopy(layer)(x).detach()


def second_derivatives(x):
    cubes = torch.func.vmap(torch.func.hessian(lambda v: (v**3).sum() + v[0]))(x)
    return torch.einsum("ijj->ij", cubes) / 6


def masked(x):
    y = x.clone()
    y[y > 0] = -y[y > 0]
    return torch.where(y < 0, y, torch.tensor(0.0, dtype=x.dtype)).abs() * x.sign()


THE_SAME = {  # each returns x
    "arithmetic": lambda x: (2 * x + 1 - 1) / 2,
    "arange": lambda x: x[torch.arange(4, device=x.device)],
    "index_on_the_cpu": lambda x: x[torch.arange(4)],
    "number_on_the_cpu": lambda x: x * torch.tensor(1.0),
    "numbers_one_by_one": lambda x: torch.tensor(
        [[v.item() for v in row] for row in x], dtype=x.dtype, device=x.device
    ),
    "lists": lambda x: x.new_tensor(x.tolist()),
    "data_by_name": lambda x: torch.tensor(data=x.tolist(), dtype=x.dtype, device=x.device),
    "trained": lambda x: torch.tensor(x.tolist(), dtype=x.dtype, device=x.device, requires_grad=True).detach(),
    "as_tensor": lambda x: torch.as_tensor(x.cpu().numpy(), device=x.device),
    "numpy_array": lambda x: torch.from_numpy(x.numpy(force=True)).to(x),
    "there_and_back": lambda x: x.cpu().to(x.device),
    "decisions": lambda x: torch.stack([row if row.sum() > 0 else row.clone() for row in x]),
    "cat": lambda x: torch.cat([x[:2], x[2:]]),
    "out": lambda x: torch.add(x, 0, out=torch.empty_like(x)),
    "in_place_views": in_place_views,
    "masked": masked,
    "einsum": lambda x: torch.einsum("ij,jk->ik", x, torch.eye(3, dtype=x.dtype, device=x.device)),
    "gradient": gradient_by_backward,
    "vmap": lambda x: torch.func.vmap(torch.func.grad(lambda v: v.pow(2).sum() / 2))(x),
    "second_derivatives": second_derivatives,
    "layer": through_a_copied_layer,
    "sorted_back": lambda x: x.sort(0).values.gather(0, x.argsort(0).argsort(0)),
    "own_generator": lambda x: x + 0 * torch.randn(x.shape, generator=torch.Generator().manual_seed(1)).to(x.device),
    "noise_like": lambda x: x + 0 * torch.randn_like(x) * torch.rand(x.shape, device=x.device),
    "one_hot": lambda x: x * F.one_hot(torch.zeros(4, dtype=torch.long, device=x.device), 3).sum(1, keepdim=True),
    "printed": lambda x: x if str(x) and repr(x[0]) and f"{x[0, 0]:.2f}" else None,
}
MIXED = {
    "sum": lambda x: x + torch.ones(4, 3),
    "cat": lambda x: torch.cat([x, torch.ones(4, 3)]),
    "stack": lambda x: torch.stack([x.sum(), torch.tensor(1.0)]),
    "linspace": lambda x: x * torch.linspace(0, 1, 3),
    "gather": lambda x: x.gather(0, torch.zeros(1, 3, dtype=torch.long)),
    "index_select": lambda x: x.index_select(0, torch.zeros(1, dtype=torch.long)),
    "table_on_the_cpu": lambda x: torch.ones(9)[x.argsort(0)],
    "number_there": lambda x: torch.ones(3) * x.sum(),
    "layer": lambda x: nn.Linear(3, 3, dtype=x.dtype)(x),
    "matmul": lambda x: x @ torch.ones(3, 3, dtype=x.dtype),
    "where": lambda x: torch.where(x > 0, x, torch.zeros(4, 3)),
    "set_rows": lambda x: x.index_put((torch.arange(2),), torch.ones(2, 3, dtype=x.dtype)),
    "in_place": lambda x: x.add_(torch.ones(4, 3)),
    "loss": lambda x: F.cross_entropy(x, torch.zeros(4, dtype=torch.long)),
    "cuda": lambda x: x.to("cuda"),
    "numpy": lambda x: torch.from_numpy(x.numpy()).to(x),
    "numpy_mean": lambda x: x - float(np.asarray(x).mean()),
    "numpy_function": lambda x: torch.from_numpy(np.exp(x)),
}


@pytest.mark.parametrize("name", THE_SAME)
def test_what_runs_on_a_gpu_runs_there_with_the_same_numbers(name):
    result, evidence = attempt(THE_SAME[name])
    assert evidence.errors == {} and evidence.values["device/completed"]
    assert evidence.values["device/elsewhere"] is False and is_elsewhere(result)
    expected = Challenge.public("lab1.add_noise").randn("x", (4, 3))
    torch.testing.assert_close(result.here, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", MIXED)
def test_what_mixes_devices_raises_there(name):
    _, evidence = attempt(MIXED[name])
    assert is_device_error(evidence.errors["device"]), evidence.errors


@pytest.mark.parametrize(
    "message, finding",
    [
        ("Expected all tensors to be on the same device, but found cuda:0 and cpu!", HARD_CODED_DEVICE),
        ("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() first.", READ_BY_NUMPY),
    ],
)
def test_a_finding_names_the_line_that_fails_on_another_device(message, finding):
    error = {"type": "TypeError", "message": message, "line": "y = x.numpy()"}
    assert is_device_error(error)
    assert device_finding(error) == (finding[0], finding[1] + " The line is `y = x.numpy()`.")
    assert device_finding({"message": message}) == finding


def test_a_result_on_the_cpu_is_recorded():
    assert attempt(Tensor.cpu)[1].values["device/elsewhere"] is True
    assert attempt(lambda x: (x, x.cpu()))[1].values["device/elsewhere"] is True


def test_tensors_of_the_cpu_stay_what_they_are():
    result, _ = attempt(lambda x: torch.zeros(2) + torch.tensor([1.0, 2.0]))
    assert type(result) is Tensor and torch.equal(result, torch.tensor([1.0, 2.0]))
    assert torch.zeros(1, device=OTHER).device == OTHER  # afterwards, the device is torch's own again
    assert type(torch.zeros(1, device=OTHER)) is Tensor


def test_torchs_compiler_is_not_imported():
    code = """
import sys, torch
from utils.checks.challenge import Challenge
from utils.checks.evidence import Evidence
from utils.checks.kits.other_device import other_device
with other_device(Evidence("lab1.add_noise"), Challenge.public("lab1.add_noise")) as there:
    (there.randn("x", (3,)) * 2).sum().item()
print("torch._dynamo" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
