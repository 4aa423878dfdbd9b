"""ADM: the pixel-space networks of guided-diffusion (Dhariwal & Nichol 2021), from their published checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from dsg.diffusion.condition import Condition
from dsg.diffusion.level import NoiseLevel
from dsg.diffusion.prediction import Prediction
from dsg.diffusion.schedule import NoiseSchedule
from dsg.models.adm.convert import load_adm
from dsg.models.adm.network import NUM_CLASSES, ADMOptions, build_adm_network
from dsg.models.base import ScoreModel
from dsg.models.engines import Engine, Plain
from dsg.models.labels import labels_for
from dsg.models.prediction_types import check_prediction_type, read_output
from dsg.types import State

_TRAINED_WITH = NoiseSchedule("linear", 1000, 1e-4, 2e-2)


class ADM(ScoreModel):
    """A guided-diffusion checkpoint (`ffhq_10m.pt`, `256x256_diffusion_uncond.pt`, ...), converted exactly.

        (ε_θ, v_θ) = U-Net(x_t, t),   state (3, n, n) with values in [−1, 1]

    Dhariwal & Nichol 2021, "Diffusion models beat GANs on image synthesis"; v_θ is eq. 15 of Nichol & Dhariwal 2021.
    The options are guided-diffusion's own. The FFHQ network of Choi et al. 2021 (`ffhq_10m.pt`) has the defaults;
    OpenAI's ImageNet-256 networks have num_channels 256, num_res_blocks 2 and attention_resolutions "32,16,8".

    Args:
        checkpoint: file with the state dict under guided-diffusion's names (.pt or .safetensors), alone or among what a
            training kept with it; of weights and their average, the average.
        image_size: height and width n of the images, in pixels.
        num_channels: base width of the network.
        num_res_blocks: residual blocks per resolution.
        channel_mult: width of each resolution as a multiple of `num_channels`, finest first, as text ("1,1,2,2,4,4");
            "" is the default of the image size (512, 256, 128 or 64).
        learn_sigma: the network also predicts the range v of the reverse variance (six output channels).
        class_cond: the network is conditional on the 1000 ImageNet classes, and always needs a class.
        attention_resolutions: sizes in pixels at which there is attention, as text ("32,16,8").
        num_heads: attention heads, where num_head_channels is −1.
        num_head_channels: width of an attention head; −1 fixes the number of heads instead.
        num_heads_upsample: attention heads on the way up where num_head_channels is −1; −1 is as on the way down.
        use_scale_shift_norm: the timestep scales and shifts the norms, instead of being added.
        dropout: of the training; a frozen network drops nothing.
        resblock_updown: residual blocks change the resolution, instead of plain convolutions.
        use_new_attention_order: rows of the attention's matrix are ordered (qkv, head) instead of (head, qkv).
        schedule: what the network was trained with; null is linear, 1e-4 to 2e-2 over 1000.
        rescale_timesteps: the network was trained on t·1000/T instead of t; the same at T = 1000.
        engine: how the network is run, of dsg.models.engines; null is Plain: as it is, in the Trainer's precision.

    Raises:
        UserError: if the checkpoint is missing, damaged, holds code, or does not fit the options to the last name;
            it says which options the weights ask for, as far as names and shapes tell.
    """

    def __init__(
        self,
        checkpoint: str,
        image_size: int = 256,
        num_channels: int = 128,
        num_res_blocks: int = 1,
        channel_mult: str = "",
        learn_sigma: bool = True,
        class_cond: bool = False,
        attention_resolutions: str = "16",
        num_heads: int = 4,
        num_head_channels: int = 64,
        num_heads_upsample: int = -1,
        use_scale_shift_norm: bool = True,
        dropout: float = 0.0,
        resblock_updown: bool = True,
        use_new_attention_order: bool = False,
        schedule: NoiseSchedule | None = None,
        rescale_timesteps: bool = False,
        engine: Engine | None = None,
    ) -> None:
        super().__init__()
        options = ADMOptions(
            image_size=image_size,
            num_channels=num_channels,
            num_res_blocks=num_res_blocks,
            channel_mult=channel_mult,
            learn_sigma=learn_sigma,
            class_cond=class_cond,
            attention_resolutions=attention_resolutions,
            num_heads=num_heads,
            num_head_channels=num_head_channels,
            num_heads_upsample=num_heads_upsample,
            use_scale_shift_norm=use_scale_shift_norm,
            dropout=dropout,
            resblock_updown=resblock_updown,
            use_new_attention_order=use_new_attention_order,
        )
        with torch.device("meta"):  # no weight exists until the checkpoint gives it
            network = build_adm_network(options)
        schedule = schedule or _TRAINED_WITH
        weight_files = load_adm(network, options, schedule, checkpoint)
        self._hold(network, options, schedule, rescale_timesteps, engine)
        self.weight_files = weight_files

    @classmethod
    def random(
        cls,
        schedule: NoiseSchedule | None = None,
        rescale_timesteps: bool = False,
        engine: Engine | None = None,
        **options: Any,
    ) -> ADM:
        """A network that has learned nothing, for tests and benchmarks; `options` are the fields of `ADMOptions`."""
        model = cls.__new__(cls)
        nn.Module.__init__(model)
        adm_options = ADMOptions(**options)
        model._hold(build_adm_network(adm_options), adm_options, schedule, rescale_timesteps, engine)
        return model

    def _hold(
        self,
        network: nn.Module,
        options: ADMOptions,
        schedule: NoiseSchedule | None,
        rescale_timesteps: bool,
        engine: Engine | None,
    ) -> None:
        self.engine = engine or Plain()
        self.network = self.engine.prepare(network)
        self.schedule = schedule or _TRAINED_WITH
        check_prediction_type("epsilon", self.schedule)
        self.clean_range = (-1.0, 1.0)
        self.shape = (3, options.image_size, options.image_size)
        self.num_classes = NUM_CLASSES if options.class_cond else None
        self.learns_variance, self.predicts = options.learn_sigma, "epsilon"
        self.time_scale = 1000 / len(self.schedule) if rescale_timesteps else 1.0
        self.freeze()

    def notes(self, columns: frozenset[str], leads_away: bool) -> Sequence[str]:
        return (*super().notes(columns, leads_away), *self.engine.notes(self.network))

    def forward(self, x_t: State, level: NoiseLevel, condition: Condition | None = None) -> Prediction:
        labels = labels_for(x_t, condition, self.num_classes)
        output = self.engine.call(self.network, x_t, level.t * self.time_scale, labels)
        return read_output(output, x_t, level, "epsilon", self.learns_variance)
