"""Predictions: well-formed questions, an answer that stays folded, and a choice that stays in the notebook."""

import re
from collections import Counter
from dataclasses import replace
from html import escape

import pytest
from IPython.core.formatters import DisplayFormatter

from utils.predictions import HOW, KEPT, Shown, predict, predictions


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


def test_no_answer_is_shown_before_a_choice():
    one = next(iter(predictions("lab1").values()))
    before, metadata = predict(one.name)._repr_mimebundle_()
    assert all(escape(one.because) not in text and "<details" not in text for text in before.values())
    assert HOW in before["text/html"] and metadata["guidance_labs"] == {"prediction": one.name, "choice": ""}


def visible(shown):
    """What a page shows of a box while its answer is folded."""
    return re.sub(r"<details>.*?</details>", "", shown._repr_mimebundle_()[0]["text/html"], flags=re.DOTALL)


@pytest.mark.parametrize("one", all_predictions(), ids=lambda one: one.name)
def test_after_a_choice_the_answer_is_folded(one):
    """A reader who has chosen has not yet seen the figure: what is not folded is the same whatever the answer is."""
    for letter in one.choices:
        shown = predict(one.name, choice=letter.upper())
        data, metadata = shown._repr_mimebundle_()
        assert metadata["guidance_labs"]["choice"] == letter
        assert escape(one.because) in data["text/html"] and escape(one.because) not in visible(shown)
        assert KEPT in visible(shown) and visible(shown).count("your choice") == 1
        for answer in one.choices:
            other = Shown(replace(one, answer=answer, because="Because."), letter)
            assert visible(other) == visible(shown) and repr(other) == repr(shown)


def test_a_notebook_displays_it():
    data, metadata = DisplayFormatter().format(predict("lab4.hundred", choice="c"))
    assert set(data) == {"text/html", "text/plain"} and metadata["guidance_labs"]["choice"] == "c"
    assert "your choice" in data["text/html"]


def test_wrong_words_are_told():
    with pytest.raises(ValueError, match=r"there is no prediction 'lab4\.nothing'; this lab has lab4\.arrows_late"):
        predict("lab4.nothing")
    with pytest.raises(ValueError, match=r"there is no prediction 'lab9\.x'; this lab has none"):
        predict("lab9.x")
    with pytest.raises(ValueError, match="the choices are a, b, c"):
        predict("lab4.hundred", choice="maybe")
