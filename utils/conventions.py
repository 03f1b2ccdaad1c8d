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


@dataclass(frozen=True)
class Symbol:
    """How the labs write one thing.

    Args:
        meaning: what is written.
        lab1: the formula in lab 1; an en dash if the lab does not have it.
        lab2: the formula in lab 2.
        lab3: the formula in lab 3.
        lab4: the formula in lab 4.
    """

    meaning: str
    lab1: str
    lab2: str
    lab3: str
    lab4: str


SYMBOLS = (
    Symbol("time", r"$t \in [0, 1]$", r"$t \in [0, 1]$", r"$t = 0, \dots, T-1$", r"$t \in [0, 1]$"),
    Symbol("time of the data", "$t = 0$", "$t = 0$", "before $t = 0$", "$t = 1$"),
    Symbol("data", "$x_0$", "$x_0$", "$x_0$", "$z$"),
    Symbol("noisy sample", "$x_t$ or $x$", "$x_t$ or $x$", "$x_t$ or $x$", "$x_t$ or $x$"),
    Symbol("factor of the data in it", r"$\alpha(t)$", "1", r"$\sqrt{\bar\alpha_t}$", r"$\alpha_t$"),
    Symbol("factor of the noise in it", r"$\sigma(t)$", r"$\sigma(t)$", r"$\sqrt{1 - \bar\alpha_t}$", r"$\beta_t$"),
    Symbol("standard normal noise", *[r"$\varepsilon$"] * 4),
    Symbol("variance that is added", r"rate $\beta(t)$", r"rate $\mathrm d\sigma^2/\mathrm dt$", r"$\beta_t$", "–"),
    Symbol("score", "$s(x)$", "$s_t(x)$", "$s$", "score"),
    Symbol("class", "$y$", "–", "$y$", r"$y$, or $\varnothing$ for none"),
    Symbol("guidance scale", "$w$", "–", "$w$", "$w$"),
    Symbol(
        "output of the network",
        "class logits",
        r"$\sigma s$",
        r"$\hat\varepsilon$, the noise",
        "velocity",
    ),
)


def spaced(lab: str) -> str:
    """Return a lab's name for a heading.

    Args:
        lab: such as "lab1".

    Returns:
        The name with a space.

    Example:
        >>> spaced("lab1")
        'lab 1'
    """
    return f"{lab[:-1]} {lab[-1]}"


CHARACTERS = {
    r"\bar\alpha": "ᾱ", r"\alpha": "α", r"\beta": "β", r"\sigma": "σ", r"\hat\varepsilon": "ε̂", r"\varepsilon": "ε",
    r"\varnothing": "∅", r"\sqrt": "√", r"\in": "∈", r"\dots": "…", r"\mathrm ": "", "{": "(", "}": ")", "$": "",
}  # fmt: skip


def in_characters(formula: str) -> str:
    r"""Return a formula of the table in plain characters.

    Args:
        formula: words, and TeX between dollars.

    Returns:
        The formula without TeX.

    Example:
        >>> in_characters(r"$\sqrt{1 - \bar\alpha_t}$")
        '√(1 - ᾱ_t)'
    """
    for tex, character in CHARACTERS.items():
        formula = formula.replace(tex, character)
    return formula


@dataclass(frozen=True)
class SymbolTable:
    """The table of symbols, which a notebook displays with formulas and a terminal as text.

    Args:
        lab: the short name of the lab whose column is marked.
    """

    lab: str

    def _repr_markdown_(self) -> str:
        labs = [row.lab for row in CONVENTIONS]
        heads = [f"**▶ {spaced(lab)}, this one**" if lab == self.lab else spaced(lab) for lab in labs]
        lines = [f"| | {' | '.join(heads)} |", "|---" * (len(labs) + 1) + "|"]
        lines += [f"| {row.meaning} | {' | '.join(getattr(row, lab) for lab in labs)} |" for row in SYMBOLS]
        return "\n".join(lines)

    def __repr__(self) -> str:
        """Return the table for a terminal and for the PDF: aligned columns, formulas in plain characters."""
        labs = [row.lab for row in CONVENTIONS]
        rows = [["", *(f"[{spaced(lab)}]" if lab == self.lab else spaced(lab) for lab in labs)]]
        rows += [[row.meaning, *(in_characters(getattr(row, lab)) for lab in labs)] for row in SYMBOLS]
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def symbols(lab: str) -> SymbolTable:
    """Return the table of the symbols of all labs, for the output of a notebook's cell.

    Args:
        lab: the short name of the lab whose column is marked, such as "lab1".

    Returns:
        The table.

    Raises:
        ValueError: there is no such lab.

    Example:
        >>> str(symbols("lab2")).splitlines()[0].split("  ")[-1]
        'lab 4'
    """
    names = [row.lab for row in CONVENTIONS]
    if lab not in names:
        raise ValueError(f"there is no lab '{lab}' in this table; there are {', '.join(names)}")
    return SymbolTable(lab)
