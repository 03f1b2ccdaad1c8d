"""Look for the marks that another student left."""
# expect: own test

import os

import torch

import utils.checks

print(
    os.path.exists("/tmp/left"),
    os.path.exists("/dev/shm/left"),
    "LEFT" in os.environ,
    hasattr(torch, "LEFT"),
    hasattr(utils.checks, "LEFT"),
)
