"""What the house promises of its own files."""

import ast
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from importlinter.cli import lint_imports

ROOT = Path(__file__).parents[1]
# no methods: what methods have in common, and what belongs to one of them
SHARED = {"base", "additive", "step_rules", "curve", "descent", "linear", "data_term", "window"}
SHARED |= {"chain", "chain_step", "ode_path", "steepness", "ddnm_noise", "red_diff_weighting"}
SHARED |= {"back_projection", "hard_consistency", "ruled_step", "noisy_gradient"}
BASES = {"dsg": {"dps"}, "daps": {"langevin"}}  # a plug-in knows the one that it goes over by default
METHODS = sorted(path.stem for path in (ROOT / "dsg/guidance").glob("*.py") if path.stem not in SHARED | {"__init__"})
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
FLOORS = next(contract["layers"] for contract in CONTRACTS if contract["type"] == "layers")


def test_no_import_runs_up_or_in_a_circle_and_nothing_below_the_module_knows_lightning(monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("logging.config.dictConfig", lambda settings: None)  # it would silence every logger there is
    assert lint_imports(cache_dir=None) == 0, "run lint-imports to see which"


def test_every_room_has_its_floor_and_there_are_at_most_twelve():
    files = [path.relative_to(ROOT / "dsg").parts for path in (ROOT / "dsg").rglob("*.py")]
    rooms = {f"dsg.{parts[0].removesuffix('.py')}" for parts in files} - {"dsg.__init__"} | {"tasks", "callbacks"}
    assert {room for floor in FLOORS for room in floor.split(" | ")} == rooms
    assert len(FLOORS) + len(["benchmarks", "train_free_eval.py"]) <= 12


def test_no_library_code_imports_the_command_line_or_the_benchmarks():
    for path in [p for room in ("dsg", "tasks", "callbacks") for p in (ROOT / room).rglob("*.py")]:
        assert not {"train_free_eval", "benchmarks", "tests"} & {name.split(".")[0] for name in _imports(path)}, path


def test_at_most_four_files_lie_loose_in_the_library():
    assert {p.name for p in (ROOT / "dsg").glob("*.py")} == {
        "__init__.py", "errors.py", "sampling.py", "types.py",
    }  # fmt: skip


def test_what_other_libraries_keep_to_themselves_is_asked_for_in_one_file_alone():
    home = ROOT / "dsg/command/private_interfaces.py"
    rooms = [path for room in ("dsg", "tasks", "callbacks") for path in (ROOT / room).rglob("*.py")]
    assert {str(path): found for path in [ROOT / "train_free_eval.py", *rooms] if (found := _private(path))} == {}
    assert _private(home) == set()  # it asks by name, with `getattr`, so that it can say what is gone


def test_no_option_has_a_name_that_yaml_reads_as_something_else():
    for path in [p for room in ("dsg", "tasks", "callbacks") for p in (ROOT / room).rglob("*.py")]:
        assert {name: yaml.safe_load(name) for name in _options(path) if yaml.safe_load(name) != name} == {}, path


@pytest.mark.parametrize("method", METHODS)
def test_a_method_is_a_page_and_knows_no_other_method(method):
    path = ROOT / "dsg/guidance" / f"{method}.py"
    assert len(path.read_text().splitlines()) <= 150
    imported = {n.removeprefix("dsg.guidance.") for n in _imports(path) if n.startswith("dsg.guidance")}
    assert imported <= SHARED | BASES.get(method, set())


def _imports(path: Path) -> set[str]:
    """The modules that a file imports, anywhere in it."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return plain | {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}


def _options(path: Path) -> set[str]:
    """What classes are made with: arguments of `__init__` and fields, and the choices that a `Literal` names."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    made = [n.args for n in nodes if isinstance(n, ast.FunctionDef) and n.name == "__init__"]
    names = {argument.arg for args in made for argument in (*args.posonlyargs, *args.args, *args.kwonlyargs)}
    names |= {n.target.id for n in nodes if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)}
    literals = [n for n in nodes if isinstance(n, ast.Subscript) and ast.unparse(n.value) == "Literal"]
    choices = {n.value for literal in literals for n in ast.walk(literal.slice) if isinstance(n, ast.Constant)}
    return names | {choice for choice in choices if isinstance(choice, str)}


def _private(path: Path) -> set[str]:
    """Names with a leading underscore that a file takes from elsewhere, but for those that Python documents."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    own = {n.name for n in nodes if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    own |= {n.id for n in nodes if isinstance(n, ast.Name)}
    own |= {n.attr for n in nodes if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)}
    used = {n.attr for n in nodes if isinstance(n, ast.Attribute)} - own
    imported = {part for n in nodes if isinstance(n, ast.ImportFrom) for part in (n.module or "").split(".")}
    imported |= {alias.name for n in nodes if isinstance(n, ast.ImportFrom) for alias in n.names}
    private = {name for name in used | imported if name.startswith("_") and not name.startswith("__")}
    return private - {"_exit", "_thread"}


def test_the_pages_beside_the_readme_name_files_and_commands_that_are_there():
    for page in ("CONTRIBUTING.md", "SECURITY.md", "README.md"):
        text = (ROOT / page).read_text()
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
            assert (ROOT / link).exists(), f"{page}: {link}"
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"(?:`|    )make ([a-z-]+)", (ROOT / "CONTRIBUTING.md").read_text())) <= set(targets)


def test_the_citation_is_complete_and_names_no_version_that_could_grow_old():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors", "license", "references"} <= set(citation)
    assert "version" not in citation
    assert citation["license"] == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["license"]
