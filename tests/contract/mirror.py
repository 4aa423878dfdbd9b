"""A case seen in a mirror: model, task and noise, flipped left to right, for methods that must not notice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from dsg.combiners import Autoguidance, ClassifierGuidance, DiscriminatorGuidance, NoisyClassifier, PredictionCombiner
from dsg.data.examples import Examples
from dsg.diffusion.condition import Condition
from dsg.diffusion.level import NoiseLevel
from dsg.diffusion.noise import NoiseStreams, Purpose
from dsg.diffusion.prediction import Prediction
from dsg.models.base import ScoreModel
from dsg.models.discriminator import Discriminator
from dsg.types import Image, PerSample, State
from tasks.base import Measurement, Task
from tasks.operators import LinearOperator, Operator
from tasks.operators.spectral import SpectralOperator
from tests.contract.design import Case


def flip(x: Tensor) -> Tensor:
    """F x, its columns in reverse; F = Fᵀ = F⁻¹."""
    return x.flip(-1)


class MirroredStreams(NoiseStreams):
    """Noise of the state is flipped; what is drawn for the measurement stays, as the task flips its image back."""

    def normal(self, purpose: Purpose, shape: Sequence[int]) -> Tensor:
        drawn = super().normal(purpose, shape)
        return drawn if purpose in (Purpose.OPERATOR, Purpose.MEASUREMENT) else flip(drawn)


class MirroredModel(ScoreModel):
    """x ↦ F ε(F x)."""

    def __init__(self, model: ScoreModel) -> None:
        super().__init__()
        self.model, self.schedule, self.shape = model, model.schedule, model.shape
        self.learns_variance, self.clean_range = model.learns_variance, model.clean_range
        self.num_classes, self.null_class = model.num_classes, model.null_class

    def forward(self, x_t: State, level: NoiseLevel, condition: Condition | None = None) -> Prediction:
        seen = self.model(flip(x_t), level, condition)
        variance_range = None if seen.variance_range is None else flip(seen.variance_range)
        return Prediction(flip(seen.clean_estimate), flip(seen.epsilon), variance_range)


class MirroredDecoder(MirroredModel):
    """One whose states are no pictures: D ↦ F D F."""

    @property
    def image_shape(self) -> tuple[int, ...]:
        return self.model.image_shape

    def decode(self, state: State) -> Image:
        return flip(self.model.decode(flip(state)))

    def encode(self, image: Image) -> State:
        return flip(self.model.encode(flip(image)))


def mirrored_model(model: ScoreModel) -> ScoreModel:
    """The model that sees every state flipped."""
    in_pixels = not model.has_decoder
    return MirroredModel(model) if in_pixels else MirroredDecoder(model)


class MirroredClassifier(NoisyClassifier):
    """x ↦ p(c | F x)."""

    def __init__(self, classifier: NoisyClassifier) -> None:
        super().__init__()
        self.classifier, self.num_classes = classifier, classifier.num_classes

    def log_prob(self, x_t: State, level: NoiseLevel, labels: Tensor) -> PerSample:
        return self.classifier.log_prob(flip(x_t), level, labels)


class MirroredDiscriminator(Discriminator):
    """x ↦ d(F x)."""

    def __init__(self, discriminator: Discriminator) -> None:
        super().__init__()
        self.discriminator, self.shape = discriminator, discriminator.shape

    def logit(self, x_t: State, level: NoiseLevel, condition: Condition | None = None) -> PerSample:
        return self.discriminator.logit(flip(x_t), level, condition)


def mirrored_combiner(combiner: PredictionCombiner) -> PredictionCombiner | None:
    """The combiner whose networks see every state flipped; None for one from outside that has networks."""
    if isinstance(combiner, Autoguidance):
        return replace(combiner, guide=mirrored_model(combiner.guide))
    if isinstance(combiner, ClassifierGuidance):
        return replace(combiner, classifier=MirroredClassifier(combiner.classifier))
    if isinstance(combiner, DiscriminatorGuidance):
        return replace(combiner, discriminator=MirroredDiscriminator(combiner.discriminator))
    return None if combiner.networks() else combiner


class MirroredOperator(Operator):
    """A F."""

    def __init__(self, of: Operator) -> None:
        self.of = of

    def forward(self, x: Image) -> Tensor:
        return self.of.forward(flip(x))

    def parameters(self) -> dict[str, Tensor]:
        return self.of.parameters()

    def norm(self, y: Tensor) -> PerSample:
        return self.of.norm(y)


class MirroredLinear(MirroredOperator, LinearOperator):
    """A F, (A F)ᵀ = F Aᵀ and (A F)⁺ = F A⁺; A F (A F)ᵀ is A Aᵀ."""

    of: LinearOperator

    def adjoint(self, y: Tensor) -> Image:
        return flip(self.of.adjoint(y))

    def pseudo_inverse(self, y: Tensor) -> Image:
        return flip(self.of.pseudo_inverse(y))

    def regularised_inverse(self, y: Tensor, scale: float, shift: float) -> Tensor:
        return self.of.regularised_inverse(y, scale, shift)


class MirroredSpectral(MirroredLinear, SpectralOperator):
    """U diag(s) (F V)ᵀ."""

    of: SpectralOperator

    def singular_values(self, like: Tensor) -> Tensor:
        return self.of.singular_values(like)

    def u(self, coefficients: Tensor, /) -> Tensor:
        return self.of.u(coefficients)

    def u_adjoint(self, y: Tensor, /) -> Tensor:
        return self.of.u_adjoint(y)

    def v(self, coefficients: Tensor, /) -> Image:
        return flip(self.of.v(coefficients))

    def v_adjoint(self, x: Image, /) -> Tensor:
        return self.of.v_adjoint(flip(x))


def mirrored_operator(operator: Operator) -> Operator:
    """A F, with as much linear algebra as A has."""
    if isinstance(operator, SpectralOperator):
        return MirroredSpectral(operator)
    return MirroredLinear(operator) if isinstance(operator, LinearOperator) else MirroredOperator(operator)


def mirrored_task(task: Task) -> Task:
    """The task that flips every image back before it looks at it; of the same class, with the same settings."""
    kind = type(task)

    def measure(self, examples: Examples, streams: NoiseStreams) -> Measurement:
        measurement = kind.measure(self, Examples(flip(examples.images)), streams)
        return replace(measurement, operator=mirrored_operator(measurement.operator))

    def loss(self, clean_estimate: Image, measurement: Measurement) -> PerSample:
        assert isinstance(measurement.operator, MirroredOperator)
        return kind.loss(self, flip(clean_estimate), replace(measurement, operator=measurement.operator.of))

    twin = object.__new__(type(kind.__name__, (kind,), {"measure": measure, "loss": loss}))
    twin.__dict__.update(task.__dict__)
    return twin


def mirrored_case(case: Case) -> Case | None:
    """The case seen in the mirror, or None where its combiner cannot be mirrored."""
    combiner = mirrored_combiner(case.combining.of(case.model))
    if combiner is None:
        return None
    combining = replace(case.combining, of=lambda model: combiner)
    return replace(case, model=mirrored_model(case.model), task=mirrored_task(case.task), combining=combining)
