"""Leave marks in files, times of folders, the environment and modules, for the next student to find."""
# expect: own test

import os

import torch

import utils.checks

open("/tmp/left", "w").write("x")
open("/dev/shm/left", "w").write("x")
os.utime("/tmp", (4102444800, 4102444800))
os.environ["LEFT"] = "x"
utils.checks.LEFT = torch.LEFT = 1
