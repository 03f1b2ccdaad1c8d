"""Check the course on a GPU: probes of all labs, sampling, and a short training in bfloat16. `make gpu-check`.

Each check compares the device with something that does not depend on it: the model answers must pass their public
checks, samples in float32 must be those of the CPU, and the loss must fall. Results go to build/gpu-check.json. With
`--device cpu` the same code runs on a machine without a GPU.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import platform
import sys
import time
from pathlib import Path

import torch

from autograder import ROOT
from autograder.course.labs import find_lab, labs
from autograder.course.solved import SolvedLab
from autograder.errors import ExitCode
from solutions.patch_curve import clock
from solutions.train_lab4 import NULL
from utils.checks import public_verdict
from utils.checks.exercise import load
from utils.data import load_digits
from utils.nets import UNet
from utils.paths import LinearAlpha, LinearBeta
from utils.runtime import fast_bf16, seed_everything
from utils.training import CHECKPOINTS, load_weights

OUT = ROOT / "build" / "gpu-check.json"
NO_GPU = (
    "No GPU was found: torch.cuda.is_available() is False, so nothing was checked. Run this command on a machine with "
    "an NVIDIA GPU and PyTorch's CUDA build, or try it on the CPU: python -m bench.gpu_check --device cpu"
)
IMAGES, EULER_STEPS, SCALE = 10, 8, 2.0
TOLERANCE = 2e-2  # between samples of two devices in float32, in grey values from -1 to 1; TF32 stays below it
BATCH, SIZE = 64, 16


def check_probes(names: list[str]) -> dict:
    """Run the probe and the public check of every automatic exercise on its model answer.

    The labs choose the device by themselves, so on a machine with a GPU their objects are on it.

    Args:
        names: The labs, such as "lab4".
    """
    exercises = {}
    for name in names:
        namespace = SolvedLab(find_lab(name)).namespace
        for entry in load(name):
            if not entry.manual:
                with contextlib.redirect_stdout(io.StringIO()):
                    verdict = public_verdict(entry, namespace)
                exercises[entry.name] = [finding.code for finding in verdict.findings]
    return {"ok": not any(exercises.values()), "findings": exercises}


def sample(lab: dict, net: torch.nn.Module, device: torch.device, bf16: bool) -> tuple[torch.Tensor, float]:
    """Return one digit of each class, sampled by lab 4's model answers, and the seconds that it took."""
    noise = torch.randn(IMAGES, 1, 32, 32, generator=torch.Generator().manual_seed(0)).to(device)
    labels = torch.arange(IMAGES, device=device) % 10
    simulator = lab["EulerSimulator"](lab["CFGVectorFieldODE"](net, SCALE, NULL))
    grid = torch.linspace(0, 1, EULER_STEPS + 1, device=device)
    context = torch.autocast(device.type, torch.bfloat16) if bf16 else contextlib.nullcontext()
    start = clock(device)
    with torch.no_grad(), context:
        x = simulator.simulate(noise, grid, y=labels).float()
    return x.cpu(), clock(device) - start


def check_sampling(lab: dict, device: torch.device) -> dict:
    """Sample lab 4's checkpoint on the device and on the CPU from the same noise, then in bfloat16."""
    net = UNet()
    load_weights(net, CHECKPOINTS / "lab4_cfg.safetensors")
    expected, _ = sample(lab, net.eval(), torch.device("cpu"), bf16=False)
    net = net.to(device)
    sample(lab, net, device, bf16=False)  # warms up
    actual, seconds = sample(lab, net, device, bf16=False)
    difference = float((actual - expected).abs().max())
    result = {"ok": difference <= TOLERANCE, "difference": difference, "seconds": round(seconds, 4)}
    if fast_bf16(device):
        half, half_seconds = sample(lab, net, device, bf16=True)
        result |= {"bf16_difference": float((half - expected).abs().mean()), "bf16_seconds": round(half_seconds, 4)}
        result["ok"] &= bool(half.isfinite().all())
    return result


def check_training(lab: dict, device: torch.device, steps: int) -> dict:
    """Train lab 4's small network with lab 4's own trainer, in bfloat16 where the device has it; the loss must fall."""
    seed_everything(0)
    digits = load_digits("train", size=SIZE, device=device)
    path = lab["GaussianConditionalPath"](digits, (1, SIZE, SIZE), LinearAlpha(), LinearBeta()).to(device)
    trainer = lab["CFGTrainer"](path, UNet(channels=(16, 32, 64), layers=1, patch=1), 0.1, NULL)
    start = clock(device)
    losses = trainer.train(
        steps, device, lr=2e-3, ema=0.99, bf16=True, channels_last=device.type == "cuda", batch_size=BATCH
    )
    seconds, few = clock(device) - start, max(1, steps // 5)
    first, last = sum(losses[:few]) / few, sum(losses[-few:]) / few
    result = {
        "ok": last < first,
        "bf16": fast_bf16(device),
        "data": digits.source,
        "steps": steps,
        "first_loss": round(first, 4),
        "last_loss": round(last, 4),
        "images_per_second": round(steps * BATCH / seconds, 1),
    }
    if device.type == "cuda":
        result["peak_memory_mib"] = round(torch.cuda.max_memory_allocated() / 2**20)
    return result


def machine(device: torch.device) -> dict:
    """Return what the results depend on."""
    return {
        "device": torch.cuda.get_device_name() if device.type == "cuda" else platform.machine(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda if device.type == "cuda" else None,
        "python": platform.python_version(),
    }


def main(arguments: list[str] | None = None) -> int:
    """Run all checks, print a line for each, write the results, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--steps", type=int, default=200, help="training steps")
    parser.add_argument("--labs", nargs="+", default=[lab.short for lab in labs()], help="whose probes to run")
    parser.add_argument("--out", type=Path, default=OUT, help="the JSON file to write")
    options = parser.parse_args(arguments)
    if options.device == "cuda" and not torch.cuda.is_available():
        print(NO_GPU, file=sys.stderr)
        return ExitCode.MISSED
    device, started = torch.device(options.device), time.perf_counter()
    lab = SolvedLab(find_lab("lab4")).namespace
    checks = {
        "probes": lambda: check_probes(options.labs),
        "sampling": lambda: check_sampling(lab, device),
        "training": lambda: check_training(lab, device, options.steps),
    }
    results: dict[str, dict] = {"machine": machine(device)}
    for name, run in checks.items():
        try:
            results[name] = run()
        except Exception as error:  # the other checks are worth running
            results[name] = {"ok": False, "error": f"{type(error).__name__}: {error}"}
        print(f"{'✓' if results[name]['ok'] else '✗'} {name}: {in_short(results[name])}", flush=True)
    results["seconds"] = round(time.perf_counter() - started, 1)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(f"written: {options.out}")
    return ExitCode.DONE if all(results[name]["ok"] for name in checks) else ExitCode.MISSED


def in_short(result: dict) -> str:
    """Return a result as a line; of the probes, only how many passed and which did not."""
    if "findings" in result:
        failed = {name: codes for name, codes in result["findings"].items() if codes}
        return f"{len(result['findings']) - len(failed)} of {len(result['findings'])} pass {failed or ''}".strip()
    return ", ".join(f"{key} {value}" for key, value in result.items() if key != "ok")


if __name__ == "__main__":
    sys.exit(main())
