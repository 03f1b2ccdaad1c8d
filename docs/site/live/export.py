"""Export lab 4's network to ONNX, for the page on which it runs in the reader's browser."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import logging
import warnings
from pathlib import Path

import torch

import utils.layers
import utils.nets
from utils.fallback import stored_table
from utils.nets import UNet
from utils.training import CHECKPOINTS, load_weights

WEIGHTS = CHECKPOINTS / "lab4_cfg.safetensors"
NULL = 10
OPSET = 18


def checkpoint() -> UNet:
    """Return the velocity network u(x, t, y) that lab 4's checkpoint holds."""
    net = UNet(**stored_table("lab4_cfg")["settings"])
    load_weights(net, WEIGHTS)
    return net.eval()


def exported(cache: Path) -> Path:
    """Return the file of the network with inputs x, t, y and output u, for batches of any size.

    The weights were stored in half precision. They are written in full precision here, because the runtime computes in
    it, and compression takes the difference away again.

    Args:
        cache: a folder. The file is written once for each version of the weights and of the code.
    """
    sources = [WEIGHTS, Path(utils.nets.__file__), Path(utils.layers.__file__), Path(__file__)]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]
    target = cache / f"velocity-{digest}.onnx"
    if not target.exists():
        cache.mkdir(parents=True, exist_ok=True)
        write_onnx(target)
    return target


def write_onnx(target: Path) -> None:
    """Trace the network with a batch of three, and write it."""
    net = checkpoint()
    inputs = (torch.randn(3, 1, 32, 32), torch.rand(3, 1, 1, 1), torch.tensor([1, 5, NULL]))
    batch = torch.export.Dim("batch", min=1)
    # The checks of shapes around `forward` are for people, and cannot be traced.
    net.forward = UNet.forward.__wrapped__.__get__(net)
    logging.disable(logging.INFO)  # the exporter describes each of its steps
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            net, inputs, dynamo=True, opset_version=OPSET, input_names=["x", "t", "y"], output_names=["u"],
            dynamic_shapes={name: {0: batch} for name in "xty"},
        )  # fmt: skip
        program.save(target, external_data=False)
    logging.disable(logging.NOTSET)


@torch.no_grad()
def reference() -> str:
    """Return inputs and velocities by PyTorch, as JSON with which the page checks its own arithmetic."""
    x = torch.randn(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    t, y = 0.5, torch.tensor([NULL, 3])
    u = checkpoint()(x, torch.full((2, 1, 1, 1), t), y)
    numbers = {name: base64.b64encode(v.numpy().tobytes()).decode() for name, v in (("x", x), ("u", u))}
    return json.dumps({"t": t, "labels": y.tolist(), **numbers})
