"""Look for the marks that another student left."""
# expect: own test

import os

import torch

import utils.checks

print(
    os.path.exists("/tmp/left"),
    os.path.exists("/dev/shm/left"),
    4102444800 in os.stat("/tmp")[7:9],
    "LEFT" in os.environ,
    hasattr(torch, "LEFT"),
    hasattr(utils.checks, "LEFT"),
)
