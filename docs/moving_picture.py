"""The moving picture at the top of the README, drawn by lab 4's checkpoint: `python docs/moving_picture.py`."""

import contextlib
import io
from pathlib import Path

import torch

from autograder.course.labs import find_lab
from autograder.course.solved import SolvedLab
from utils.fallback import stored_table
from utils.nets import UNet
from utils.plotting import save_gif
from utils.training import CHECKPOINTS, load_weights

if __name__ == "__main__":
    with contextlib.redirect_stdout(io.StringIO()):
        lab = SolvedLab(find_lab("lab4")).namespace
    net = UNet(**stored_table("lab4_cfg")["settings"])
    load_weights(net, CHECKPOINTS / "lab4_cfg.safetensors")
    noise = torch.randn(11, 1, 32, 32, generator=torch.Generator().manual_seed(7))[:10]
    rows = [lab["sample_digits"](net, noise, torch.arange(10), w, steps=24, every=1) for w in (1.0, 3.0)]
    frames = torch.cat([row.transpose(0, 1) for row in rows], dim=1)  # (time, 20, 1, 32, 32)
    print(save_gif(list(frames), Path(__file__).parent / "images" / "guidance.gif", columns=10, seconds=4.0))
