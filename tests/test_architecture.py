"""The architecture tests itself: layers, cycles, sizes, names, documentation, requirements, and the README's tree."""

from __future__ import annotations

import ast
import graphlib
import importlib.metadata
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.source_tree import PACKAGE, ROOT, Source, imports, listed, own, sources, sources_of_tests, text_files

ALLOWED = {
    "errors": set(),
    "settings": {"errors"},
    "core": {"errors"},
    "runs": {"errors", "settings", "core"},
    "search": {"errors", "settings", "core", "runs"},
    "figures": {"errors", "core"},
    "ui": {"errors", "settings", "core", "runs", "search", "figures"},
    "cli": {"errors", "settings", "core", "runs", "search"},
    "__main__": {"cli"},
    PACKAGE: set(),
    "streamlit_app": {"errors", "settings", "ui"},
}
"""The layers, and those that each may import besides itself."""

HOMES = {
    "streamlit": ("streamlit_app.py", f"{PACKAGE}/ui/"),
    "plotly": (f"{PACKAGE}/figures/", f"{PACKAGE}/ui/live_plot.py"),
    "dbos": (f"{PACKAGE}/runs/engine.py",),
    "optuna": (f"{PACKAGE}/search/",),
    "sqlalchemy": (f"{PACKAGE}/runs/", f"{PACKAGE}/search/"),
    "rich": (f"{PACKAGE}/cli/",),
    "torch": (f"{PACKAGE}/core/", f"{PACKAGE}/runs/warm.py", f"{PACKAGE}/runs/trainer.py"),
    "torchvision": (f"{PACKAGE}/core/",),
}
"""The only places that may import these libraries at all."""

HEAVY = ("torch", "torchvision", "sklearn", "scipy")
"""What takes a second or more to import and has no place in a page or a command."""
LIGHT = ("errors", "settings", "runs", "figures", "ui", "cli", "streamlit_app", "__main__", PACKAGE)
MAX_LINES = 599
MAX_FUNCTION_LINES = 60
DISTRIBUTIONS = {"yaml": "PyYAML", "sklearn": "scikit-learn", "skimage": "scikit-image"}
"""Import names that differ from the name of what is installed."""
REQUIRED_BY_LIBRARIES = {"Authlib", "httpx"}
"""What a library of ours imports when it is asked to: Streamlit for its sign-in."""
REQUIRED_BY_TOOLS = {"ruff", "mypy", "pytest-timeout", "pytest-xdist", "ipykernel"}
"""What the Makefile and pytest use without an import of ours."""


def _where(source: Source) -> str:
    return source.path.relative_to(ROOT).as_posix()


def test_imports_point_one_way() -> None:
    """A layer imports only those below it."""
    layers = {source.module: source.layer for source in sources()}
    wrong = [
        f"{_where(source)} imports {target}"
        for source in sources()
        for name in imports(source)
        if (target := own(name.target)) not in (None, PACKAGE) and layers[target] not in ALLOWED[source.layer] | {source.layer}
    ]
    assert wrong == []


@pytest.mark.parametrize("library", HOMES)
def test_library_stays_in_its_home(library: str) -> None:
    """Streamlit, Plotly, DBOS and the others are imported where they belong and nowhere else."""
    users = {_where(source) for source in sources() for name in imports(source) if name.target.split(".")[0] == library}
    assert [user for user in sorted(users) if not user.startswith(HOMES[library])] == []


def test_imports_have_no_cycle() -> None:
    """No module imports itself by any way, imports within functions included."""
    graph = {
        source.module: {
            target for name in imports(source) if not name.for_types and (target := own(name.target)) not in (None, source.module)
        }
        for source in sources()
    }
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(f"import cycle: {' -> '.join(reversed(error.args[1]))}")


def test_light_modules_do_not_load_torch() -> None:
    """Importing a page, a command or the store loads neither torch nor scikit-learn, whatever the way."""
    modules = [source.module for source in sources() if source.layer in LIGHT and source.module != f"{PACKAGE}.runs.warm"]
    wrong = {module: heavy for module in modules if (heavy := sorted(_at_once(module) & set(HEAVY)))}
    assert wrong == {}


def test_commands_run_without_torch() -> None:
    """The modules of the store, the actions and the commands, imported for real, leave torch alone."""
    code = (
        "import sys, mnist_dash.runs.actions, mnist_dash.runs.doctor, mnist_dash.runs.estimate, mnist_dash.runs.artifacts;"
        "import mnist_dash.cli.listing, mnist_dash.cli.train, mnist_dash.cli.following, mnist_dash.cli.control;"
        "import mnist_dash.search.steering, mnist_dash.search.suggest, mnist_dash.ui.study_page_charts;"
        f"sys.exit(bool(set({HEAVY!r}) & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_files_and_functions_are_short() -> None:
    """No file has 600 lines, no function more than sixty."""
    files = [f"{_where(source)}: {source.n_lines} lines" for source in (*sources(), *sources_of_tests()) if source.n_lines > MAX_LINES]
    functions = [
        f"{_where(source)}:{node.lineno} {node.name}"
        for source in (*sources(), *sources_of_tests())
        for node in ast.walk(source.tree)
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno >= MAX_FUNCTION_LINES
    ]
    assert files + functions == []


def test_modules_are_named_after_what_they_hold() -> None:
    """Nothing is called utils, helpers or common."""
    vague = {"utils", "util", "helpers", "helper", "common", "misc"}
    assert [_where(source) for source in (*sources(), *sources_of_tests()) if vague & set(source.module.split("."))] == []


def test_public_names_are_documented() -> None:
    """Every public module, class, function and method says what it is."""
    assert [name for source in sources() for name in _undocumented(source)] == []


def test_every_page_is_registered() -> None:
    """Each script in ui/pages is in the page list."""
    navigation = (ROOT / PACKAGE / "ui" / "navigation.py").read_text()
    pages = [path.stem for path in (ROOT / PACKAGE / "ui" / "pages").glob("*.py") if path.stem != "__init__"]
    assert pages
    assert [page for page in pages if f'"{page}"' not in navigation] == []


def test_requirements_are_what_is_imported() -> None:
    """Each third-party package that is imported is required, and each required one is imported."""
    runtime, development = _required("requirements.txt"), _required("requirements-dev.txt")
    assert _imported(sources()) == runtime - REQUIRED_BY_LIBRARIES
    assert _imported(sources_of_tests()) - runtime == development - REQUIRED_BY_TOOLS


def test_requirements_are_bounded_and_explained() -> None:
    """Each requirement has an upper bound or a pin, and a comment that says what needs it."""
    lines = [line for file in ("requirements.txt", "requirements-dev.txt") for line in (ROOT / file).read_text().splitlines()]
    wanted = [line for line in lines if line and not line.startswith(("#", "-r"))]
    assert [line for line in wanted if not re.match(r"\S+(<|==)[\w.*]+\s+# \S", line)] == []


def test_installed_packages_meet_the_requirements() -> None:
    """The interpreter that runs these tests has every required package."""
    for name in _required("requirements.txt") | _required("requirements-dev.txt"):
        assert importlib.metadata.version(name), name


def test_tree_in_readme_is_the_tree() -> None:
    """The README's annotated tree names every file and folder of the top two levels, and nothing else."""
    assert sorted(_readme_tree()) == sorted(_tree())


def test_no_path_of_a_machine_is_in_the_tree() -> None:
    """Nothing points at a folder of somebody's own machine."""
    own_paths = re.compile("|".join(("/" + "work/", "/" + "root/", "/home/" + r"[a-z]", "/" + "Users/", r"[A-Z]:\\" + "Users")))
    assert [f"{path.relative_to(ROOT)}" for path in text_files() if own_paths.search(path.read_text())] == []


def _at_once(module: str) -> set[str]:
    """Name every package that importing a module of ours imports, through other modules of ours too."""
    by_name = {source.module: source for source in sources()}
    found: set[str] = set()
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        current = waiting.pop()
        seen.add(current)
        for name in imports(by_name[current]):
            target = own(name.target)
            if name.at_once and target is None:
                found.add(name.target.split(".")[0])
            elif name.at_once and target is not None and target not in seen:
                waiting.append(target)
    return found


def _undocumented(source: Source) -> Iterator[str]:
    if ast.get_docstring(source.tree) is None and (source.tree.body or source.path.name != "__init__.py"):
        yield _where(source)
    for node in source.tree.body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name.startswith("_"):
            continue
        members = node.body if isinstance(node, ast.ClassDef) else []
        public = [m for m in members if isinstance(m, ast.FunctionDef | ast.ClassDef) and not m.name.startswith("_")]
        for named in (node, *public):
            if ast.get_docstring(named) is None:
                yield f"{_where(source)}:{named.lineno} {named.name}"


def _imported(modules: tuple[Source, ...]) -> set[str]:
    names = {name.target.split(".")[0] for source in modules for name in imports(source)}
    return {DISTRIBUTIONS.get(name, name) for name in names - sys.stdlib_module_names - {PACKAGE, "streamlit_app", "tests", "__future__"}}


def _required(file: str) -> set[str]:
    """Name what a requirements file requires, itself included."""
    return set(re.findall(r"^([\w-]+)[><=]", (ROOT / file).read_text(), re.MULTILINE))


def _tree() -> Iterator[str]:
    for path in listed(ROOT):
        yield path.name + ("/" if path.is_dir() else "")
        if path.is_dir():
            yield from (f"{path.name}/{inner.name}{'/' if inner.is_dir() else ''}" for inner in listed(path))


def _readme_tree() -> Iterator[str]:
    """Read the names from the code block that follows the marker; entries of a folder are indented below it."""
    block = (ROOT / "README.md").read_text().split("<!-- tree -->")[1].split("```")[1]
    folder = ""
    for line in block.strip("\n").splitlines():
        name = line.split()[0]
        if line.startswith(" "):
            yield folder + name
        else:
            yield name
            folder = name
