"""`--guidance`, `--zero` and `--evaluations`: what they take, and the line that a mistake ends in."""

import sys
from pathlib import Path
from typing import Any

import pytest

from dsg.guidance import DSG, Guidance
from tests.contract.foreign import foreign_method

TESTS = Path(__file__).parent.parent
CONTRACT = TESTS / "contract" / "test_contract.py"
METHODS = """
from dsg.guidance import Guidance, LossGuidance, Unguided


class Plain(LossGuidance):
    def __init__(self, step_size=0.5):
        if step_size < 0:
            raise ValueError("below zero")
        self.step_size = step_size

    def update(self, guided, process):
        return guided.unguided - self.step_size * guided.gradient


class Twice(Unguided):
    def step(self, x_t, step, process):
        process.predict(x_t, step)
        return super().step(x_t, step, process)


class Unfinished(Guidance):
    pass


number = 3
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    (tmp_path / "outside.py").write_text(METHODS)
    (tmp_path / "broken.py").write_text("1 / 0")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "outside", raising=False)
    return tmp_path


def one(guidance, *zero, evaluations=None) -> tuple[str, Any]:
    ((name, method),) = foreign_method(guidance, zero, evaluations, Path.cwd()).items()
    return name, method


def test_a_class_is_made_with_its_defaults_and_declares_nothing():
    name, method = one("outside.Plain")
    assert (name, method.guidance.step_size) == ("Plain", 0.5)
    assert (method.zero, method.without_zero, method.evaluations) == (None, "no --zero given", None)


def test_zero_changes_a_parameter_of_the_method_or_of_its_base():
    assert one("outside.Plain", "step_size=0")[1].zero.step_size == 0
    twin = one("dsg.guidance.DSG", "guidance_rate=0.0", "base.step_size=0.25")[1].zero
    assert (twin.guidance_rate, twin.base.step_size) == (0.0, 0.25)


def test_evaluations_are_forward_and_backward():
    assert one("outside.Plain", evaluations="20,9")[1].evaluations == (20, 9)


def test_a_file_is_read_with_its_includes_and_the_last_word_holds():
    Path("first.yaml").write_text("model: {guidance: {class_path: dsg.guidance.DSG, init_args: {guidance_rate: 0.4}}}")
    Path("second.yaml").write_text("include: [first.yaml]\nmodel: {guidance: {init_args: {interval: 2}}}")
    Path("third.yaml").write_text("include: [second.yaml]\nmodel: {steps: 3}")
    assert one("third.yaml")[1].guidance == DSG(guidance_rate=0.4, interval=2)


def test_every_configuration_of_the_repository_names_a_method():
    for file in (TESTS.parent / "configs" / "guidance").glob("*.yaml"):
        assert isinstance(one(str(file))[1].guidance, Guidance), file.name


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["outside"], "--guidance: expected MODULE.CLASS or FILE.yaml, got 'outside'"),
        (["outsid.Plain"], "no module outsid for outsid.Plain; expected MODULE.CLASS, with MODULE.py in .*"),
        (["outside.Plan"], "outside has no Plan; expected one of Plain, Twice"),
        (["outside.number"], "outside.number is no subclass of dsg.guidance.Guidance; expected one of Plain, Twice"),
        (["math.pi"], "expected a subclass of dsg.guidance.Guidance, and the module has none"),
        (["outside.Unfinished"], r"--guidance: Unfinished\(\) cannot be made: TypeError: .*abstract.*step"),
        (["broken.Method"], "broken cannot be imported: ZeroDivisionError: division by zero"),
        (["no.yaml"], "--guidance: no file at .*no.yaml"),
        (["empty.yaml"], "expected `model: {guidance: {class_path: ...}}` in .*empty.yaml"),
        (["wrong.yaml"], "wrong.yaml: .*guidance_rat"),
        (["outside.Plain", "step_size"], "--zero: expected NAME=VALUE, such as step_size=0, got 'step_size'"),
        (["outside.Plain", "scale=0"], "--zero: Plain has no parameter scale; its parameters are step_size"),
        (["dsg.guidance.DSG", "base.zeta=0"], "DPS has no parameter base.zeta; its parameters are base.step_size"),
        (["outside.Plain", "step_size=-1"], r"--zero: Plain\(step_size=-1\) cannot be made: ValueError: below zero"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_was_expected(given, words):
    Path("empty.yaml").write_text("")
    Path("wrong.yaml").write_text("model: {guidance: {class_path: dsg.guidance.DSG, init_args: {guidance_rat: 0.4}}}")
    with pytest.raises(pytest.UsageError, match=words) as mistake:
        one(*given)
    assert "\n" not in str(mistake.value)


def test_evaluations_in_another_spelling_are_refused_with_an_example():
    with pytest.raises(pytest.UsageError, match=r"--evaluations: expected F,B, .*such as 10,9; got '10'"):
        one("outside.Plain", evaluations="10")


@pytest.fixture
def contract(pytester, folder, monkeypatch):
    """Run the contract tests of one task and model from the current folder: `contract(*options)`."""
    monkeypatch.chdir(folder)
    selection = [
        str(TESTS / "contract" / "test_contract.py"),
        "-k",
        "toy-super-resolution",
        "-rfs",
        "-p",
        "no:cacheprovider",
    ]
    return lambda *options: pytester.runpytest_inprocess(*selection, *options)


@pytest.mark.parametrize("processes", [[], ["-n", "1"]], ids=["here", "in a process of xdist"])
def test_the_option_runs_the_contract_tests_of_the_one_method_alone(contract, processes):
    result = contract("--guidance", "outside.Plain", *processes)
    result.assert_outcomes(passed=4, skipped=1)
    result.stdout.fnmatch_lines("*no --zero given*")


def test_a_method_that_breaks_the_contract_fails_it_by_name(contract):
    result = contract("--guidance", "outside.Twice")
    result.stdout.fnmatch_lines("*FAILED*as_often_as_it_declares*toy-super-resolution-Twice*")
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_a_mistake_ends_the_run_before_the_first_test(contract):
    result = contract("--guidance", "outside.Plan")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.stderr.str().strip() == "ERROR: --guidance: outside has no Plan; expected one of Plain, Twice"


def test_an_option_of_a_method_without_the_method_is_refused(contract):
    assert "--guidance MODULE.CLASS" in contract("--zero", "step_size=0").stderr.str()
