"""What the posterior methods share: what they need of a task, of its operator and of a model's autoencoder."""

from __future__ import annotations

from dsg.errors import UserError
from dsg.models.base import ScoreModel
from dsg.process import ReverseProcess
from dsg.types import PerSample
from tasks.base import InverseProblem, Task
from tasks.noise import GaussianNoise
from tasks.operators import LinearOperator
from tasks.operators.spectral import SpectralOperator

LINEAR = (
    "Denoising, RandomInpainting, BoxInpainting, GivenMaskInpainting, Colourisation, SuperResolution, "
    "GaussianDeblurring, MotionDeblurring or GivenKernelDeblurring"
)
SPECTRAL = f"{LINEAR}, the latter two with padding circular"
LATENT = "PSLD, ReSample, DAPS, FlowDPS, FlowChef, FLAIR or PnPFlow, or a loss guidance such as DPS or DSG"


def require_linear(method: str, task: Task, score_model: ScoreModel, spectral: bool = False) -> float:
    """σ_y of a linear task with Gaussian noise, or a UserError that says what is missing and which tasks fit.

    Args:
        method: the name that the error begins with.
        task: the task.
        score_model: its state has to be the image: A of a decoder is not linear, and A⁺ no inverse there.
        spectral: whether A's singular value decomposition is needed.
    """
    if score_model.has_decoder:
        raise UserError(
            f"{method} needs a score model in pixel space, and {type(score_model).__name__} decodes its state; "
            f"of latents take {LATENT}"
        )
    require_linear_operator(method, task, spectral)
    return require_gaussian(method, task)


def require_linear_operator(method: str, task: Task, spectral: bool = False) -> None:
    """Raise UserError unless the task has an A that is linear, whatever its noise and the model's state."""
    fitting = SPECTRAL if spectral else LINEAR
    if not isinstance(task, InverseProblem):
        raise UserError(
            f"{method} needs a linear task y = A x + noise, and {type(task).__name__} is none; use {fitting}"
        )
    operator = task.example_operator()
    if not isinstance(operator, LinearOperator):
        raise UserError(f"{method} needs a linear operator, and {type(task).__name__}'s is none; use {fitting}")
    if spectral and not isinstance(operator, SpectralOperator):
        raise UserError(f"{method} needs A's singular values, which {type(task).__name__} has not; use {fitting}")


def require_encoder(method: str, score_model: ScoreModel) -> None:
    """Raise UserError if the model's states are decoded, and nothing encodes pictures."""
    if not score_model.has_encoder:
        raise UserError(
            f"{method} encodes pictures, and {type(score_model).__name__} decodes its states but has no `encode`; give "
            "it one, or use a method that does not, such as DPS, DSG, DAPS or FlowDPS"
        )


def require_inverse_problem(method: str, task: Task) -> InverseProblem:
    """The task, or a UserError that says that it is none with an A."""
    if not isinstance(task, InverseProblem):
        raise UserError(f"{method} needs a task y = A(x) + noise, and {type(task).__name__} is none; use DPS or DSG")
    return task


def require_gaussian(method: str, task: Task) -> float:
    """σ_y of an inverse problem with Gaussian noise, or a UserError that says why the task is none."""
    task = require_inverse_problem(method, task)
    try:
        return task.noise_sigma
    except UserError as error:
        raise UserError(f"{method}: {error}") from None


def linear_operator(process: ReverseProcess) -> LinearOperator:
    """A of this batch."""
    operator = process.measurement.operator
    assert isinstance(operator, LinearOperator), "checked before the first sample"
    return operator


def spectral_operator(process: ReverseProcess) -> SpectralOperator:
    """A of this batch, with its singular value decomposition."""
    operator = linear_operator(process)
    assert isinstance(operator, SpectralOperator), "checked before the first sample"
    return operator


def noise_sigma(process: ReverseProcess) -> float:
    """σ_y of this batch's measurement, on images in [−1, 1]."""
    assert isinstance(process.task, InverseProblem), "checked before the first sample"
    return process.task.noise_sigma


def noise_level(process: ReverseProcess) -> tuple[float, PerSample]:
    """σ_y of this batch's measurement, 0 where its noise is not Gaussian; and how many numbers of each y carry noise,
    (B,).
    """
    task = process.task
    assert isinstance(task, InverseProblem), "checked before the first sample"
    sigma = task.noise_sigma if isinstance(task.noise, GaussianNoise) else 0.0
    return sigma, task.noisy_numbers(process.measurement)
