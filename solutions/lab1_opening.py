"""The lattices of lab 1's opening picture, sampled with the model answers: `python -m solutions.lab1_opening`.

It writes checkpoints/lab1_opening.safetensors: `samples`, ten lattices of world 2 for each scale in `scales`, and
`way`, one of them at `times`; states as int8, in hundredths.
"""

from __future__ import annotations

import torch

from autograder.course.labs import find_lab
from autograder.course.solved import SolvedLab
from utils.training import CHECKPOINTS, save_tensors
from utils.vp import times

SCALES, SHOWN, STEPS, SEED, LATTICE = (0.0, 1.0, 4.0), (1.0, 0.6, 0.4, 0.3, 0.2, 0.001), 400, 3, 1


def hundredths(x: torch.Tensor) -> torch.Tensor:
    """Return states as int8, in hundredths."""
    return (x.clamp(-1.2, 1.2) * 100).round().to(torch.int8)


def main() -> None:
    """Sample, and write the file."""
    lab = SolvedLab(find_lab("lab1")).namespace
    runs = [lab["sample_guided"](lab["FM"], 0, 10, w, STEPS, seed=SEED, every=1) for w in SCALES]
    grid = times(STEPS)[1:]
    rows = [int((grid - t).abs().argmin()) for t in SHOWN]
    tensors = {
        "samples": hundredths(torch.stack([run[-1] for run in runs])),
        "way": hundredths(runs[-1][rows, LATTICE]),
        "scales": torch.tensor(SCALES),
        "times": torch.tensor(SHOWN),
    }
    save_tensors(tensors, CHECKPOINTS / "lab1_opening.safetensors")


if __name__ == "__main__":
    main()
