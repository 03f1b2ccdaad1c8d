"""The inputs of exercise 4.2: the data, the path and the toy model with which the loss is tested, run by run."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from utils.checks.challenge import Challenge
from utils.checks.kits import label_dropout as dropout
from utils.checks.stubs import RandomField, Recorder
from utils.paths import require_time_shape

BATCH, MANY = 256, 30_000
IMAGE = (1, 2, 3)
CALLS = [f"call{i}" for i in range(8)]
# run: image shape, dtype, batch size
SAME_TRAINER = {  # one trainer, called again and again as in training
    **{call: (IMAGE, torch.float64, BATCH) for call in CALLS},
    "few": (IMAGE, torch.float64, 37),
    "one": (IMAGE, torch.float64, 1),
}
SPARE = 128  # images for an answer that draws some more and does not use them
ALL_IMAGES = 6000  # several times as many as the calls of `SAME_TRAINER` need
RUNS = {
    **SAME_TRAINER,
    "wide": ((3, 4, 2), torch.float64, 8),
    "single": ((1, 2, 2), torch.float32, 16),
    "eta0": ((1, 1, 2), torch.float64, 64),
    "eta1": ((1, 1, 2), torch.float64, 64),
    "large": ((1, 2, 2), torch.float64, 32),
}
OFFSET, LARGE_OFFSET = 3.0, 300.0
TOY_RUNS = {  # the toy model's share of the target, its error at t = 0, and how fast the error grows with t
    "ideal": (1.0, 0.0, 0.0),
    "opposite": (-1.0, 0.0, 0.0),
    "off": (1.0, OFFSET, 0.0),
    "off_null": (1.0, OFFSET, 0.0),
    "uneven": (1.0, 1.0, 2.0),  # this error also differs from pixel to pixel
    "far_off": (1.0, LARGE_OFFSET, 0.0),
    "ends": (1.0, OFFSET, 0.0),  # this error is 0 except at times near 0 or 1
}
END, ENDS = 0.01, 4000  # times nearer to 0 or 1 than this are those of the run "ends", and its batch size
IMAGE_SIZES = {"large": 300.0, "far_off": 300.0}  # so x, output and target are tens or hundreds; 1 in all other runs
PLACES, PLACE_BATCH = 44, 4  # calls with small batches that show how each place of a batch is treated
RATES, RATE_BATCH = (0.0, 0.0049, 0.7), 6000  # eta in large batches: 0, less than half a percent, and a large one
EXTRA_RUNS = {
    "trainer": (IMAGE, torch.float64, 0),
    **{run: ((2, 2, 4), torch.float64, 32) for run in TOY_RUNS},
    "ends": ((1, 1, 2), torch.float64, ENDS),
    "places": ((1, 1, 2), torch.float64, PLACE_BATCH),
    "rates": ((1, 1, 2), torch.float64, RATE_BATCH),
    "device": ((1, 2, 2), torch.float32, 4),
}
EDGES = {"eta0": 0.0, "eta1": 1.0}  # runs in which chance decides nothing
ETAS = {**EDGES, "off_null": 1.0, "places": 0.5}
# Of n uniform times the smallest lies above 1 - (LEVEL / 2)^(1/n) with a chance of LEVEL / 2: for MANY, above 0.00058.
LEVEL = 5e-8


class Images:
    """Random images with labels, as many as all calls of one trainer need.

    The first labels are 0, the last class, and the neighbours of the null label.

    `sample` returns views of its own storage, so that in-place changes show.

    Args:
        challenge: Fixes images and labels.
        name: The name of the data; another name has other images.
        shape: The shape of an image.
        classes: The number of classes. All labels but two are classes.
        null_label: The label that no image has.
        dtype: The dtype of the images.
        count: The number of images.
        size: The standard deviation of their numbers.

    Attributes:
        next: The first image that was not drawn yet.
        start_again: Whether images that were drawn may be drawn again.
    """

    def __init__(
        self,
        challenge: Challenge,
        name: str,
        shape: tuple[int, ...],
        classes: int,
        null_label: int,
        dtype: torch.dtype,
        count: int,
        size: float = 1.0,
    ):
        self.points = size * challenge.randn(f"{name} images", (count, *shape), dtype)
        self.labels = challenge.randint(f"{name} image labels", 0, classes, (count,))
        self.labels[-1] = classes - 1
        self.labels[:4] = torch.tensor([0, classes - 1, null_label - 1, null_label + 1], device=self.labels.device)
        self._before = self.points.clone(), self.labels.clone()
        self.next, self.start_again = 0, False
        self.sample = Recorder(self.draw, ("n",))

    def kept(self) -> tuple[bool, bool]:
        """Return whether the images, and the labels, are unchanged."""
        points, labels = self._before
        return torch.equal(points, self.points), torch.equal(labels, self.labels)

    def draw(self, n: int) -> tuple[Tensor, Tensor]:
        """Return the next n images (n, ...) and their labels (n,), int64; some several times if there are fewer.

        Raises:
            ValueError: There are not so many images left.
        """
        if self.start_again and n > len(self.points):
            several = torch.arange(n, device=self.labels.device) % len(self.points)
            return self.points[several], self.labels[several]
        if self.start_again and self.next + n > len(self.points):
            self.next = 0
        rows = slice(self.next, self.next + n)
        if rows.stop > len(self.points):
            raise ValueError(f"asked for {rows.stop} samples; {len(self.points)} are enough for this exercise")
        self.next = rows.stop
        return self.points[rows], self.labels[rows]


class PathOfTable(nn.Module):
    """A path that has the methods of the exercise's table, and none of the schedules of `GaussianPath`.

    Args:
        data: Where the images come from.
    """

    def __init__(self, data: Images):
        super().__init__()
        self.p_data = data

    def sample_conditioning_variable(self, n: int) -> tuple[Tensor, Tensor]:
        """Return n images (n, ...) and their labels (n,)."""
        return self.p_data.sample(n)


class StubPath(PathOfTable):
    """A random path: x mixes z, t and noise; the target mixes x, z and t.

    Args:
        challenge: Fixes all numbers.
        name: The name of the noise; another name has other noise.
        data: Where the images come from.
    """

    def __init__(self, challenge: Challenge, name: str, data: Images):
        super().__init__(data)
        self.mix = RandomField(challenge, "path x")
        self.noise = challenge.randn(f"{name} noise", (512, *data.points.shape[1:]), data.points.dtype)
        self.target = RandomField(challenge, "path target", amplitude=2.0)
        self.next = 0
        self.sample_conditional_path = Recorder(self.draw, ("z", "t"))
        self.conditional_vector_field = Recorder(self.regress, ("x", "z", "t"))

    def draw(self, z: Tensor, t: Tensor) -> Tensor:
        """Return a noisy state for images z (b, ...) at times t (b, 1, ..., 1), with the shape of z."""
        first, self.next = self.next, self.next + len(z)
        return self.noisy(z, t, first)

    def noisy(self, z: Tensor, t: Tensor, first: int) -> Tensor:
        """Return what `draw` returned when `first` states had been drawn before."""
        rows = (first + torch.arange(len(z), device=z.device)) % len(self.noise)
        return self.mix(z, t) + 0.5 * self.noise[rows]

    def regress(self, x: Tensor, z: Tensor, t: Tensor) -> Tensor:
        """Return the target at state x for images z and times t, with the shape of x."""
        return self.target(x, t, z)


class Listener(nn.Module):
    """A model that returns x, and records only times and labels, of a repeated evaluation once."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones((), dtype=torch.float64))
        self.times: list[Tensor] = []
        self.labels: list[Tensor] = []

    def forward(self, x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        """Return x, with a gradient of the model."""
        if not (self.times and torch.equal(t, self.times[-1]) and torch.equal(y, self.labels[-1])):
            self.times.append(t.detach().clone())
            self.labels.append(y.detach().clone())
        return self.gain * x


class PlainPath(PathOfTable):
    """A path without noise, whose target is the image: quick, where only times and labels are of interest."""

    def sample_conditional_path(self, z: Tensor, t: Tensor) -> Tensor:
        """Return t z, with the shape of z."""
        return t * z

    def conditional_vector_field(self, x: Tensor, z: Tensor, t: Tensor) -> Tensor:
        """Return z."""
        return z


class OffsetModel(nn.Module):
    """Returns a multiple of a target of x and t, plus `gain` times an error; `gain` is a parameter that is 1.

    Args:
        target: What is right, as a function of x and t.
        run: A key of `TOY_RUNS`.
    """

    def __init__(self, target: RandomField, run: str):
        super().__init__()
        self.gain = nn.Parameter(torch.ones((), dtype=torch.float64))
        self.target, self.run = target, run
        self.times: list[Tensor] = []  # of each call

    def forward(self, x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        """Return the share of the target plus the error, with the shape of x."""
        require_time_shape(t, x)  # other times would make a matrix of two large batches
        self.times.append(t.detach().clone())
        return TOY_RUNS[self.run][0] * self.target(x, t) + self.gain * toy_error(self.run, t, x.shape[1:])


def toy_error(run: str, t: Tensor, shape: torch.Size | tuple[int, ...]) -> Tensor:
    """Return the error of the toy model at times t, (b, 1, 1, 1), whose sign alternates from pixel to pixel."""
    _, offset, slope = TOY_RUNS[run]
    t = t.double()  # in float32 a time next to END is on its other side, and the grader computes in float64
    pixels = torch.arange(math.prod(shape))
    sizes = (0.5 + pixels / len(pixels) if slope else torch.ones(len(pixels))).double()
    height = offset * ((t < END) | (t > 1 - END)) if run == "ends" else torch.full_like(t, offset)
    return (height + slope * t) * (sizes * (1 - 2 * (pixels % 2))).reshape(shape)


@dataclass(frozen=True)
class Inputs:
    """The inputs of one run, all fixed by the challenge.

    Neither the number of classes, nor the null label, nor eta is the lab's 10, 10 and 0.1, so that a constant shows.
    """

    shape: tuple[int, ...]  # of one image
    dtype: torch.dtype
    batch: int
    null_label: int
    eta: float
    data: Images
    path: StubPath

    @classmethod
    def of(cls, challenge: Challenge, run: str) -> Inputs:
        """Return the inputs of a run of `RUNS` or `EXTRA_RUNS`, with a new dataset and a new path."""
        shape, dtype, batch = (RUNS | EXTRA_RUNS)[run]
        name = "trainer" if run in SAME_TRAINER else run
        classes = challenge.integer("classes", 3, 8)
        null_label = dropout.draw_null_label(challenge, classes)
        # Far from whole tenths and their usual multiples: an eta that was rounded must differ by more than chance.
        eta = (0.255, 0.43)[challenge.integer("eta side", 0, 2)] + challenge.number("eta", 0.0, 0.012)
        eta = ETAS.get(run, eta)
        count = SPARE + (ALL_IMAGES if name == "trainer" else min(4 * batch, ALL_IMAGES))
        data = Images(challenge, name, shape, classes, null_label, dtype, count, IMAGE_SIZES.get(run, 1.0))
        return cls(shape, dtype, batch, null_label, eta, data, StubPath(challenge, name, data))

    def trainer(self, Trainer: type, model: nn.Module) -> Any:
        """Return a trainer of the student's class."""
        return Trainer(path=self.path, model=model, eta=self.eta, null_label=self.null_label)


@lru_cache(maxsize=16)
def inputs_to_compare(challenge: Challenge, run: str) -> Inputs:
    """Return the inputs of a run for a judge, who changes none of them: runs of one trainer share its images."""
    if run in SAME_TRAINER:
        return replace(inputs_to_compare(challenge, "trainer"), batch=RUNS[run][2])
    return Inputs.of(challenge, run)
