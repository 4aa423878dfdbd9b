"""Tiny pipelines of text with random weights, made by diffusers itself."""

from __future__ import annotations

from pathlib import Path

import torch

from tests.models.tiny_text import clip, save_clip_tokenizer, save_t5_tokenizer, t5


def stable_diffusion(root: Path, scheduler, seed: int = 0):
    """Version 1 or 2, as the scheduler says: latents 4x8x8, images 16x16. It is saved in `root`."""
    import diffusers

    torch.manual_seed(seed)
    unet = diffusers.UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(8, 16),
        layers_per_block=1,
        norm_num_groups=4,
        cross_attention_dim=8,
        attention_head_dim=2,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    )
    tokenizer = _tokenizer(root / "tokenizer", save_clip_tokenizer, "CLIPTokenizer")
    pipeline = diffusers.StableDiffusionPipeline(
        autoencoder(), clip(8), tokenizer, unet, scheduler, None, None, requires_safety_checker=False
    )
    return _saved(pipeline, root)


def stable_diffusion_3(root: Path, scheduler, with_t5: bool = True):
    """Latents 4x8x8, images 16x16. It is saved in `root`."""
    import diffusers

    torch.manual_seed(0)
    transformer = diffusers.SD3Transformer2DModel(
        sample_size=8,
        patch_size=2,
        in_channels=4,
        num_layers=2,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=16,
        caption_projection_dim=16,
        pooled_projection_dim=16,
        out_channels=4,
        pos_embed_max_size=8,
    )
    first, second = (_tokenizer(root / f"tokenizer{n}", save_clip_tokenizer, "CLIPTokenizer") for n in ("", "_2"))
    third = _tokenizer(root / "tokenizer_3", save_t5_tokenizer, "T5TokenizerFast") if with_t5 else None
    pipeline = diffusers.StableDiffusion3Pipeline(
        transformer, scheduler, autoencoder(shift_factor=0.1), clip(8, projected=True), first, clip(8, projected=True),
        second, t5(16) if with_t5 else None, third,
    )  # fmt: skip
    return _saved(pipeline, root)


def flux(root: Path, scheduler, guidance_embeds: bool = True):
    """Latents 4x8x8, images 16x16. It is saved in `root`."""
    import diffusers

    torch.manual_seed(0)
    transformer = diffusers.FluxTransformer2DModel(
        patch_size=1,
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=16,
        pooled_projection_dim=8,
        guidance_embeds=guidance_embeds,
        axes_dims_rope=(4, 2, 2),
    )
    first = _tokenizer(root / "tokenizer", save_clip_tokenizer, "CLIPTokenizer")
    second = _tokenizer(root / "tokenizer_2", save_t5_tokenizer, "T5TokenizerFast")
    pipeline = diffusers.FluxPipeline(
        scheduler, autoencoder(shift_factor=0.1), clip(8), first, t5(16), second, transformer
    )
    return _saved(pipeline, root)


def autoencoder(**options):
    """An `AutoencoderKL` of images 16x16 and latents 4x8x8, without the quantising layers if a shift is given."""
    import diffusers

    quantised = {} if not options else {"use_quant_conv": False, "use_post_quant_conv": False}
    return diffusers.AutoencoderKL(
        block_out_channels=(8, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
        norm_num_groups=4,
        sample_size=16,
        **quantised,
        **options,
    ).eval()


def _tokenizer(folder: Path, save, kind: str):
    import transformers

    save(folder)
    return getattr(transformers, kind).from_pretrained(str(folder))


def _saved(pipeline, root: Path):
    pipeline.save_pretrained(root)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline
