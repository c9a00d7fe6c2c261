"""Draws mutants: copies of one source file with one small fault, made by cosmic-ray."""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random
from warnings import catch_warnings

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Operator
from cosmic_ray.plugins import get_operator
from parso.tree import NodeOrLeaf
from tests.mutants.packages import Package

# One or two replacements for each operator. The others of cosmic-ray fail in any test that runs
# the line (`+` to `<<`), or change nothing (`==` to `is` between enumerations).
_BINARY = (
    "Add_Sub",
    "Sub_Add",
    "Mul_FloorDiv",
    "Div_Mul",
    "FloorDiv_Mul",
    "Mod_Mul",
    "BitAnd_BitOr",
    "BitOr_BitAnd",
)
_COMPARISON = (
    "Eq_NotEq",
    "NotEq_Eq",
    "Lt_LtE",
    "Lt_GtE",
    "LtE_Lt",
    "LtE_Gt",
    "Gt_GtE",
    "Gt_LtE",
    "GtE_Gt",
    "GtE_Lt",
    "Is_IsNot",
    "IsNot_Is",
)
_OTHER = (
    "AddNot",
    "NumberReplacer",
    "ReplaceTrueWithFalse",
    "ReplaceFalseWithTrue",
    "ReplaceAndWithOr",
    "ReplaceOrWithAnd",
    "ReplaceBreakWithContinue",
    "ReplaceContinueWithBreak",
    "ReplaceUnaryOperator_USub_UAdd",
    "ReplaceUnaryOperator_Delete_Not",
    "ExceptionReplacer",
    "ZeroIterationForLoop",
)
OPERATORS = (
    *(f"core/ReplaceBinaryOperator_{name}" for name in _BINARY),
    *(f"core/ReplaceComparisonOperator_{name}" for name in _COMPARISON),
    *(f"core/{name}" for name in _OTHER),
)


@dataclass(frozen=True)
class Mutation:
    """Where one operator changes one file; `line` counts from 1."""

    package: Package
    file: Path
    operator: str
    occurrence: int
    line: int


@dataclass(frozen=True)
class Mutant:
    """A mutation with the text of the file that it makes."""

    mutation: Mutation
    source: str
    diff: str

    @property
    def place(self) -> str:
        """Return file and line, as an editor opens it."""
        return f"{self.mutation.file}:{self.mutation.line}"


def draw(root: Path, packages: list[Package], number: int, seed: int) -> list[Mutant]:
    """Draw mutants, from each package in proportion to how many it has."""
    all_of = {package.name: mutations(root, package) for package in packages}
    for name, found in all_of.items():
        Random(f"{seed} {name}").shuffle(found)  # noqa: S311 - a sample is no secret
    total = sum(map(len, all_of.values()))
    drawn: list[Mutant] = []
    seen = 0
    for found in all_of.values():
        seen += len(found)
        wanted = round(number * seen / total) - len(drawn)
        drawn += islice(_valid(root, found), wanted)
    return Random(seed).sample(drawn, len(drawn))  # noqa: S311 - as above; mixes the packages


def mutations(root: Path, package: Package) -> list[Mutation]:
    """Return every mutation of a package's files."""
    operators = [(name, get_operator(name)()) for name in OPERATORS]
    return [
        Mutation(package, file, name, occurrence, line)
        for file in package.files(root)
        for nodes in [list(ast_nodes(get_ast((root / file).read_text())))]
        for name, operator in operators
        for occurrence, line in _lines(operator, nodes)
    ]


def _lines(operator: Operator, nodes: list[NodeOrLeaf]) -> Iterator[tuple[int, int]]:
    """Yield number and line of each occurrence that can change what the program does."""
    positions = ((node, start) for node in nodes for start, _ in operator.mutation_positions(node))
    for occurrence, (node, (line, _)) in enumerate(positions):
        if not _is_text_or_type(node):
            yield occurrence, line


def _is_text_or_type(node: NodeOrLeaf) -> bool:
    """Return whether a node is in an annotation, a decorator, a type alias or a message."""
    is_union = getattr(node, "value", "") == "|"
    while node.parent is not None:
        parent = node.parent
        if parent.type in ("tfpdef", "fstring", "decorator"):
            return True
        if parent.type == "annassign" and node is parent.children[1]:
            return True
        if parent.type == "funcdef":
            return node is getattr(parent, "annotation", None)
        node = parent
    return is_union  # outside a function: `type Door = Callback | Mail`


def _valid(root: Path, found: list[Mutation]) -> Iterator[Mutant]:
    """Make mutants, without those that Python refuses: a pattern that became an expression."""
    for mutation in found:
        original = (root / mutation.file).read_text()
        operator = get_operator(mutation.operator)()
        source = mutate_code(original, operator, mutation.occurrence)
        if source is None or source == original or not _compiles(source):
            continue
        yield Mutant(mutation, source, _diff(original, source))


def _compiles(source: str) -> bool:
    try:
        with catch_warnings(action="ignore"):
            compile(source, "mutant", "exec")
    except SyntaxError:
        return False
    return True


def _diff(original: str, source: str) -> str:
    lines = difflib.unified_diff(original.splitlines(), source.splitlines(), n=0, lineterm="")
    return "\n".join(f"    {line}" for line in islice(lines, 3, None))
