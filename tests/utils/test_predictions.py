"""Predictions: well-formed questions, no answer before a choice, and a choice that stays in the notebook."""

from collections import Counter

import pytest
from IPython.core.formatters import DisplayFormatter

from utils.predictions import HOW, predict, predictions


def all_predictions():
    return [one for lab in ("lab1", "lab2", "lab3", "lab4") for one in predictions(lab).values()]


@pytest.mark.parametrize("prediction", all_predictions(), ids=lambda one: one.name)
def test_every_prediction_is_complete(prediction):
    letters = list(prediction.choices)
    assert letters == list("abcd")[: len(letters)] and 2 <= len(letters) <= 4
    assert prediction.answer in letters and len(set(prediction.choices.values())) == len(letters)
    assert prediction.question.endswith("?") and prediction.because.endswith(".")


def test_no_letter_is_the_answer_too_often():
    """A reader who always takes the same letter must not look clever."""
    counts = Counter(one.answer for one in all_predictions())
    assert max(counts.values()) <= 0.5 * counts.total()


def test_the_answer_is_shown_only_after_a_choice():
    one = next(iter(predictions("lab1").values()))
    before, metadata = predict(one.name)._repr_mimebundle_()
    assert all(one.because not in text and "this happens" not in text for text in before.values())
    assert HOW in before["text/html"] and metadata["guidance_labs"] == {"prediction": one.name, "choice": ""}
    wrong = next(letter for letter in one.choices if letter != one.answer)
    after, metadata = predict(one.name, choice=wrong.upper())._repr_mimebundle_()
    assert after["text/plain"].count("this happens") == after["text/plain"].count("your choice") == 1
    assert one.because in after["text/plain"] and metadata["guidance_labs"]["choice"] == wrong


def test_a_notebook_displays_it():
    data, metadata = DisplayFormatter().format(predict("lab4.hundred", choice="c"))
    assert set(data) == {"text/html", "text/plain"} and metadata["guidance_labs"]["choice"] == "c"
    assert "your choice" in data["text/html"]


def test_wrong_words_are_told():
    with pytest.raises(ValueError, match=r"there is no prediction 'lab4\.nothing'; this lab has lab4\.first_seen"):
        predict("lab4.nothing")
    with pytest.raises(ValueError, match=r"there is no prediction 'lab9\.x'; this lab has none"):
        predict("lab9.x")
    with pytest.raises(ValueError, match="the choices are a, b, c"):
        predict("lab4.hundred", choice="maybe")
