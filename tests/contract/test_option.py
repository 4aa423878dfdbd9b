"""`--guidance`, `--kernel`, `--combiner` and their like: what they take, and the line that a mistake ends in."""

import sys
from pathlib import Path
from typing import Any

import pytest

from dsg.combiners import ClassifierFree, PredictionCombiner
from dsg.diffusion import Even, Karras, LogSNR
from dsg.diffusion.kernels import DDIM, Heun, ReverseKernel
from dsg.guidance import DSG, Guidance
from tests.contract.foreign import foreign_combiner, foreign_kernel, foreign_method

TESTS = Path(__file__).parent.parent
CONTRACT = TESTS / "contract" / "test_contract.py"
METHODS = """
from dsg.guidance import Guidance, LossGuidance, Unguided


class Plain(LossGuidance):
    def __init__(self, step_size=0.5):
        if step_size < 0:
            raise ValueError("below zero")
        self.step_size = step_size

    def is_guided(self, step):
        return self.step_size > 0

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
        (
            ["dsg.guidance.DSG", "base.zeta=0"],
            "DPS has no parameter base.zeta; its parameters are base.step_size, base.start, base.stop",
        ),
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
    with pytest.raises(pytest.UsageError, match=r"--evaluations: expected F,B, .*such as 8,7; got '10'"):
        one("outside.Plain", evaluations="10")


OUTSIDE = """
from dsg.combiners import PredictionCombiner
from dsg.diffusion.kernels import DDIM, ReverseKernel


class Mixed(DDIM):
    pass


class Loud(DDIM):
    is_stochastic = False  # and is not


class Half(PredictionCombiner):
    def predict(self, x_t, step, process):
        return process.evaluate(x_t, step, process.condition).towards(process.evaluate(x_t, step, None), 0.5)


class Undone(ReverseKernel):
    pass
"""


@pytest.fixture
def outside(folder):
    (folder / "kernels.py").write_text(OUTSIDE)
    sys.modules.pop("kernels", None)
    return Path.cwd()


def test_a_kernel_is_made_with_its_defaults_and_has_levels_that_suit_it(outside):
    ((name, solver),) = foreign_kernel("kernels.Mixed", outside).items()
    assert (name, solver.kernel.eta, solver.spacing) == ("Mixed", 1.0, Even())
    assert foreign_kernel("dsg.diffusion.kernels.Heun", outside)["Heun"].spacing == LogSNR()


def test_a_kernel_s_file_may_say_its_levels(outside):
    heun, karras = "{class_path: dsg.diffusion.kernels.Heun}", "{class_path: dsg.diffusion.Karras}"
    Path("heun.yaml").write_text(f"model: {{kernel: {heun}, spacing: {karras}}}")
    solver = foreign_kernel("heun.yaml", outside)["Heun"]
    assert (solver.kernel, solver.spacing) == (Heun(), Karras())
    Path("ddim.yaml").write_text("model: {kernel: {class_path: dsg.diffusion.kernels.DDIM, init_args: {eta: 0.5}}}")
    solver = foreign_kernel("ddim.yaml", outside)["DDIM"]
    assert (solver.kernel, solver.spacing) == (DDIM(0.5), Even())


def test_a_combiner_is_made_with_its_defaults_or_read_from_a_file(outside):
    combining = foreign_combiner("dsg.combiners.ClassifierFree", outside)["ClassifierFree"]
    assert (combining.of(None), combining.forwards) == (ClassifierFree(), None)
    cfg = "{class_path: dsg.combiners.ClassifierFree, init_args: {guidance_scale: 3}}"
    Path("cfg.yaml").write_text(f"model: {{combiner: {cfg}}}")
    assert foreign_combiner("cfg.yaml", outside)["ClassifierFree"].of(None) == ClassifierFree(3.0)


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("kernel", "kernels", "--kernel: expected MODULE.CLASS or FILE.yaml, got 'kernels'"),
        ("kernel", "kernel.Mixed", "--kernel: no module kernel for kernel.Mixed; expected MODULE.CLASS, with MOD"),
        ("kernel", "kernels.Mixd", "--kernel: kernels has no Mixd; expected one of Loud, Mixed"),
        ("kernel", "kernels.Half", "kernels.Half is no subclass of dsg.diffusion.kernels.ReverseKernel; expected one"),
        ("kernel", "kernels.Undone", r"--kernel: Undone\(\) cannot be made: TypeError: .*abstract"),
        ("kernel", "empty.yaml", "--kernel: expected `model: {kernel: {class_path: ...}}` in .*empty.yaml"),
        ("kernel", "wrong.yaml", "--kernel: .*wrong.yaml: .*etta"),
        ("combiner", "kernels.Mixed", "kernels.Mixed is no subclass of dsg.combiners.PredictionCombiner; expected one"),
        ("combiner", "no.yaml", "--combiner: no file at .*no.yaml"),
    ],
)
def test_a_mistake_in_a_kernel_or_a_combiner_is_one_line_likewise(outside, option, value, words):
    Path("empty.yaml").write_text("")
    Path("wrong.yaml").write_text("model: {kernel: {class_path: dsg.diffusion.kernels.DDIM, init_args: {etta: 0.4}}}")
    with pytest.raises(pytest.UsageError, match=words) as mistake:
        {"kernel": foreign_kernel, "combiner": foreign_combiner}[option](value, outside)
    assert "\n" not in str(mistake.value)


@pytest.mark.parametrize("base", [Guidance, ReverseKernel, PredictionCombiner])
def test_the_library_names_each_base_class_where_one_imports_it(base):
    assert getattr(sys.modules[base.__module__.rpartition(".")[0]], base.__name__) is base


@pytest.fixture
def contract(pytester, folder, monkeypatch):
    """Run some contract tests of one case from the current folder: `contract(file, case, *options)`."""
    monkeypatch.chdir(folder)

    def run(file, case, *options):
        selection = [str(TESTS / "contract" / file), "-k", case, "-rfs", "-p", "no:cacheprovider"]
        return pytester.runpytest_inprocess(*selection, *options)

    return run


PLAIN = "toy-super-resolution-{}-ddim-conditional"


ELSEWHERE = pytest.param(["-n", "1"], id="in a process of xdist", marks=pytest.mark.slow)  # which imports all again


@pytest.mark.parametrize("processes", [pytest.param([], id="here"), ELSEWHERE])
def test_the_option_runs_the_contract_tests_of_the_one_method_alone(contract, processes):
    case = PLAIN.format("Plain")
    result = contract("test_contract.py", case, "--guidance", "outside.Plain", *processes)
    result.assert_outcomes(passed=5, skipped=1)
    result.stdout.fnmatch_lines("*no --zero given*")


def test_a_method_that_breaks_the_contract_fails_it_by_name(contract):
    result = contract("test_contract.py", PLAIN.format("Twice"), "--guidance", "outside.Twice")
    result.stdout.fnmatch_lines("*FAILED*as_often_as*declare*toy-super-resolution-Twice*")
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_the_option_runs_the_contract_and_the_laws_of_the_one_kernel_alone(contract, outside):
    result = contract(
        "test_contract.py", "toy-super-resolution-unguided-Mixed-conditional", "--kernel", "kernels.Mixed"
    )
    result.assert_outcomes(passed=5, skipped=1)
    result = contract("test_kernel_laws.py", "Mixed", "--kernel", "kernels.Mixed")
    assert result.parseoutcomes()["passed"] == 10


def test_a_kernel_that_declares_what_is_not_so_fails_by_name(contract, outside):
    result = contract("test_kernel_laws.py", "adds_noise", "--kernel", "kernels.Loud")
    result.stdout.fnmatch_lines("*FAILED*adds_noise_on_every_step_but_the_last_or_on_none*Loud*")
    result.assert_outcomes(failed=1)


def test_the_option_runs_the_contract_of_the_one_combiner_alone(contract, outside):
    result = contract("test_reaches_the_step.py", "Half-ddpm or Half-heun", "--combiner", "kernels.Half")
    result.assert_outcomes(passed=4)


def test_a_mistake_ends_the_run_before_the_first_test(contract):
    result = contract("test_contract.py", "", "--guidance", "outside.Plan")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.stderr.str().strip() == "ERROR: --guidance: outside has no Plan; expected one of Plain, Twice"


def test_an_option_of_a_method_without_the_method_is_refused(contract):
    assert "--guidance MODULE.CLASS" in contract("test_contract.py", "", "--zero", "step_size=0").stderr.str()


def test_two_things_from_outside_at_once_are_refused(contract, outside):
    both = ["--guidance", "outside.Plain", "--kernel", "kernels.Mixed"]
    assert "one at a time" in contract("test_contract.py", "", *both).stderr.str()
