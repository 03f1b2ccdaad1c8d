"""An output has a plot of 200,000 numbers, as plotly saves it."""

from tests.intake.damages import FULL


def damage(nb):
    plot = {"application/vnd.plotly.v1+json": {"data": [0.5] * 200_000}}
    cell = next(c for c in nb.cells if c.cell_type == "code")
    cell["outputs"] = [{"output_type": "display_data", "data": plot, "metadata": {}}]


points = FULL
said = None
