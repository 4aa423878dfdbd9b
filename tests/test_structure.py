"""What the house promises of its own files."""

import ast
from pathlib import Path

import pytest

GUIDANCE = Path(__file__).parent.parent / "dsg" / "guidance"
SHARED = {"base", "linear", "data_term", "window", "chain"}  # no methods: what methods have in common
BASES = {"dsg": {"dps"}, "daps": {"langevin"}}  # a plug-in knows the one that it goes over by default
METHODS = sorted(path.stem for path in GUIDANCE.glob("*.py") if path.stem not in SHARED | {"__init__"})


@pytest.mark.parametrize("method", METHODS)
def test_a_method_is_a_page_and_knows_no_other_method(method):
    source = (GUIDANCE / f"{method}.py").read_text()
    assert len(source.splitlines()) <= 150
    imported = {
        node.module.removeprefix("dsg.guidance.")
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dsg.guidance")
    }
    assert imported <= SHARED | BASES.get(method, set())


@pytest.mark.parametrize(
    "package", ["dsg/schedule.py", "dsg/noise.py", "dsg/models", "dsg/guidance", "dsg/sampling.py", "tasks"]
)
def test_the_sampling_side_does_not_import_lightning(package):
    root = GUIDANCE.parent.parent / package
    for path in root.rglob("*.py") if root.is_dir() else [root]:
        for node in ast.walk(ast.parse(path.read_text())):
            names = (
                [a.name for a in node.names] if isinstance(node, ast.Import) else [getattr(node, "module", "") or ""]
            )
            if isinstance(node, ast.Import | ast.ImportFrom):
                assert not any(name.split(".")[0] == "lightning" for name in names), path
