"""Colab's shape."""

from tests.intake.damages import FULL, colab

damage = colab
points = FULL
said = None
