"""Physics of deepinv itself; skipped where it is not installed."""

import pytest
import torch

from dsg.data.examples import Examples
from dsg.diffusion.kernels import DDIM
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.errors import UserError
from dsg.guidance import DDNM, DPS, DiffPIR, PiGDM
from dsg.sampling import Sampler
from tasks.deepinv_physics import DeepinvPhysics
from tasks.operators.convolution import CircularConvolution
from tasks.operators.deepinv_operators import LinearPhysicsOperator, SpectralPhysicsOperator
from tests.toy import Toy

deepinv = pytest.importorskip("deepinv")

GAUSSIAN = {"class_path": "deepinv.physics.functional.gaussian_blur", "init_args": {"sigma": [1.0, 1.0]}}
SHAPE = (3, 16, 16)


def physics(name, **arguments):
    return {"class_path": f"deepinv.physics.{name}", "init_args": arguments}


# the physics, the operator it becomes, and ‖A A⁺ A x − A x‖/‖A x‖ for white noise x
PHYSICS = {
    "downsampling": (
        physics("Downsampling", img_size=list(SHAPE), factor=4, filter="bicubic"),
        LinearPhysicsOperator,
        1e-4,
    ),
    "blur": (physics("Blur", filter=GAUSSIAN, padding="circular"), LinearPhysicsOperator, 1e-2),
    "blur by Fourier transform": (
        physics("BlurFFT", img_size=list(SHAPE), filter=GAUSSIAN),
        SpectralPhysicsOperator,
        1e-3,
    ),
    "inpainting": (physics("Inpainting", img_size=list(SHAPE), mask=0.5), SpectralPhysicsOperator, 1e-6),
    "tomography": (physics("Tomography", angles=12, img_width=16, normalize=True), LinearPhysicsOperator, 1e-2),
    "compressed sensing": (physics("CompressedSensing", m=100, img_size=list(SHAPE)), LinearPhysicsOperator, 1e-4),
    "decolorize": (physics("Decolorize"), SpectralPhysicsOperator, 1e-5),
}
every_physics = pytest.mark.parametrize(("given", "kind", "tolerance"), PHYSICS.values(), ids=PHYSICS)


def streams(names):
    return NoiseStreams([SampleKey(7, name) for name in names])


def sample(task, guidance, names="ab"):
    images = torch.stack([torch.rand(SHAPE, generator=torch.Generator().manual_seed(ord(n))) * 2 - 1 for n in names])
    sampler = Sampler(Toy(16), task, guidance, DDIM(), 5)
    *_, last = sampler.run(sampler.begin(Examples(images), streams(names)))
    return last.x_prev


@every_physics
def test_its_adjoint_is_the_adjoint_and_its_pseudo_inverse_solves(given, kind, tolerance):
    operator = DeepinvPhysics(given).operator(SHAPE, streams("ab"))
    assert isinstance(operator, kind)
    x = torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(0))
    y = operator.forward(x)
    z = torch.randn(y.shape, generator=torch.Generator().manual_seed(1))
    assert ((y * z).sum() - (x * operator.adjoint(z)).sum()).abs() <= 1e-5 * y.norm() * z.norm()
    assert (operator.forward(operator.pseudo_inverse(y)) - y).norm() <= tolerance * y.norm()


@every_physics
@pytest.mark.parametrize("guidance", [DPS(1.0), PiGDM(), DiffPIR()], ids=lambda g: type(g).__name__)
def test_methods_run_on_it_and_a_batch_of_two_is_two_batches_of_one(given, kind, tolerance, guidance):
    """To what the iterations leave where float32 does not let them reach their tolerance."""
    task = DeepinvPhysics(given)
    together = sample(task, guidance)
    assert together.isfinite().all()
    for i, name in enumerate("ab"):
        torch.testing.assert_close(together[i], sample(task, guidance, name)[0], rtol=0, atol=max(2 * tolerance, 1e-3))


def test_ddnm_on_its_circular_blur_is_ddnm_on_ours():
    """What DDNM does is a function of A Aᵀ and Aᵀ A, whatever the bases of the decomposition are."""

    class Ours(DeepinvPhysics):
        def operator(self, shape, streams):
            kernel = self.physics.filter[:1, :1].double()
            return CircularConvolution(kernel.expand(len(streams), -1, -1, -1), shape[-2:], streams.device)

    given = PHYSICS["blur by Fourier transform"][0]
    torch.testing.assert_close(sample(Ours(given), DDNM()), sample(DeepinvPhysics(given), DDNM()), rtol=0, atol=2e-3)


def test_a_misspelt_argument_is_refused_and_so_is_noise_of_its_own():
    with pytest.raises(UserError, match="ignored"):
        DeepinvPhysics(physics("Inpainting", img_size=list(SHAPE), mask=0.5, maks=0.5))
    noisy = physics("Inpainting", img_size=list(SHAPE), mask=0.5, noise_model=physics("GaussianNoise", sigma=0.1))
    with pytest.raises(UserError, match=r"GaussianNoise of its own.*ZeroNoise"):
        DeepinvPhysics(noisy)
