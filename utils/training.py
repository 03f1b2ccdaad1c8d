"""The training loop that all labs share, and files of weights. The student writes the loss."""

from __future__ import annotations

import contextlib
import copy
import json
import math
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from utils.runtime import fast_bf16, progress

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

CHECKPOINTS = Path(__file__).parent / "checkpoints"


@dataclass(frozen=True)
class TrainingOptions:
    """The optional arguments of `Trainer.train`, all given by keyword.

    Args:
        decay: let the learning rate follow `warmup_stable_decay`. If False, it stays at `lr`.
        ema: keep an exponential moving average of the weights with this decay, in (0, 1); for example 0.999. After
            training, the model holds the average. None keeps no average.
        betas: Adam's two decay rates, each in [0, 1).
        bf16: compute the loss in bfloat16 if the hardware supports it; otherwise nothing changes.
        channels_last: store images with the channels last in memory, which makes convolutions faster.
        checkpoint: a file that is written every `save_seconds` and at the end. If it exists, training resumes from it
            and continues with the same random numbers as a run that was not interrupted.
        save_seconds: the time between two writes of the checkpoint, in seconds.
        logdir: a folder for TensorBoard. None writes no log.
        on_save: a function that is called with the trainer after each write of the checkpoint.
    """

    decay: bool = True
    ema: float | None = None
    betas: tuple[float, float] = (0.9, 0.99)
    bf16: bool = False
    channels_last: bool = False
    checkpoint: str | Path | None = None
    save_seconds: float = 60.0
    logdir: str | Path | None = None
    on_save: Callable[[Trainer], object] | None = None


def split_options(arguments: dict[str, Any]) -> tuple[TrainingOptions, dict[str, Any]]:
    """Separate the options of the training loop from the arguments of the loss.

    Args:
        arguments: keyword arguments by name.

    Returns:
        The options, and the arguments that are no field of `TrainingOptions`.

    Example:
        >>> options, rest = split_options({"ema": 0.9, "batch_size": 32})
        >>> options.ema, rest
        (0.9, {'batch_size': 32})
    """
    names = {field.name for field in fields(TrainingOptions)}
    options = TrainingOptions(**{name: value for name, value in arguments.items() if name in names})
    return options, {name: value for name, value in arguments.items() if name not in names}


class Trainer(ABC):
    """Train a model by gradient descent on `get_train_loss`, which a subclass defines.

    Args:
        model: the network to train. Its weights change in place.

    Attributes:
        history: the loss of every step so far.
        seconds: the time spent in training so far.
        ema_model: the moving average of the weights during training, or None.
    """

    def __init__(self, model: nn.Module):
        self.model = model
        self.history: list[float] = []
        self.seconds = 0.0
        self.ema_model: nn.Module | None = None

    @abstractmethod
    def get_train_loss(self, **kwargs) -> Tensor:
        """Return the loss of one random batch.

        Args:
            **kwargs: what `train` was given beyond its own options, such as `batch_size`.

        Returns:
            A tensor of shape (), attached to the graph, so that gradients reach the model.
        """

    def train(self, num_steps: int, device: torch.device | str, lr: float = 1e-3, **kwargs) -> list[float]:
        """Take steps of Adam until there are `num_steps` in all, then put the model into eval mode.

        A second call continues from the current weights and step with a new Adam. With a `checkpoint` that exists,
        training resumes exactly where it stopped. If no step is left, nothing is trained.

        Args:
            num_steps: the total number of steps, those of earlier calls included; at least 0.
            device: where to train. The model is moved there.
            lr: the learning rate, positive.
            **kwargs: options of the loop (`decay`, `ema`, `betas`, `bf16`, `channels_last`, `checkpoint`,
                `save_seconds`, `logdir`, `on_save`; see `TrainingOptions`). All others go to `get_train_loss`.

        Returns:
            The loss of every step so far.

        Raises:
            FloatingPointError: the loss is NaN or infinite.
            RuntimeError: the checkpoint is damaged.

        References:
            Kingma and Ba (2015), "Adam: a method for stochastic optimization", algorithm 1.
        """
        options, loss_arguments = split_options(kwargs)
        device = torch.device(device)
        optimizer = self._prepare(device, lr, options)
        use_bf16 = options.bf16 and fast_bf16(device)
        precision = torch.autocast(device.type, torch.bfloat16) if use_bf16 else contextlib.nullcontext()
        with optional_writer(options.logdir) as writer:
            self.model.train()
            last_save, start = time.monotonic(), time.monotonic() - self.seconds
            bar = progress(range(len(self.history), num_steps), "training")
            for step in bar:
                rate = lr * warmup_stable_decay(step, num_steps) if options.decay else lr
                self._step(optimizer, rate, precision, options.ema, loss_arguments)
                if step % 10 == 0:
                    recent = self.history[-50:]
                    bar.set_postfix_str(f"loss {sum(recent) / len(recent):.4f}", refresh=False)
                    if writer:
                        writer.add_scalar("loss", self.history[-1], step)
                self.seconds = time.monotonic() - start
                is_due = step + 1 == num_steps or time.monotonic() - last_save > options.save_seconds
                if options.checkpoint and is_due:
                    self.save_state(Path(options.checkpoint), optimizer)
                    if options.on_save:
                        options.on_save(self)
                        self.model.train()
                    last_save = time.monotonic()
        if self.ema_model is not None:
            self.model.load_state_dict(self.ema_model.state_dict())
        self.model.eval()
        return self.history

    def _prepare(self, device: torch.device, lr: float, options: TrainingOptions) -> torch.optim.Optimizer:
        """Move the model, make Adam and the moving average, and load the checkpoint if there is one."""
        self.model.to(device)
        if options.channels_last:
            self.model.to(memory_format=torch.channels_last)
        optimizer = torch.optim.Adam(self.model.parameters(), lr=lr, betas=options.betas)
        self.ema_model = copy.deepcopy(self.model).requires_grad_(False).eval() if options.ema else None
        if options.checkpoint and Path(options.checkpoint).exists():
            self.load_state(Path(options.checkpoint), optimizer, device)
        return optimizer

    def _step(self, optimizer, lr: float, precision, ema: float | None, loss_arguments: dict[str, object]) -> None:
        """Take one step, update the moving average, and append the loss to the history."""
        step = len(self.history)
        for group in optimizer.param_groups:
            group["lr"] = lr
        optimizer.zero_grad(set_to_none=True)
        with precision:
            loss = self.get_train_loss(**loss_arguments)
        loss.backward()
        optimizer.step()
        if self.ema_model is not None and ema is not None:
            update_ema(self.ema_model, self.model, min(ema, (step + 1) / (step + 10)))  # forgets the start sooner
        self.history.append(float(loss.detach()))
        if not math.isfinite(self.history[-1]):
            raise FloatingPointError(f"the loss is {self.history[-1]} at step {step}: lower the learning rate?")

    def save_state(self, path: Path, optimizer: torch.optim.Optimizer) -> None:
        """Write everything that a resumed run needs to one file. An interrupted write leaves the old file intact.

        Args:
            path: the file to write.
            optimizer: the Adam whose moments are saved.
        """
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        if self.ema_model is not None:
            tensors |= {f"mean.{name}": value for name, value in self.ema_model.state_dict().items()}
        for i, state in optimizer.state_dict()["state"].items():
            tensors |= {f"adam.{i}.{name}": value for name, value in state.items()}
        tensors["history"] = torch.tensor(self.history, dtype=torch.float64)
        tensors["random.cpu"] = torch.get_rng_state()
        if torch.cuda.is_available():
            tensors["random.cuda"] = torch.cuda.get_rng_state()
        save_tensors(tensors, path, {"seconds": self.seconds})

    def load_state(self, path: Path, optimizer: torch.optim.Optimizer, device: torch.device) -> None:
        """Restore weights, Adam, losses and random numbers from a file of `save_state`.

        Args:
            path: the file to read.
            optimizer: the Adam to fill.
            device: where the tensors go.

        Raises:
            RuntimeError: the file is damaged, or belongs to another model.
        """
        tensors, facts = load_tensors(path, device)

        def part(prefix: str) -> dict[str, Tensor]:
            return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}

        self.model.load_state_dict(part("model."))
        if self.ema_model is not None:
            self.ema_model.load_state_dict(part("mean."))
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


def warmup_stable_decay(step: int, num_steps: int) -> float:
    """Return the factor on the learning rate: a rise, a constant stretch, and a linear fall to zero.

    The rise takes 2 % of the steps (at most 100), the fall the last 30 %. Between them the factor is 1 and does not
    depend on `num_steps`, so a resumed run may be given more steps or fewer.

    Args:
        step: the current step, from 0 to num_steps - 1.
        num_steps: the total number of steps, at least 1.

    Returns:
        A number in (0, 1].

    References:
        Hu et al. (2024), "MiniCPM", section 4.2 (the warmup-stable-decay schedule).

    Example:
        >>> warmup_stable_decay(0, 1000), warmup_stable_decay(500, 1000), warmup_stable_decay(850, 1000)
        (0.05, 1.0, 0.5)
    """
    rise, fall = max(1, min(100, num_steps // 50)), max(1, round(0.3 * num_steps))
    return min((step + 1) / rise, 1.0, (num_steps - step) / fall)


@torch.no_grad()
def update_ema(ema_model: nn.Module, model: nn.Module, decay: float) -> None:
    """Set the averaged weights to decay * average + (1 - decay) * weights. Buffers are copied.

    Args:
        ema_model: the average; it changes in place.
        model: a model of the same architecture.
        decay: the weight of the old average, in [0, 1].

    Example:
        >>> average, model = nn.Linear(1, 1), nn.Linear(1, 1)
        >>> _ = nn.init.zeros_(average.weight), nn.init.ones_(model.weight)
        >>> update_ema(average, model, 0.75)
        >>> average.weight.item()
        0.25
    """
    torch._foreach_lerp_(list(ema_model.parameters()), [p.detach() for p in model.parameters()], 1 - decay)
    for old, new in zip(ema_model.buffers(), model.buffers()):
        old.copy_(new)


@contextlib.contextmanager
def optional_writer(logdir: str | Path | None) -> Iterator[SummaryWriter | None]:
    """Open TensorBoard's writer for the duration of a `with` block.

    Args:
        logdir: the folder of the log, or None.

    Returns:
        A context manager that gives the `SummaryWriter`, or None without a folder.
    """
    if logdir is None:
        yield None
        return
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(logdir)) as writer:
        yield writer


def save_tensors(tensors: dict[str, Tensor], path: str | Path, facts: dict | None = None) -> None:
    """Write tensors and a few facts to one safetensors file.

    The file is written under another name and then renamed, so a killed run never leaves half a file.

    Args:
        tensors: tensors of any shape by name.
        path: the file. Its folder is created if it is missing.
        facts: values that JSON can hold, kept in the file's metadata.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    contiguous = {name: value.detach().contiguous() for name, value in tensors.items()}
    save_file(contiguous, str(beside), {"facts": json.dumps(facts or {})})
    beside.chmod(0o644)  # safetensors lets only the owner read; a sandboxed reader has another uid
    os.replace(beside, path)


def load_tensors(path: str | Path, device: torch.device | str = "cpu") -> tuple[dict[str, Tensor], dict]:
    """Read a file that `save_tensors` wrote.

    Args:
        path: the file.
        device: where the tensors go.

    Returns:
        The tensors by name, and the facts.

    Raises:
        FileNotFoundError: the file does not exist.
        RuntimeError: the file is damaged. The message names it.
    """
    try:
        with safe_open(str(path), framework="pt", device=str(device)) as file:
            facts = json.loads((file.metadata() or {}).get("facts", "{}"))
            return {name: file.get_tensor(name) for name in file.keys()}, facts  # noqa: SIM118, safetensors' file is no dict
    except (SafetensorError, ValueError) as error:
        raise RuntimeError(f"{path} is damaged ({error}); delete it to start again") from error


def save_weights(model: nn.Module, path: str | Path, facts: dict | None = None, half: bool = True) -> None:
    """Write the weights of a trained model to a file. Training cannot resume from it.

    Args:
        model: the trained model.
        path: the file to write.
        facts: values that JSON can hold, such as the accuracy, kept beside the weights.
        half: store floating-point weights as float16, which halves the file.
    """
    state = model.state_dict()
    if half:
        state = {name: value.half() if value.is_floating_point() else value for name, value in state.items()}
    save_tensors(state, path, facts)


def load_weights(model: nn.Module, path: str | Path) -> dict:
    """Fill a model with the weights of a file, and put it into eval mode.

    Args:
        model: a model of the architecture that was saved. It changes in place.
        path: a file of `save_weights`.

    Returns:
        The facts that were saved beside the weights.

    Raises:
        FileNotFoundError: the file does not exist.
        RuntimeError: the file is damaged, or belongs to another architecture.
    """
    tensors, facts = load_tensors(path)
    model.load_state_dict(tensors)
    model.eval()
    return facts
