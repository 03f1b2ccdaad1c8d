"""Leave marks in files, in the environment and in modules, for the next student to find."""
# expect: own test

import os

import torch

import utils.checks

open("/tmp/left", "w").write("x")
open("/dev/shm/left", "w").write("x")
os.environ["LEFT"] = "x"
utils.checks.LEFT = torch.LEFT = 1
