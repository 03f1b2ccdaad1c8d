"""Sentences that say what a figure shows, for readers who do not see it.

A notebook that shows a figure stores its sentence as the alternative text of the picture. The site, feedback pages and
the PDF take it from there. A figure without a sentence is described by its titles and labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from weakref import WeakKeyDictionary

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Figure -> its sentence, and whether the titles of its panels follow.
_SENTENCES: WeakKeyDictionary[Figure, tuple[str, bool]] = WeakKeyDictionary()
LONGEST = 600  # letters of a description that is made of titles and labels


def describe(sentence: str, figure: Figure | None = None, panels: bool = False) -> None:
    """Say what a figure shows. A later call replaces the sentence of an earlier one.

    Args:
        sentence: what the figure shows, in one or two sentences that end with a full stop.
        figure: the figure; the current one by default.
        panels: whether the titles of the panels are added when the figure is shown.
    """
    _SENTENCES[figure or plt.gcf()] = sentence, panels


def description_of(figure: Figure) -> str:
    """Return what a figure shows.

    Args:
        figure: any figure.

    Returns:
        The sentence that was given, or one made of the figure's titles and labels.
    """
    drawn = [ax for ax in figure.axes if ax.get_label() != "<colorbar>"]
    if figure in _SENTENCES:
        sentence, with_panels = _SENTENCES[figure]
        titles = "; ".join(filter(None, map(title_of, drawn))) if with_panels else ""
        return f"{sentence} Panels: {titles}." if titles else sentence
    panels = [text for text in map(describe_panel, drawn) if text]
    kind = "A figure" if len(drawn) == 1 else f"A figure with {len(drawn)} panels"
    return f"{kind}: {'; '.join(panels)}."[:LONGEST] if panels else f"{kind} without titles."


def describe_panel(ax: Axes) -> str:
    """Return the title, the labels of the axes and the legend of one panel, as far as it has them.

    Args:
        ax: the panel.

    Returns:
        Words without a full stop, or nothing.
    """
    title, across, up = title_of(ax), words(ax.get_xlabel()), words(ax.get_ylabel())
    axes = f"{up} against {across}" if up and across else up or across
    names = ", ".join(words(name) for name in ax.get_legend_handles_labels()[1])
    return ": ".join(filter(None, (title, axes))) + (f" ({names})" if names else "")


def title_of(ax: Axes) -> str:
    """Return the title of a panel, on whichever side it is.

    Args:
        ax: the panel.

    Returns:
        The title on one line, or nothing.
    """
    return next((text for place in ("left", "center", "right") if (text := words(ax.get_title(loc=place)))), "")


def words(text: str) -> str:
    r"""Return a label without line breaks and without the marks of a formula.

    Args:
        text: a label, as matplotlib draws it.

    Returns:
        The label on one line.

    Example:
        >>> words("the score\n$s_y$")
        'the score s_y'
    """
    return " ".join(text.replace("$", "").replace("\\", "").split())


def describe_table(title: str, row_names: Sequence[str], column_names: Sequence[str]) -> str:
    """Describe a table of pictures by the names of its rows and columns.

    Args:
        title: the title, without a full stop.
        row_names: one name for each row; or nothing.
        column_names: one name for each column; or nothing.

    Returns:
        One to three sentences.

    Example:
        >>> describe_table("Digits", ["w = 0", "w = 1"], ["7"])
        'Digits. Rows: w = 0, w = 1. Columns: 7.'
    """
    named = {"Rows": row_names, "Columns": column_names}
    return " ".join([f"{title}.", *(f"{kind}: {', '.join(names)}." for kind, names in named.items() if len(names))])


def store_descriptions() -> None:
    """Let the running notebook store the description of every figure that it shows, as alternative text."""
    try:
        from IPython import get_ipython
    except ImportError:
        return
    shell = get_ipython()
    formatter = getattr(shell, "display_formatter", None)
    if formatter is not None:
        formatter.mimebundle_formatter.for_type(Figure, picture_metadata)


def picture_metadata(figure: Figure) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Return what IPython adds to the picture of a figure.

    Args:
        figure: the figure that is shown.

    Returns:
        No data, because matplotlib draws the picture; and the picture's metadata.
    """
    return {}, {"image/png": {"alt": description_of(figure)}}
