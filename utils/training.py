"""The training loop that all labs share. What the loss is, is the student's."""

from __future__ import annotations

import contextlib
import copy
import json
import math
import os
import time
from abc import ABC, abstractmethod
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from utils.runtime import fast_bf16, progress


class Trainer(ABC):
    """Trains `model` by gradient descent on `get_train_loss`."""

    def __init__(self, model: nn.Module):
        self.model = model
        self.history: list[float] = []  # the loss of every step
        self.seconds = 0.0  # spent in training so far

    @abstractmethod
    def get_train_loss(self, **kwargs) -> Tensor:
        """The loss of one batch: a tensor without axes, through which gradients flow to the model."""

    def train(
        self,
        num_steps: int,
        device: torch.device | str,
        lr: float = 1e-3,
        *,
        decay: bool = True,
        ema: float | None = None,
        betas: tuple[float, float] = (0.9, 0.99),
        bf16: bool = False,
        channels_last: bool = False,
        checkpoint: str | Path | None = None,
        save_seconds: float = 60.0,
        logdir: str | Path | None = None,
        on_save=None,
        **kwargs,
    ) -> list[float]:
        """Take steps of Adam until there are `num_steps` in all, and return their losses. `kwargs` go to `get_train_loss`.

        Called once more it goes on from the same weights and step, with a new Adam; with a `checkpoint` that is there, exactly
        where it was. With no step left it trains nothing.
        decay: the learning rate follows `warm_flat_fall`; without it, it stays at `lr`.
        ema: decay of a running mean of the weights (0.999, say). After training the model holds that mean.
        bf16: compute in bfloat16 where the hardware does so; elsewhere nothing changes. channels_last: faster convolutions.
        checkpoint: a file, written every `save_seconds` and at the end; an existing one is resumed, to the last bit of the
        random numbers. `on_save(trainer)` is called after each writing.
        logdir: a folder for TensorBoard.

        Raises:
            FloatingPointError: the loss is NaN or infinite.
            RuntimeError: the checkpoint is damaged.
        """
        device = torch.device(device)
        self.model.to(device)
        if channels_last:
            self.model.to(memory_format=torch.channels_last)
        optimizer = torch.optim.Adam(self.model.parameters(), lr=lr, betas=betas)
        mean = copy.deepcopy(self.model).requires_grad_(False).eval() if ema else None
        self.mean_model = mean
        checkpoint = Path(checkpoint) if checkpoint else None
        if checkpoint and checkpoint.exists():
            self.load_state(checkpoint, optimizer, mean, device)
        precision = contextlib.nullcontext()
        if bf16 and fast_bf16(device):
            precision = torch.autocast(device.type, torch.bfloat16)
        with optional_writer(logdir) as writer:
            self.model.train()
            done, last_save, start = len(self.history), time.monotonic(), time.monotonic() - self.seconds
            bar = progress(range(done, num_steps), "training")
            for step in bar:
                for group in optimizer.param_groups:
                    group["lr"] = lr * warm_flat_fall(step, num_steps) if decay else lr
                optimizer.zero_grad(set_to_none=True)
                with precision:
                    loss = self.get_train_loss(**kwargs)
                loss.backward()
                optimizer.step()
                if mean is not None:
                    update_mean(mean, self.model, min(ema, (step + 1) / (step + 10)))
                self.history.append(float(loss.detach()))
                if not math.isfinite(self.history[-1]):
                    raise FloatingPointError(f"the loss is {self.history[-1]} at step {step}: lower the learning rate?")
                if step % 10 == 0:
                    bar.set_postfix_str(f"loss {sum(self.history[-50:]) / len(self.history[-50:]):.4f}", refresh=False)
                    if writer:
                        writer.add_scalar("loss", self.history[-1], step)
                self.seconds = time.monotonic() - start
                is_last = step + 1 == num_steps
                if checkpoint and (is_last or time.monotonic() - last_save > save_seconds):
                    self.save_state(checkpoint, optimizer, mean)
                    if on_save:
                        on_save(self)
                        self.model.train()
                    last_save = time.monotonic()
        if mean is not None:
            self.model.load_state_dict(mean.state_dict())
        self.model.eval()
        return self.history

    def save_state(self, path: Path, optimizer: torch.optim.Optimizer, mean: nn.Module | None) -> None:
        """Everything that a resumed run needs, in one file that is either the old one or the new one, never half."""
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        if mean is not None:
            tensors |= {f"mean.{name}": value for name, value in mean.state_dict().items()}
        for i, state in optimizer.state_dict()["state"].items():
            tensors |= {f"adam.{i}.{name}": value for name, value in state.items()}
        tensors["history"] = torch.tensor(self.history, dtype=torch.float64)
        tensors["random.cpu"] = torch.get_rng_state()
        if torch.cuda.is_available():
            tensors["random.cuda"] = torch.cuda.get_rng_state()
        save_tensors(tensors, path, {"seconds": self.seconds})

    def load_state(
        self, path: Path, optimizer: torch.optim.Optimizer, mean: nn.Module | None, device: torch.device
    ) -> None:
        tensors, facts = load_tensors(path, device)

        def part(prefix: str) -> dict[str, Tensor]:
            return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}

        self.model.load_state_dict(part("model."))
        if mean is not None:
            mean.load_state_dict(part("mean."))
        states: dict[int, dict[str, Tensor]] = {}
        for name, value in part("adam.").items():
            i, key = name.split(".", 1)
            # Adam reads its counters on the CPU: on a GPU each step would wait for hundreds of them.
            states.setdefault(int(i), {})[key] = value.cpu() if key == "step" else value
        optimizer.load_state_dict({"state": states, "param_groups": optimizer.state_dict()["param_groups"]})
        self.history = tensors["history"].tolist()
        self.seconds = float(facts["seconds"])
        torch.set_rng_state(tensors["random.cpu"].cpu())
        if "random.cuda" in tensors and torch.cuda.is_available():
            torch.cuda.set_rng_state(tensors["random.cuda"].cpu())


def warm_flat_fall(step: int, num_steps: int) -> float:
    """Factor on the learning rate: up over 2 % of the steps (at most 100), then flat, then straight down to zero over the last 30 %.

    Between the rise and the fall it does not depend on the number of steps, so a resumed run may be given more of them, or fewer.
    """
    rise, fall = max(1, min(100, num_steps // 50)), max(1, round(0.3 * num_steps))
    return min((step + 1) / rise, 1.0, (num_steps - step) / fall)


@torch.no_grad()
def update_mean(mean: nn.Module, model: nn.Module, keep: float) -> None:
    """mean <- keep · mean + (1 - keep) · model, for the weights; other buffers are copied."""
    torch._foreach_lerp_(list(mean.parameters()), [p.detach() for p in model.parameters()], 1 - keep)
    for old, new in zip(mean.buffers(), model.buffers()):
        old.copy_(new)


@contextlib.contextmanager
def optional_writer(logdir: str | Path | None):
    """TensorBoard's writer, or None."""
    if logdir is None:
        yield None
        return
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(logdir)) as writer:
        yield writer


def save_tensors(tensors: dict[str, Tensor], path: str | Path, facts: dict | None = None) -> None:
    """Tensors and a few facts as one safetensors file. Written beside and renamed: a killed run leaves no half file."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    save_file(
        {name: value.detach().contiguous() for name, value in tensors.items()},
        str(beside),
        {"facts": json.dumps(facts or {})},
    )
    beside.chmod(0o644)  # safetensors writes for the owner alone; a sandboxed reader is somebody else
    os.replace(beside, path)


def load_tensors(path: str | Path, device: torch.device | str = "cpu") -> tuple[dict[str, Tensor], dict]:
    """The tensors and the facts of a file that `save_tensors` wrote.

    Raises:
        FileNotFoundError: there is none.
        RuntimeError: it is damaged; the message names it.
    """
    try:
        with safe_open(str(path), framework="pt", device=str(device)) as file:
            facts = json.loads((file.metadata() or {}).get("facts", "{}"))
            return {name: file.get_tensor(name) for name in file.keys()}, facts  # noqa: SIM118, safetensors' file is no dict
    except (SafetensorError, ValueError) as error:
        raise RuntimeError(f"{path} is damaged ({error}); delete it to start anew") from error


CHECKPOINTS = Path(__file__).parent / "checkpoints"


def save_weights(model: nn.Module, path: str | Path, facts: dict | None = None, half: bool = True) -> None:
    """The weights of a trained model, in float16 unless `half` is False: for keeping, not for resuming."""
    state = model.state_dict()
    if half:
        state = {name: value.half() if value.is_floating_point() else value for name, value in state.items()}
    save_tensors(state, path, facts)


def load_weights(model: nn.Module, path: str | Path) -> dict:
    """Fill the model from a file of `save_weights`, put it in eval mode, and return the facts kept beside the weights."""
    tensors, facts = load_tensors(path)
    model.load_state_dict(tensors)
    model.eval()
    return facts
