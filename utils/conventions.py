"""How the conventions of the four labs map onto each other, as data.

`print(table())` shows them. The docstring of the package `utils` holds the same table, and a test compares the two and
evaluates the expressions.
"""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Convention:
    """The conventions of one lab, written as in its code.

    Args:
        lab: the lab's short name.
        module: the module of `utils` that holds the noise process.
        process: the field's name for it.
        time: type, range and shape of `t`; b is the batch size.
        clean_at: the time of the data.
        noise_at: the time of the noise.
        index_0: what index 0 of the lab's array of times means.
        clean: the name of the data.
        noisy: the name of the data with noise.
        data_scale: the factor of the data in the noisy sample.
        noise_scale: the standard deviation of the noise in the noisy sample.
        network: what the lab's network returns.
        guidance: what guides, and with which scale. In every lab, w = 0 ignores the class and w = 1 is conditional.
    """

    lab: str
    module: str
    process: str
    time: str
    clean_at: str
    noise_at: str
    index_0: str
    clean: str
    noisy: str
    data_scale: str
    noise_scale: str
    network: str
    guidance: str


CONVENTIONS = (
    Convention(
        lab="lab1",
        module="utils.vp",
        process="variance preserving",
        time="float (b, 1, 1)",
        clean_at="t = 0",
        noise_at="t = 1",
        index_0="times(n)[0]: noise",
        clean="x0",
        noisy="x",
        data_scale="alpha(t)",
        noise_scale="sigma(t)",
        network="class logits",
        guidance="classifier, w",
    ),
    Convention(
        lab="lab2",
        module="utils.atoms",
        process="variance exploding",
        time="float (b, 1)",
        clean_at="t = 0",
        noise_at="t = 1",
        index_0="times[0]: noise",
        clean="x0",
        noisy="x",
        data_scale="1",
        noise_scale="sigma(t)",
        network="sigma * score",
        guidance="none",
    ),
    Convention(
        lab="lab3",
        module="utils.diffusion",
        process="DDPM",
        time="int (b,)",
        clean_at="before t = 0",
        noise_at="t = T - 1",
        index_0="betas[0]: least noise",
        clean="x0",
        noisy="x",
        data_scale="alpha_bars[t]**.5",
        noise_scale="(1-alpha_bars[t])**.5",
        network="noise",
        guidance="classifier, w",
    ),
    Convention(
        lab="lab4",
        module="utils.paths",
        process="flow matching",
        time="float (b, 1, 1, 1)",
        clean_at="t = 1",
        noise_at="t = 0",
        index_0="ts[0]: noise",
        clean="z",
        noisy="x",
        data_scale="alpha(t)",
        noise_scale="beta(t)",
        network="velocity",
        guidance="no classifier, w",
    ),
)


def table() -> str:
    """Return the conventions as a text table with one row a property and one column a lab.

    Returns:
        The table: a line of headings, a line of dashes, and a line for each property.

    Example:
        >>> print(table().splitlines()[0].split())
        ['lab1', 'lab2', 'lab3', 'lab4']
    """
    names = [field.name for field in fields(Convention)]
    rows = [["" if name == "lab" else name, *(getattr(row, name) for row in CONVENTIONS)] for name in names]
    widths = [max(len(cell) for cell in column) for column in zip(*rows)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])
