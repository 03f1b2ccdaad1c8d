"""Layers, and what every module offers under its old name."""

import math

import pytest
import torch

from utils import classifiers, layers, nets, plotting, style


def test_fourier_features_have_unit_variance_and_their_frequencies():
    features = layers.FourierFeatures(8)
    t = torch.arange(0, 4, 1 / 256)[:, None]  # whole periods of every frequency from 1/4 on
    out = features(t)
    assert features.frequencies[0] == pytest.approx(2 * math.pi / 4)
    assert features.frequencies[-1] == pytest.approx(2 * math.pi * 32, rel=1e-5)
    assert torch.allclose(out[:, 0].square().mean(), torch.tensor(1.0), atol=1e-3)
    with pytest.raises(ValueError, match="even"):
        layers.FourierFeatures(7)


def test_a_wrong_shape_is_answered_with_the_names_of_the_axes():
    classifier = classifiers.WordClassifier(4, 1)
    assert classifier(torch.zeros(3, 4, 1), torch.zeros(3, 1, 1)).shape == (3, 2)
    with pytest.raises(Exception, match="t"):
        classifier(torch.zeros(3, 4, 1), torch.zeros(3))


def test_names_are_where_the_notebooks_import_them():
    assert nets.DigitClassifier is classifiers.DigitClassifier and nets.FourierFeatures is layers.FourierFeatures
    assert plotting.letter_colors is style.letter_colors and plotting.BLUE == style.BLUE
