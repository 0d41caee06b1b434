"""Imports point downward only: the layers of the architecture, held by reading every import statement."""

import ast
import re
from functools import cache
from pathlib import Path

import lullwave

ROOT = Path(lullwave.__file__).parent

# From the bottom up. A module may import modules of its own layer or of lower ones.
LAYERS = [
    ["errors"],
    [
        "options",
        "prompt",
        "audio",
        "paths",
        "storage",
        "prompt_forms",
        "hosts",
        "redaction",
        "pydantic_errors",
        "refused_words",
    ],
    ["request", "settings"],
    ["codecs", "mastering", "spectrogram", "checkpoints", "device", "clock", "ring"],
    [
        "engines.base",
        "engines.comparison",
        "engines.batching",
        "engines.function",
        "engines.linear",
        "engines.native_package",
        "engines.networks",
        "engines.steers",
    ],
    [
        "engines.synth",
        "engines.musicgen",
        "engines.riffusion",
        "engines.stable_audio",
        "engines.diffusers",
        "engines.remote",
    ],
    ["engines.cluster"],
    ["blocks", "testing"],
    ["engines"],
    ["generation", "conversions", "models", "playback"],
    ["archive", "client"],
    ["station", "segments"],
    ["server"],
    ["cluster"],
    ["cli"],
]
# Imports of a higher layer that a method makes when it is called.
LAZY_UPWARD_IMPORTS = {("audio", "codecs")}  # Audio.save, Audio.load
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}


def home(module: str) -> str | None:
    """The longest listed prefix of a module's dotted name inside the package."""
    while module:
        if module in LEVEL:
            return module
        module = module.rpartition(".")[0]
    return None


@cache
def modules() -> list[tuple[str, Path]]:
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        found.append((".".join(parts), path))
    return found


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def statements(path: Path) -> list[ast.AST]:
    """The imports, classes and conditions of a module, wherever they stand; read once for all tests."""
    wanted = (ast.Import, ast.ImportFrom, ast.ClassDef, ast.If)
    return [node for node in ast.walk(parsed(path)) if isinstance(node, wanted)]


@cache
def imports(name: str, path: Path) -> set[str]:
    """Every module of the package that ``path`` imports at run time, as names inside the package."""
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    package = [p for p in package if p]
    found: set[str] = set()
    guarded = {
        id(node)
        for block in statements(path)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for child in block.body
        for node in ast.walk(child)
    }
    names = {n for n, _ in modules()}
    for node in statements(path):
        if id(node) in guarded:
            continue
        if isinstance(node, ast.ImportFrom):
            if node.level:
                base = package[: len(package) - node.level + 1]
                prefix = [*base, *(node.module.split(".") if node.module else [])]
            elif (node.module or "").split(".")[0] == "lullwave":
                prefix = node.module.split(".")[1:]
            else:
                continue
            for alias in node.names:
                full = ".".join([*prefix, alias.name])
                found.add(full if full in names else ".".join(prefix))
        elif isinstance(node, ast.Import):
            found.update(a.name.partition(".")[2] for a in node.names if a.name.split(".")[0] == "lullwave")
    return found


@cache
def packages_imported(path: Path) -> set[str]:
    """The top-level packages that a module imports, its own excepted."""
    found = set()
    for node in statements(path):
        if isinstance(node, ast.Import):
            found |= {a.name.split(".")[0] for a in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").split(".")[0])
    return found


def test_every_module_has_a_layer():
    assert [n for n, _ in modules() if n not in ("", "__main__") and home(n) is None] == []


def test_imports_point_downward():
    wrong = []
    for name, path in modules():
        if name in ("", "__main__"):
            continue
        own = home(name)
        for other in imports(name, path):
            target = home(other)
            if target is not None and LEVEL[target] > LEVEL[own] and (own, target) not in LAZY_UPWARD_IMPORTS:
                wrong.append(f"{name} imports {other}")
    assert wrong == []


def test_engines_do_not_import_one_another():
    wrong = []
    shared = next(names for names in LAYERS if "engines.base" in names)
    for name, path in modules():
        own = home(name) or ""
        if own.startswith("engines.") and own not in shared:
            for other in imports(name, path):
                target = home(other) or ""
                if (own, target) == ("engines.cluster", "engines.remote"):
                    continue  # the same protocol over Ray
                if target.startswith("engines") and target not in (own, *shared):
                    wrong.append(f"{name} imports {other}")
    assert wrong == []


def test_routes_import_no_routes():
    wrong = []
    for name, path in modules():
        if name.startswith("server.routes."):
            wrong += [f"{name} imports {other}" for other in imports(name, path) if other.startswith("server.routes")]
    assert wrong == []


def test_torch_and_the_web_framework_stay_where_they_belong():
    homes = {
        "torch": (
            "device",
            "spectrogram",
            "engines.linear",
            "engines.musicgen",
            "engines.riffusion",
            "engines.stable_audio",
            "engines.diffusers",
        ),
        "fastapi": ("server",),
        "starlette": ("server",),
        "uvicorn": ("server",),
        "httpx": ("client",),
        "typer": ("cli",),
        "rich": ("cli",),
        "obstore": ("storage",),
        "ray": ("engines.cluster", "cluster"),
    }
    wrong = []
    for name, path in modules():
        for top in packages_imported(path):
            if top in homes and not (home(name) or "").startswith(homes[top]):
                wrong.append(f"{name} imports {top}")
    assert wrong == []


def test_what_a_docstring_says_that_its_module_knows_nothing_of_is_not_imported():
    """For example HTTP: no web framework and no HTTP client; threads: no ``threading``."""
    packages = {
        "HTTP": {"fastapi", "starlette", "uvicorn", "http", "urllib", "httpx"},
        "sockets": {"socket", "socketserver", "websockets", "ssl"},
        "threads": {"threading", "concurrent"},
        "tensors": {"torch"},
    }
    held, wrong = 0, []
    for name, path in modules():
        said = re.search(r"[Kk]nows no(?:thing of)? ([^.:;]*)", ast.get_docstring(parsed(path)) or "")
        for what, forbidden in packages.items():
            if said and what in said[1]:
                held += 1
                wrong += [f"{name} imports {top}" for top in sorted(packages_imported(path) & forbidden)]
    assert wrong == []
    assert held > 20


def test_every_error_is_in_the_tree_that_the_docstring_draws():
    import lullwave.errors as errors

    known, more = {"LullwaveError"}, True
    classes = [
        (node.name, {base.id for base in node.bases if isinstance(base, ast.Name)})
        for path in ROOT.rglob("*.py")
        for node in statements(path)
        if isinstance(node, ast.ClassDef)
    ]
    while more:
        more = {name for name, bases in classes if bases & known} - known
        known |= more
    drawn = set(re.findall(r"\b[A-Z]\w+", "\n".join(re.findall(r"── (\w+)", errors.__doc__ or ""))))
    assert drawn | {"LullwaveError"} == known
