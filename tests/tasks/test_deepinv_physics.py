"""The adapter, on a physics that has deepinv's interface and needs no deepinv. The real ones are in test_deepinv.py."""

import subprocess
import sys
from importlib.util import find_spec

import pytest
import torch
import yaml
from torch import nn

from dsg.data.examples import Examples
from dsg.diffusion.kernels import DDIM
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.errors import UserError
from dsg.guidance import BODDNM, DPS, DiffPIR, PiGDM
from dsg.sampling import Sampler
from tasks import InverseProblem
from tasks.deepinv_physics import DeepinvPhysics, build
from tasks.noise import GaussianNoise
from tasks.operators import LinearOperator
from tasks.operators.convolution import CircularConvolution
from tasks.operators.deepinv_operators import PhysicsOperator, SpectralPhysicsOperator, operator_of
from tasks.operators.matrix_free import MatrixFree
from tests.toy import Toy

SHAPE = (3, 16, 16)


class ZeroNoise(nn.Module):
    """As deepinv's: the noise model of a physics without noise."""


class Pooling(nn.Module):
    """The mean of blocks of pixels, as a linear physics of deepinv."""

    def __init__(self, factor: int = 2, wrong: str = "", noise_model: nn.Module | None = None) -> None:
        super().__init__()
        self.factor, self.wrong = factor, wrong
        self.noise_model = noise_model or ZeroNoise()

    def A(self, x):
        y = nn.functional.unfold(x, self.factor, stride=self.factor).unflatten(1, (3, -1)).mean(2)
        return y.unflatten(2, (x.shape[2] // self.factor, -1))

    def A_adjoint(self, y):
        image = y.repeat_interleave(self.factor, 2).repeat_interleave(self.factor, 3) / self.factor**2
        return image.roll(1, 3) if self.wrong == "adjoint" else image

    def A_dagger(self, y):
        x = self.factor**2 * Pooling.A_adjoint(Pooling(self.factor), y)
        if self.wrong == "batch":
            x = x - x.mean(0, keepdim=True)
        return 0.9 * x if self.wrong == "inverse" else x


class Cubed(nn.Module):
    """Not linear, and without an adjoint."""

    noise_model = None

    def A(self, x):
        return x**3


class Dropping(nn.Module):
    """A decomposable physics, U = V = I, that draws its mask when it is built."""

    def __init__(self, img_size: tuple[int, ...], keep: float = 0.5) -> None:
        super().__init__()
        self.img_size = img_size
        self.register_buffer("mask", (torch.rand(1, *img_size) < keep).float())

    def A(self, x):
        return self.mask * x

    A_adjoint = A_dagger = A

    def U(self, c):
        return c

    U_adjoint = V = V_adjoint = U


class FourierBlur(nn.Module):
    """A decomposable physics whose spectrum has real and imaginary parts for a last axis, as deepinv's blur by FFT."""

    def __init__(self, kernel: torch.Tensor, img_size: tuple[int, ...]) -> None:
        super().__init__()
        self.side = img_size[-2:]
        around = torch.zeros(self.side)
        around[: kernel.shape[0], : kernel.shape[1]] = kernel
        around = around.roll((-(kernel.shape[0] // 2), -(kernel.shape[1] // 2)), (0, 1))
        spectrum = torch.fft.rfft2(around).expand(1, img_size[0], -1, -1)
        self.phase, self.mask = spectrum.sgn(), spectrum.abs()[..., None].expand(*spectrum.shape, 2)

    def A(self, x):
        return self.U(self.mask * self.V_adjoint(x))

    def A_adjoint(self, y):
        return self.V(self.mask * self.U_adjoint(y))

    def U(self, c):
        return self._image(torch.view_as_complex(c.contiguous()) * self.phase)

    def U_adjoint(self, y):
        return torch.view_as_real(torch.fft.rfft2(y, norm="ortho") * self.phase.conj())

    def V(self, c):
        return self._image(torch.view_as_complex(c.contiguous()))

    def V_adjoint(self, x):
        return torch.view_as_real(torch.fft.rfft2(x, norm="ortho"))

    def _image(self, c):
        return torch.fft.irfft2(c, s=self.side, norm="ortho")


class Several(nn.Module):
    """Measures an image twice, as a stacked physics does."""

    def A(self, x):
        return [x, x]


class Blurred(InverseProblem):
    """Measured by an operator that is given."""

    def __init__(self, how):
        super().__init__(GaussianNoise(0.05))
        self.how = how

    def operator(self, shape, streams):
        return self.how

    def example_operator(self):
        return self.how


def streams(names):
    return NoiseStreams([SampleKey(7, name) for name in names])


def configured(name, **arguments):
    return {"class_path": f"{__name__}.{name}", "init_args": arguments}


def sample(task, guidance, names="ab"):
    images = torch.stack([torch.rand(SHAPE, generator=torch.Generator().manual_seed(ord(n))) * 2 - 1 for n in names])
    sampler = Sampler(Toy(16), task, guidance, DDIM(), 5)
    *_, last = sampler.run(sampler.begin(Examples(images), streams(names)))
    return last.x_prev


OPERATORS = {
    "closed form": DeepinvPhysics(Pooling()),
    "wrong adjoint": DeepinvPhysics(Pooling(wrong="adjoint")),
    "wrong pseudo-inverse": DeepinvPhysics(Pooling(wrong="inverse")),
    "pseudo-inverse that couples the batch": DeepinvPhysics(Pooling(wrong="batch")),
    "decomposed": DeepinvPhysics(configured("Dropping", img_size=list(SHAPE))),
}
every_linear_task = pytest.mark.parametrize("task", OPERATORS.values(), ids=OPERATORS)


@every_linear_task
def test_a_linear_physics_is_a_linear_operator_even_where_it_is_wrong_about_itself(task):
    operator = task.operator(SHAPE, streams("ab"))
    assert isinstance(operator, LinearOperator)
    x = torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(0))
    y = operator.forward(x)
    z = torch.randn(y.shape, generator=torch.Generator().manual_seed(1))
    assert ((y * z).sum() - (x * operator.adjoint(z)).sum()).abs() <= 1e-5 * y.norm() * z.norm()
    assert (operator.forward(operator.pseudo_inverse(y)) - y).norm() <= 1e-4 * y.norm()
    solved = operator.regularised_inverse(z, 1.0, 0.1)
    assert (operator.forward(operator.adjoint(solved)) + 0.1 * solved - z).norm() <= 1e-4 * z.norm()


def test_what_the_physics_says_is_taken_only_where_it_is_right():
    taken = {}
    for name, task in OPERATORS.items():
        operator = task.operator(SHAPE, streams("a"))
        if isinstance(operator, MatrixFree):
            taken[name] = (operator.has_adjoint, operator.has_pseudo_inverse)
    assert taken == {
        "closed form": (True, True),
        "wrong adjoint": (False, True),
        "wrong pseudo-inverse": (True, False),
        "pseudo-inverse that couples the batch": (True, False),
    }
    assert isinstance(OPERATORS["decomposed"].operator(SHAPE, streams("a")), SpectralPhysicsOperator)


@every_linear_task
@pytest.mark.parametrize("guidance", [DPS(1.0), PiGDM(), DiffPIR()], ids=lambda g: type(g).__name__)
def test_a_batch_of_four_is_four_batches_of_one(task, guidance):
    together = sample(task, guidance, "abcd")
    for i, name in enumerate("abcd"):
        torch.testing.assert_close(together[i], sample(task, guidance, name)[0], rtol=0, atol=1e-4)


def test_the_noise_is_each_images_own():
    task = DeepinvPhysics(Pooling(), noise=GaussianNoise(0.3))
    images = torch.zeros(2, *SHAPE)
    y = task.measure(Examples(images), streams("ab")).y
    assert torch.equal(y[1:], task.measure(Examples(images[:1]), streams("b")).y)
    assert y.std().item() == pytest.approx(0.3, rel=0.15)


def test_loss_guidance_runs_on_a_physics_that_is_not_linear_and_linear_methods_refuse_it():
    task = DeepinvPhysics(Cubed())
    assert isinstance(task.operator(SHAPE, streams("a")), PhysicsOperator)
    assert sample(task, DPS(1.0)).isfinite().all()
    with pytest.raises(UserError, match="linear operator"):
        sample(task, PiGDM())


def test_random_parameters_are_drawn_once_from_the_seed_and_leave_the_global_generator_alone():
    def mask(**options):
        return DeepinvPhysics(configured("Dropping", img_size=list(SHAPE)), **options).physics.mask

    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    first = mask()
    assert torch.equal(torch.rand(1), expected)
    assert torch.equal(first, mask())
    assert not torch.equal(first, mask(seed=1))


def test_images_that_do_not_fit_are_refused_before_the_first_sample():
    task = OPERATORS["decomposed"]
    task.check(SHAPE)
    with pytest.raises(UserError, match=r"Dropping cannot measure images of shape \(3, 32, 32\)"):
        task.check((3, 32, 32))


def test_the_example_is_of_the_size_that_the_physics_was_built_for():
    task = DeepinvPhysics(configured("Dropping", img_size=[3, 20, 12]))
    assert isinstance(task.example_operator(), SpectralPhysicsOperator)


def test_measurements_that_are_no_picture_are_shown_in_a_row():
    task = DeepinvPhysics(Pooling())
    measurement = task.measure(Examples(torch.zeros(2, *SHAPE)), streams("ab"))
    assert task.picture(measurement).shape == (2, 3, 8, 8)
    flat = type(measurement)(measurement.y.flatten(1), measurement.operator)
    assert task.picture(flat).shape == (2, 3, 1, 192)


def test_what_a_configuration_says_is_built_to_any_depth_with_lists_as_tuples():
    physics = build(configured("Pooling", factor=4, noise_model=configured("ZeroNoise")))
    assert isinstance(physics.noise_model, ZeroNoise)
    assert build(configured("Dropping", img_size=[3, 4, 4])).img_size == (3, 4, 4)


@pytest.mark.parametrize(
    ("physics", "words"),
    [
        (configured("Pooling", noise_model={"class_path": "torch.nn.Identity"}), "Identity of its own.*`noise`"),
        (configured("Missing"), "there is no .*Missing"),
        (configured("Pooling", faktor=4), "cannot be built.*faktor"),
        (configured("ZeroNoise"), r"no A\(x\)"),
        ({"class": "Pooling"}, "class_path"),
        ({"class_path": "no_such_package.Physics"}, "no_such_package"),
    ],
)
def test_a_physics_that_cannot_be_used_is_refused_in_one_line(physics, words):
    with pytest.raises(UserError, match=words) as refusal:
        DeepinvPhysics(physics)
    assert "\n" not in str(refusal.value)


def test_a_physics_with_several_measurements_is_refused():
    with pytest.raises(UserError, match="one real tensor"):
        DeepinvPhysics(Several()).check(SHAPE)


def test_what_a_method_leaves_out_of_a_spectrum_is_what_it_leaves_out_of_the_same_operator_of_ours():
    bell = torch.exp(-((torch.arange(9) - 4.0) ** 2) / (2 * 1.8**2))
    kernel = torch.outer(bell, bell) / bell.sum() ** 2
    operator = operator_of(FourierBlur(kernel, SHAPE), SHAPE, torch.device("cpu"))
    ours = CircularConvolution(kernel[None, None].double(), SHAPE[1:])
    assert isinstance(operator, SpectralPhysicsOperator)
    y = torch.rand(1, *SHAPE, generator=torch.Generator().manual_seed(0))
    left = (operator.singular_values(y) <= 0.1 * operator.largest(operator.singular_values(y))).float().mean()
    assert left > 0.85
    one, other = (sample(Blurred(how), BODDNM()) for how in (operator, ours))
    torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_without_deepinv_a_line_says_how_to_get_it(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "deepinv"]:
        monkeypatch.delitem(sys.modules, name)

    class Absent:
        def find_spec(self, name, path=None, target=None):
            if name == "deepinv":
                raise ModuleNotFoundError("No module named 'deepinv'", name=name)

    monkeypatch.setattr(sys, "meta_path", [Absent(), *sys.meta_path])
    with pytest.raises(UserError, match="needs deepinv, which is not installed: pip install deepinv"):
        DeepinvPhysics({"class_path": "deepinv.physics.Downsampling"})


def test_tasks_do_not_import_deepinv():
    code = "import sys, tasks, tasks.deepinv_physics; sys.exit('deepinv' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.skipif(find_spec("deepinv") is not None, reason="deepinv is installed")
def test_the_command_line_says_so_too(evaluate, tmp_path, capsys):
    section = {"class_path": "deepinv.physics.Downsampling", "init_args": {"factor": 4}}
    task = {"class_path": "tasks.deepinv_physics.DeepinvPhysics", "init_args": {"physics": section}}
    (tmp_path / "task.yaml").write_text(yaml.safe_dump({"model": {"task": task}}))
    assert evaluate("--config", tmp_path / "task.yaml") == 2
    assert "pip install deepinv" in capsys.readouterr().err
