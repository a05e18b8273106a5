"""The shape of the package: what may import what, what is public, how large things may grow.

ARCHITECTURE.md tells the same in prose.  An exception stands here with its reason.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import csijournal

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "csijournal"
PACKAGE = "csijournal"

LAYERS = [
    "compat",
    "errors",
    "wire",
    "store",
    "inventory",
    "journal",
    "check",
    "repair",
    "transfer",
    "cli",
]
"""From the bottom up: a module imports from its own layer and from those before it."""

HIDDEN_IMPORTS: dict[str, str] = {
    "check.report": "jinja2 is an extra, and slow to import",
    "cli.progress": "rich takes longer to import than most commands to run, and few draw a bar",
    "store.urls": "each kind of store is imported when it is opened: rados and sqlite3 are large",
    "store.rados.binding": "python3-rados is not on every machine",
    "inventory.choose": "a command that looks one record up needs no inventory, and starts without",
    "inventory.rbd_binding": "python3-rbd is not on every machine",
}
"""Modules that may import inside of functions, each with its reason."""

PUBLIC = {
    "Archive",
    "ArchiveWriter",
    "CSIJournalError",
    "Depth",
    "EnsureResult",
    "Entry",
    "Exporter",
    "Finding",
    "FindingKind",
    "Guarantee",
    "Handle",
    "Recovery",
    "Repairer",
    "Reservation",
    "Restorer",
    "Severity",
    "SnapshotJournal",
    "SnapshotReservation",
    "Store",
    "Tally",
    "Timestamp",
    "Verifier",
    "VolumeGroupJournal",
    "VolumeJournal",
    "VolumeReservation",
    "Watcher",
    "check_archive",
    "errors",
    "open_store",
}

LINES_MAX_OF_A_FUNCTION = 40
LINES_MAX_OF_A_CLASS = 250
LONG: dict[str, str] = {
    "journal.steps.Records": "each single read and guarded write, by name: short, and in one place",
    "cli.commands.verify.command": "most of it is the help that --help prints",
}
"""What may be longer, each with its reason."""


# Reading the package


@cache
def modules() -> dict[str, ast.Module]:
    """Every module by its name within the package; the package itself is empty."""
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(path.read_text())
    return found


def layer_of(module: str) -> str:
    """The layer of a module; one beside the layers is at the top, where none may import it."""
    first = module.partition(".")[0]
    return first if first in LAYERS else ""


def targets(node: ast.AST) -> Iterator[str]:
    """The modules of the package that a statement imports."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.module:
        names = [f"{node.module}.{alias.name}" for alias in node.names]
    else:
        return
    for name in names:
        inner = name.removeprefix(f"{PACKAGE}.")
        if inner != name:
            yield inner if inner in modules() else inner.rpartition(".")[0]


def runtime_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """All statements but those under `if TYPE_CHECKING`."""
    for child in ast.iter_child_nodes(tree):
        test = child.test if isinstance(child, ast.If) else None
        if isinstance(test, ast.Name) and test.id == "TYPE_CHECKING":
            continue
        yield child
        yield from runtime_nodes(child)


def imports(module: str) -> set[str]:
    """What a module imports, be it inside of a function."""
    nodes = runtime_nodes(modules()[module])
    return {target for node in nodes for target in targets(node)} - {module}


# Imports


@pytest.mark.parametrize("module", [name for name in modules() if layer_of(name)])
def test_imports_point_downwards(module: str) -> None:
    height = LAYERS.index(layer_of(module))
    upward = {
        target
        for target in imports(module)
        if layer_of(target) and LAYERS.index(layer_of(target)) > height
    }
    assert upward == set()


def test_no_import_goes_round_in_a_circle() -> None:
    graph = {name: {target for target in imports(name) if target} for name in modules()}
    TopologicalSorter(graph).prepare()  # raises CycleError, with the cycle


def hidden_imports(module: str) -> list[str]:
    """The functions of a module that import something."""
    return [
        function.name
        for function in ast.walk(modules()[module])
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
        and any(isinstance(node, (ast.Import, ast.ImportFrom)) for node in ast.walk(function))
    ]


def test_imports_stand_at_the_head_unless_a_reason_is_given() -> None:
    hiding = {name for name in modules() if hidden_imports(name)}
    assert hiding - set(HIDDEN_IMPORTS) == set()


# Public names


def test_public_names_are_those_of_the_package_alone() -> None:
    assert set(csijournal.__all__) == PUBLIC
    assert all(hasattr(csijournal, name) for name in PUBLIC)


def modules_after(script: str) -> set[str]:
    """What a process has imported after it ran `script`."""
    script += "\nimport sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return set(done.stdout.splitlines()[-1].split())


def test_the_package_imports_nothing_that_is_slow_or_not_everywhere() -> None:
    assert not {"rich", "click", "sqlite3", "rados"} & modules_after("import csijournal")


CHECKING = {"check.scan", "check.report", "inventory.rbd", "inventory.cephfs", "repair.apply"}


@pytest.mark.parametrize("arguments", [["--help"], ["check", "name"], ["reserve", "name"]])
def test_a_command_that_looks_at_one_record_imports_no_check_of_all(
    arguments: list[str], tmp_path: Path
) -> None:
    store = ["--store", f"sqlite://{tmp_path}/j.db"]
    script = f"from csijournal.cli.run import run; run({[*store, *arguments]!r})"
    assert not {f"csijournal.{name}" for name in CHECKING} & modules_after(script)


def test_a_public_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nobody'"):
        csijournal.Nobody  # type: ignore[attr-defined]  # noqa: B018


# Sizes


def sized(kinds: tuple[type[ast.AST], ...]) -> Iterator[tuple[str, int]]:
    """Everything of these kinds, with its number of lines."""
    for module, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, kinds):
                assert isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
                yield f"{module}.{node.name}", (node.end_lineno or 0) - node.lineno + 1


def test_no_function_is_longer_than_a_screen() -> None:
    functions = sized((ast.FunctionDef, ast.AsyncFunctionDef))
    long = {name: lines for name, lines in functions if lines > LINES_MAX_OF_A_FUNCTION}
    assert {name: lines for name, lines in long.items() if name not in LONG} == {}


def test_no_class_is_too_long_to_be_read_at_once() -> None:
    long = {name: lines for name, lines in sized((ast.ClassDef,)) if lines > LINES_MAX_OF_A_CLASS}
    assert {name: lines for name, lines in long.items() if name not in LONG} == {}


# Dead code


def test_nothing_is_left_that_nobody_uses() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "vulture"],  # pyproject.toml says where it looks
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    # What only tests define and pytest finds by its name is none of this test's business.
    assert [line for line in done.stdout.splitlines() if not line.startswith("tests/")] == []


# The documents


@pytest.mark.parametrize("document", ["ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_every_file_that_a_document_names_is_there(document: str) -> None:
    named = re.findall(r"`([a-z_]+/[\w/.]+|[a-z_]+\.py)`", (ROOT / document).read_text())
    places = {
        name: [ROOT / name, SOURCE / name, SOURCE.parent / name]
        for name in named
        if "NAME" not in name
    }
    missing = [name for name, paths in places.items() if not any(path.exists() for path in paths)]
    assert len(places) > 10
    assert missing == []


def test_architecture_fits_on_two_screens() -> None:
    assert len((ROOT / "ARCHITECTURE.md").read_text().splitlines()) <= 100


# Output


def test_only_one_module_writes_text_to_the_standard_streams() -> None:
    writing = {
        module
        for module, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr in {"write", "writelines"}
        and ast.unparse(node.value) in {"sys.stdout", "sys.stderr"}
    }
    assert writing == {"cli.output"}


# Images

CHANGES_OF_IMAGES = re.compile(
    r"trash_(move|restore|remove|purge)|(create|remove|protect|rollback)_snap|flatten|resize"
    r"|metadata_(set|remove)|mirror_image_\w+able|group_(create|remove)|clone"
)
"""Calls of librbd's binding that change something."""


def test_one_module_changes_images_and_moves_them_only_into_the_trash_and_out_of_it() -> None:
    found = {
        (name, node.attr)
        for name, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and CHANGES_OF_IMAGES.fullmatch(node.attr)
    }
    assert found == {("repair.rbd_trash", "trash_move"), ("repair.rbd_trash", "trash_restore")}
