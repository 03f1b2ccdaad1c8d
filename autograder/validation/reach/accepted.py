"""Gaps between a lab and a probe that are intended, each with the reason why no wrong answer can hide in it.

The key is what `autograder validate --reach` prints: `lab4.cfg_drift: CFGVectorFieldODE.__init__(net): kind`.
An entry whose gap has closed is an error, and so is an empty reason.
"""

from __future__ import annotations

ACCEPTED: dict[str, str] = {}
