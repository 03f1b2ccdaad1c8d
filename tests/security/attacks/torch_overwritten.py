"""Overwrite a file of torch."""

import torch

open(torch.__file__, "w").write("")
