"""What teaches a network of noisy states: the denoising loss, alone or with a regulariser that balances classes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Literal

import torch
from torch import Tensor

from dsg.diffusion.schedule import NoiseSchedule
from dsg.errors import UserError
from dsg.models.portraits.network import PREDICTION
from dsg.models.prediction_types import training_target

from .learning import mixed

Labels = Literal["prior", "uniform"]


class Loss(ABC):
    """Of a network (x_t (B, *shape), t (B,), labels (B,)) → v (B, *shape), over a schedule of T levels.

    Args:
        schedule: whose ā the states have.
    """

    def __init__(self, schedule: NoiseSchedule) -> None:
        self.alpha_bar = torch.from_numpy(schedule.alpha_bar).float()

    def __call__(self, network: Any, clean: Tensor, labels: Tensor, times: Tensor, noise: Tensor) -> Tensor:
        """The mean loss of a batch.

        Args:
            network: in training.
            clean: states (B, *shape).
            labels: (B,) int64, the null class among them.
            times: (B,) int64 in 0 ... T − 1.
            noise: (B, *shape) standard normal.
        """
        self.alpha_bar = self.alpha_bar.to(clean.device)
        share = self.alpha_bar[times].view(-1, *[1] * (clean.dim() - 1))
        noisy = share.sqrt() * clean + (1 - share).sqrt() * noise
        target = training_target(clean, noise, share, PREDICTION)
        snr = share / (1 - share)
        return self.of(network, noisy, labels, times, target, snr.clamp(max=5.0) / (snr + 1.0))

    @abstractmethod
    def of(self, network: Any, noisy: Tensor, labels: Tensor, times: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """The mean loss, with min-SNR weights w(t) (B, 1, ...) for v: those of ε, w = ā, where the SNR is at most 5."""


class Denoising(Loss):
    """w(t) |v_θ − v|², w = min(SNR, 5) / (SNR + 1): min-SNR weights (Hang et al. 2023) for v."""

    def of(self, network: Any, noisy: Tensor, labels: Tensor, times: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        return (weight * (_ask(network, noisy, times, labels) - target).square()).mean()


class ClassBalancing(Loss):
    """Qin et al. 2023 (2305.00562), algorithm 1, with t/T for its t as in the authors' code:

        |ε − h_y|² + τ (t/T) [|h_y − sg h_y'|² + γ |sg h_y − h_y'|²],   y' from q,   γ = ¼

    sg stops the gradient. h is ε there and v here, under the weights of `Denoising`: |ε − ε'|² = ā |v − v'|² at one
    x_t, so that the regulariser has its place beside the loss at every level. Pictures with the null class have no
    regulariser. A step takes two evaluations of the network, made as one of twice the batch.

    Args:
        schedule: whose ā the states have.
        counts: pictures of each class; the null class is the one behind the last.
        tau: τ ≥ 0; 0 is `Denoising`.
        labels: q: `prior` is the classes' shares, with which the paper trains from the start; `uniform` is what it
            fine-tunes with.
        back: γ ≥ 0, how far y' is drawn to y.
        seed: of y', which has a stream of its own, so that everything else is drawn as without the regulariser.

    Raises:
        UserError: for values outside these ranges, and a class without a picture.
    """

    def __init__(
        self, schedule: NoiseSchedule, counts: tuple[int, ...], tau: float = 1.0, labels: Labels = "prior",
        back: float = 0.25, seed: int = 0,
    ) -> None:  # fmt: skip
        super().__init__(schedule)
        if tau < 0.0 or back < 0.0:
            raise UserError(f"tau, back: must be at least 0, got {tau} and {back}")
        if labels not in ("prior", "uniform"):
            raise UserError(f"labels: must be prior or uniform, got {labels!r}")
        if min(counts) < 1:
            raise UserError(f"class {counts.index(min(counts))} has no picture; leave it out, or give it one")
        self.tau, self.back = tau, back
        self.q = torch.tensor(counts if labels == "prior" else [1] * len(counts), dtype=torch.float64)
        self._generator = torch.Generator().manual_seed(seed)

    def of(self, network: Any, noisy: Tensor, labels: Tensor, times: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        others = torch.multinomial(self.q, len(labels), replacement=True, generator=self._generator).to(labels)
        own, other = _ask(network, noisy.repeat(2, *[1] * (noisy.dim() - 1)), times.repeat(2),
                          torch.cat([labels, others])).chunk(2)  # fmt: skip
        pulled = (own - other.detach()).square() + self.back * (own.detach() - other).square()
        strength = self.tau * times.view_as(weight) / len(self.alpha_bar)
        strength = torch.where((labels < len(self.q)).view_as(weight), strength, 0.0)
        return (weight * ((own - target).square() + strength * pulled)).mean()


def _ask(network: Any, noisy: Tensor, times: Tensor, labels: Tensor) -> Tensor:
    with mixed(noisy.device):
        return network(noisy, times, labels).float()
