"""Explorables: pictures that a reader moves, in an output cell.

`explorables.show("two_gaussians")` returns a card that computes in the browser. It needs no kernel, no library and no
network, so it works in JupyterLab, in Colab, on the site and in an exported page. Where no script runs, as in the PDF
and on feedback pages, a still picture takes its place.
"""

from utils.explorables.card import Card, show
from utils.explorables.catalogue import CATALOGUE, Explorable

__all__ = ["CATALOGUE", "Card", "Explorable", "show"]
