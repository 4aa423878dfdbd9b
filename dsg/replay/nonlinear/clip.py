"""Recorded losses of CLIP: the style of DSG, FreeDoM and DiffRGD, and FreeDoM's text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from dsg.data.examples import Examples
from dsg.diffusion.noise import NoiseStreams
from dsg.replay.nonlinear.read import Record, gradient
from dsg.replay.nonlinear.rule import Shapes, by_rule
from dsg.types import Image
from tasks import Style, Text
from tasks.features import Resize
from tasks.networks.clip import CLIP
from tasks.networks.layer import output_of

_BLOCKS = {"": 512, "visual.": 768}  # the widths of ViT-B/16's towers, of twelve blocks each


def clip(record: Record) -> CLIP:
    """ViT-B/16 in float64 with weights by the rule, under OpenAI's names."""
    shapes = record.shapes("clip_vit_b16") or published_shapes()
    return by_rule(nn.Module, CLIP, record.number("gain", 1.0), record.gains, shapes)


def style(record: Record) -> dict[str, Tensor]:
    """DSG's and FreeDoM's: after the third block; and by formula what it is after the second."""
    network = clip(record)
    image, reference = record.image(record.size(512)).requires_grad_(), record.reference(224)
    task = Style(network, 3)
    loss, y = _asked(task, image, reference)
    gram = task.network(image)
    tokens = {f"block{n}": _with_class_token(network, image, n) for n in (1, 2, 3, _depth(network))}
    return {
        "image_input": network.prepared(image),
        "ref_input": network.prepared(reference),
        **{f"{name}_tokens_sub": told[0, ::28, ::4] for name, told in tokens.items()},
        **tokens,
        "image_embedding": network(image),
        "gram_image": gram,
        "gram_diff": gram - y,
        "loss": loss,
        "loss_after_block2_div100": _asked(Style(network, 2, 0.01), image, reference)[0],
        "grad": gradient(loss, image),
    }


def style_block2(record: Record) -> dict[str, Tensor]:
    """DiffRGD's: after the second block, a hundredth, of clamped pictures."""
    network, size = clip(record), record.size(512)
    image, reference = record.image(size).clamp(-1, 1).requires_grad_(), Resize(size)(record.reference(None))
    loss, _ = _asked(Style(network, 2, 0.01), image, reference)
    return {
        "image_input": network.prepared(image),
        "ref_input": network.prepared(reference),
        "image_tokens_sub": network.tokens(image, 2)[0, ::28, ::4],
        "loss": loss,
        "grad": gradient(loss, image),
    }


def text(record: Record) -> dict[str, Tensor]:
    """FreeDoM's, of the first of the recorded texts; their tokens are taken as recorded."""
    network = OfTokens(clip(record), record["token_ids"])
    image = record.image(record.size(256)).requires_grad_()
    task = Text(network, prompt="0")
    asked = task.measure(Examples(image.detach()), NoiseStreams([]))
    loss = task.loss(image, asked)
    return {
        "image_input": network.clip.prepared(image),
        "image_embedding": network(image),
        "text_embeddings": network.text_features([str(row) for row in range(len(network.ids))]),
        "cosine": task.scores(image, asked)["text_score"],
        "loss": loss,
        "grad": gradient(loss, image),
    }


class OfTokens(nn.Module):
    """CLIP that hears recorded tokens: the text "0" is their first row."""

    def __init__(self, clip: CLIP, ids: Tensor) -> None:
        super().__init__()
        self.clip, self.ids = clip, ids

    def forward(self, images: Image) -> Tensor:
        return self.clip(images)

    def text_features(self, texts: list[str]) -> Tensor:
        return self.clip.features_of_tokens(self.ids[[int(row) for row in texts]])


def published_shapes() -> Shapes:
    """The names and shapes of OpenAI's state dict of ViT-B/16, in its order."""
    found: dict[str, tuple[int, ...]] = {"positional_embedding": (77, 512), "text_projection": (512, 512)}
    found |= {"logit_scale": (), "visual.class_embedding": (768,), "visual.positional_embedding": (197, 768)}
    found |= {"visual.proj": (768, 512), "visual.conv1.weight": (768, 3, 16, 16), **_norm("visual.ln_pre", 768)}
    for tower in ("visual.", ""):
        for block in range(12):
            found |= _block(f"{tower}transformer.resblocks.{block}", _BLOCKS[tower])
        found |= _norm("visual.ln_post", 768) if tower else {}
    return found | {"token_embedding.weight": (49408, 512), **_norm("ln_final", 512)}


def _block(name: str, width: int) -> dict[str, tuple[int, ...]]:
    found = {f"{name}.attn.in_proj_weight": (3 * width, width), f"{name}.attn.in_proj_bias": (3 * width,)}
    found |= _linear(f"{name}.attn.out_proj", width, width) | _norm(f"{name}.ln_1", width)
    found |= _linear(f"{name}.mlp.c_fc", width, 4 * width) | _linear(f"{name}.mlp.c_proj", 4 * width, width)
    return found | _norm(f"{name}.ln_2", width)


def _linear(name: str, into: int, out: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (out, into), f"{name}.bias": (out,)}


def _norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _depth(network: CLIP) -> int:
    vision: Any = network.network.vision_model
    return len(vision.encoder.layers)


def _with_class_token(network: CLIP, image: Image, blocks: int) -> Tensor:
    vision: Any = network.network.vision_model
    return output_of(vision.encoder.layers[blocks - 1], vision, network.prepared(image))


def _asked(task: Style, image: Image, reference: Image) -> tuple[Tensor, Tensor]:
    """The loss of an image, and the Gram matrix that was asked of it."""
    asked = task.measure(Examples(reference), NoiseStreams([]))
    return task.loss(image, asked), asked.y


CLIPS: Mapping[str, Callable[[Record], Mapping[str, Tensor]]] = {
    "clip_style": style,
    "clip_style_block2": style_block2,
    "clip_text": text,
}
