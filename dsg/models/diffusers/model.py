"""Networks of pictures in the folder layout of `diffusers`, from disk or from the Hugging Face hub."""

from __future__ import annotations

from dsg.models.diffusers.files import find_pipeline
from dsg.models.diffusers.unet_score import UNetScore
from dsg.models.engines import Engine


class DiffusersModel(UNetScore):
    """A pixel-space `UNet2DModel` with its scheduler's process, e.g. `google/ddpm-celebahq-256`.

    The process is a table of betas, as of DDPM and DDIM; flow matching; or the variance-exploding one of a network with
    Fourier features of its time.

    The folder is a pipeline (`unet/`, `scheduler/`), a checkpoint of a training (`unet_ema/` goes before `unet/`), or
    the network's own, with `scheduler_config.json` in it or up to two folders above. Schedule, kind of prediction, size
    and classes are read from there. Weights are `.safetensors`, else a `.bin` that holds no code, whole or in shards,
    of any precision; they are run in the Trainer's.

    Args:
        path: folder on disk, file of weights with `config.json` beside it, or name on the hub (owner/name), which is
            downloaded once into the hub's own cache; or a model's folder in such a cache.
        null_class: the label that means "no class" in a network trained with dropped labels; null if there is none.
        engine: how the network is run, of dsg.models.engines; null is Plain: as it is, in the Trainer's precision.
        variant: of the weights, as `fp16` of diffusion_pytorch_model.fp16.safetensors; null is the one without a name,
            or the only one.
        revision: of a hub name: the full commit, which is taken from the cache without asking if it is there, or a
            tag or branch; null is the newest.
        num_classes: how many labels there are, where the configuration cannot say it (class_embed_type `timestep`).

    Raises:
        UserError: if there is no such folder or repository, a file of it is missing, the weights do not fit to the last
            name, or it is told of more than classes, or its process is another one.
    """

    def __init__(
        self,
        path: str,
        null_class: int | None = None,
        engine: Engine | None = None,
        variant: str | None = None,
        revision: str | None = None,
        num_classes: int | None = None,
    ) -> None:
        files = find_pipeline(path, variant, revision)
        super().__init__(files.network, files.scheduler_config, null_class, engine, num_classes)
