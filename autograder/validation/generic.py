"""Wrong answers made by a program: one small change of a model answer at a time.

Only lines between the solution's markers are changed, because the rest of the cell is given to the student. A change is
named by the statement that results, `return x - h * f`, which is also its key in `equivalent.py`.
"""

from __future__ import annotations

import ast
import copy
import random
from collections.abc import Iterator
from dataclasses import dataclass

from autograder.course.cells import BEGIN, END
from autograder.exercises.kits.mutants import Mutant
from autograder.validation.equivalent import EQUIVALENT

OPERATORS = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div,),
    ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Div, ast.Mult),
    ast.Pow: (ast.Mult,),
    ast.Mod: (ast.FloorDiv,),
    ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd,),
    ast.BitXor: (ast.BitOr,),
}
# Where the order of the two sides matters, they also change places.
ORDERED = (ast.Sub, ast.Div, ast.Pow, ast.MatMult)
COMPARISONS = {
    ast.Lt: (ast.Gt, ast.LtE),
    ast.Gt: (ast.Lt, ast.GtE),
    ast.LtE: (ast.GtE, ast.Lt),
    ast.GtE: (ast.LtE, ast.Gt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
NAMES = {
    "rand": "randn", "randn": "rand", "rand_like": "randn_like", "randn_like": "rand_like", "mean": "sum",
    "sum": "mean",
    "min": "max", "max": "min", "amin": "amax", "amax": "amin", "argmax": "argmin", "argmin": "argmax",
    "minimum": "maximum", "maximum": "minimum", "zeros": "ones", "ones": "zeros", "zeros_like": "ones_like",
    "ones_like": "zeros_like", "sin": "cos", "cos": "sin", "tanh": "sigmoid", "sigmoid": "tanh", "exp": "expm1",
    "log": "log1p", "sqrt": "square", "square": "abs", "softmax": "log_softmax", "log_softmax": "softmax",
    "logsumexp": "sum", "floor": "ceil", "round": "floor", "cumsum": "cumprod", "cumprod": "cumsum", "prod": "sum",
    "var": "std", "std": "var", "any": "all", "all": "any", "eye": "ones_like", "bernoulli": "round",
    "randperm": "arange", "repeat": "repeat_interleave", "repeat_interleave": "repeat", "triu": "tril", "tril": "triu",
    "clamp_min": "clamp_max", "clamp_max": "clamp_min", "logaddexp": "maximum", "logcumsumexp": "cumsum",
    "ge": "gt", "gt": "ge", "le": "lt", "lt": "le", "eq": "ne", "ne": "eq", "add": "sub", "sub": "add",
}  # fmt: skip
# Calls that can be left out: x.clone() and torch.clone(x) become x.
DROPPABLE = {
    "detach", "clone", "sqrt", "square", "abs", "exp", "log", "sum", "mean", "flatten", "squeeze", "unsqueeze",
    "reshape", "view", "expand", "expand_as", "clamp", "clip", "clamp_min", "clamp_max", "softmax", "log_softmax",
    "double", "float", "long", "int", "bool", "item", "to", "flip", "transpose", "permute", "roll", "cumsum", "cumprod",
    "floor", "round", "remainder", "fmod", "logsumexp", "sigmoid", "tanh", "requires_grad_", "diagonal", "tril", "triu",
    "sort", "argsort", "contiguous", "nan_to_num", "movedim", "repeat", "repeat_interleave", "sign", "norm",
}  # fmt: skip
MODULES = {"torch", "math", "F", "np", "nn"}


@dataclass(frozen=True)
class Change:
    """A changed answer. Its name is the statement that results."""

    name: str
    source: str


def generic_mutants(exercise: str, answer: str, sample: int | None = None) -> list[Mutant]:
    """Return the program's wrong answers to an exercise; with `sample`, that many of them, the same ones every time."""
    changes = list(changes_of(answer))
    if sample is not None and sample < len(changes):
        chosen = sorted(random.Random(exercise).sample(range(len(changes)), sample))
        changes = [changes[i] for i in chosen]
    known = EQUIVALENT.get(exercise, {})
    return [
        Mutant(
            exercise, change.name, False, source=change.source, kind="generic", equivalent=known.get(change.name, "")
        )
        for change in changes
    ]


def unused_equivalents(exercise: str, answer: str) -> list[str]:
    """Return the entries of the table of equivalents that no change of this answer makes any more."""
    names = {change.name for change in changes_of(answer)}
    return [name for name in EQUIVALENT.get(exercise, {}) if name not in names]


def changes_of(answer: str) -> Iterator[Change]:
    """Yield every change of one place. Changes with the same resulting source are one change."""
    tree = ast.parse(answer)
    inside = solution_lines(answer)
    seen = {ast.unparse(tree)}
    names: dict[str, int] = {}
    for site in list(sites(tree)):
        if site.node.lineno not in inside:
            continue
        for new in site.replacements():
            old = site.get()
            site.set(new)
            try:
                source, name = ast.unparse(ast.fix_missing_locations(tree)), site.describe(new)
                compile(source, "change", "exec", dont_inherit=True)
            except (SyntaxError, ValueError):
                continue
            finally:
                site.set(old)
            if source in seen:
                continue
            seen.add(source)
            names[name] = names.get(name, 0) + 1
            yield Change(name if names[name] == 1 else f"{name}  (place {names[name]})", source)


def solution_lines(answer: str) -> set[int]:
    """Return the numbers of the lines between the markers, or of all lines if there are no markers."""
    inside, lines = False, set()
    for number, line in enumerate(answer.splitlines(), 1):
        if line.strip() == BEGIN:
            inside = True
        elif line.strip() == END:
            inside = False
        elif inside:
            lines.add(number)
    return lines or set(range(1, len(answer.splitlines()) + 1))


@dataclass
class Site:
    """A node of the tree, and its place in the parent node."""

    parent: ast.AST
    field: str
    index: int | None
    node: ast.expr | ast.stmt
    statement: ast.stmt
    others: tuple[str, ...]  # parameters of the function around it
    uses: dict[str, set[str]]  # how each name and each self.… is used: called, as an object, or as a value

    def get(self):
        """Return the node that is in this place now."""
        held = getattr(self.parent, self.field)
        return held if self.index is None else held[self.index]

    def set(self, new: ast.AST) -> None:
        """Put another node into this place."""
        if self.index is None:
            setattr(self.parent, self.field, new)
        else:
            getattr(self.parent, self.field)[self.index] = new

    def replacements(self) -> Iterator[ast.AST]:
        """Yield a copy of every node that may replace this one."""
        for new in (*replacements(self.node), *self.neighbours()):
            yield copy.deepcopy(new)

    def neighbours(self) -> Iterator[ast.AST]:
        """Yield other arguments of the function, or other attributes of self, that are used in the same way."""
        node = self.node
        key = key_of(node)
        if key is None or (isinstance(self.parent, ast.Attribute) and self.parent.attr in ("device", "dtype")):
            return  # which tensor tells device and dtype is a matter of taste
        pool = self.others if isinstance(node, ast.Name) else [other for other in self.uses if "." in other]
        for other in pool:
            if key in pool and other != key and self.uses[key] & self.uses.get(other, {"value"}):
                if isinstance(node, ast.Name):
                    yield ast.copy_location(ast.Name(other, node.ctx), node)
                elif isinstance(node, ast.Attribute):
                    yield ast.copy_location(ast.Attribute(node.value, other.split(".")[1], node.ctx), node)

    def describe(self, new: ast.AST) -> str:
        """Return the changed statement on one line; of a compound statement only its first line."""
        if self.node is self.statement:
            before = " ".join(ast.unparse(self.node).split("\n")[0].split())
            if isinstance(new, ast.Pass):
                return f"without: {before}"
            if isinstance(new, ast.If) and not isinstance(self.node, ast.If):
                return f"without its frame: {before}"
            return " ".join(ast.unparse(new).split("\n")[0].split())
        text = ast.unparse(self.statement)
        compound = hasattr(self.statement, "body")
        return " ".join((text.split("\n")[0] if compound else text).split())


def sites(tree: ast.AST) -> Iterator[Site]:
    """Yield every place of a tree in which a node can be replaced."""
    uses: dict[str, set[str]] = {}
    for parent in ast.walk(tree):
        for field, held in ast.iter_fields(parent):
            for node in held if isinstance(held, list) else [held]:
                if (key := key_of(node)) is not None:
                    called, thing = isinstance(parent, ast.Call) and field == "func", isinstance(parent, ast.Attribute)
                    uses.setdefault(key, set()).add("called" if called else "object" if thing else "value")
    yield from walk(tree, None, (), uses)


def walk(parent: ast.AST, statement: ast.stmt | None, others: tuple, uses: dict[str, set[str]]) -> Iterator[Site]:
    """Yield the places below a node, apart from annotations, decorators and docstrings."""
    if isinstance(parent, (ast.FunctionDef, ast.Lambda)):
        arguments = parent.args
        others = tuple(a.arg for a in (*arguments.args, *arguments.kwonlyargs) if a.arg not in ("self", "cls"))
    for field, held in ast.iter_fields(parent):
        if field in ("annotation", "returns", "decorator_list", "type_params", "ctx"):
            continue
        for index, node in enumerate(held) if isinstance(held, list) else [(None, held)]:
            if not isinstance(node, ast.AST):
                continue
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                continue  # a docstring
            inner = node if isinstance(node, ast.stmt) else statement
            if isinstance(node, (ast.expr, ast.stmt)) and inner is not None:
                yield Site(parent, field, index, node, inner, others, uses)
            yield from walk(node, inner, others, uses)


def key_of(node: ast.AST) -> str | None:
    """Return `x` for a name that is read, `self.eta` for an attribute that is read, otherwise None."""
    if not isinstance(getattr(node, "ctx", None), ast.Load):
        return None
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
        return f"self.{node.attr}"
    return None


def replacements(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes that may replace a node."""
    if isinstance(node, (ast.BinOp, ast.UnaryOp, ast.BoolOp)):
        yield from other_operations(node)
    elif isinstance(node, ast.Compare) and len(node.ops) == 1:
        for comparison in COMPARISONS[type(node.ops[0])]:
            yield ast.copy_location(ast.Compare(node.left, [comparison()], node.comparators), node)
    elif isinstance(node, ast.Constant):
        for value in other_constants(node.value):
            yield ast.copy_location(ast.Constant(value), node)
    elif isinstance(node, ast.IfExp):
        yield from (node.body, node.orelse)
    elif isinstance(node, ast.Subscript):
        if isinstance(node.ctx, ast.Load):
            yield node.value
    elif isinstance(node, ast.Attribute) and node.attr in ("T", "mT", "mH"):
        yield node.value
    elif isinstance(node, ast.Call):
        yield from other_calls(node)
    elif isinstance(node, ast.stmt):
        yield from other_statements(node)


def other_operations(node: ast.BinOp | ast.UnaryOp | ast.BoolOp) -> Iterator[ast.AST]:
    """Yield the same operation with another operator or in the other order, and its terms alone."""
    if isinstance(node, ast.BinOp):
        for operator in OPERATORS.get(type(node.op), ()):
            yield ast.copy_location(ast.BinOp(node.left, operator(), node.right), node)
        if isinstance(node.op, ORDERED):
            yield ast.copy_location(ast.BinOp(node.right, node.op, node.left), node)
        yield from (node.left, node.right)
    elif isinstance(node, ast.UnaryOp):
        yield node.operand
    else:
        yield ast.copy_location(ast.BoolOp(ast.And() if isinstance(node.op, ast.Or) else ast.Or(), node.values), node)
        yield from node.values


def other_constants(value: object) -> list[bool | int | float]:
    """Return other values of the same type."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, value - 1] if abs(value) < 8 else [value + 1, value // 2]
    if isinstance(value, float):
        return [2 * value, 0.0] if value else [1.0]
    return []


def other_calls(node: ast.Call) -> Iterator[ast.AST]:
    """Yield calls of a related function, without the function, with two arguments swapped, without a keyword."""
    function, arguments = node.func, node.args
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", None)
    of_module = isinstance(function, ast.Attribute) and getattr(function.value, "id", None) in MODULES

    def call(function=function, arguments=arguments, keywords=node.keywords):
        return ast.copy_location(ast.Call(function, list(arguments), list(keywords)), node)

    if name in NAMES and isinstance(function, ast.Attribute):
        yield call(ast.copy_location(ast.Attribute(function.value, NAMES[name], function.ctx), function))
    elif name in ("min", "max", "any", "all"):
        yield call(ast.copy_location(ast.Name(NAMES[name], ast.Load()), function))
    if name in DROPPABLE and isinstance(function, ast.Attribute):
        if not of_module:
            yield function.value
        elif arguments:
            yield arguments[0]
    for i in range(len(arguments) - 1):
        if not any(isinstance(a, ast.Starred) for a in arguments[i : i + 2]):
            yield call(arguments=[*arguments[:i], arguments[i + 1], arguments[i], *arguments[i + 2 :]])
    for i in range(len(node.keywords)):
        yield call(keywords=node.keywords[:i] + node.keywords[i + 1 :])


def other_statements(node: ast.stmt) -> Iterator[ast.AST]:
    """Yield `pass`, another augmented assignment, the body without its frame, and a squeezed result."""
    if isinstance(node, (ast.Assign, ast.AugAssign, ast.Expr, ast.For, ast.While, ast.If, ast.Assert, ast.Break)):
        yield ast.copy_location(ast.Pass(), node)
    if isinstance(node, ast.AugAssign):
        for operator in OPERATORS.get(type(node.op), ()):
            yield ast.copy_location(ast.AugAssign(node.target, operator(), node.value), node)
    if isinstance(node, (ast.If, ast.While)):
        yield ast.copy_location(ast.If(ast.Constant(True), node.body, []), node)
    if isinstance(node, ast.With):
        yield ast.copy_location(ast.If(ast.Constant(True), node.body, []), node)
    if isinstance(node, ast.Return) and node.value is not None and not isinstance(node.value, ast.Tuple):
        squeezed = ast.Call(ast.Attribute(node.value, "squeeze", ast.Load()), [], [])
        yield ast.copy_location(ast.Return(squeezed), node)  # a batch of one loses its axis
