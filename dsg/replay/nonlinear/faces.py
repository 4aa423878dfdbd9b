"""Recorded losses of faces: identity, parts, sketch and landmarks; and Universal Guidance's segmentation."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from dsg.data.examples import Examples
from dsg.diffusion.noise import NoiseStreams
from dsg.replay.nonlinear.bilinear8 import bgr_crop
from dsg.replay.nonlinear.read import Record, gradient
from dsg.replay.nonlinear.rule import by_rule
from dsg.types import Image
from tasks import FeatureTask, Landmarks
from tasks.base import Measurement
from tasks.features import IMAGENET, CrossEntropy, Norm, Prepared, Resize
from tasks.features.face_box import window_of
from tasks.networks import lraspp
from tasks.networks.anime2sketch import Anime2Sketch, SketchUNet
from tasks.networks.arcface import IRSE, ArcFace
from tasks.networks.bisenet import CLASSES, BiSeNet, FaceParsing
from tasks.networks.mobilefacenet import LandmarkNet, MobileFaceNet


def arcface(record: Record) -> dict[str, Tensor]:
    """Face identity of DSG and FreeDoM."""
    network = by_rule(IRSE, ArcFace, record.number("gain", 1.0), record.gains, record.shapes("arcface_ir_se50"))
    image, reference = record.image(record.size(256)).requires_grad_(), record.reference(256)
    loss, asked = _asked(FeatureTask(network), image, reference)
    return {
        "image_pooled": network.prepared(image),
        "ref_pooled": network.prepared(reference),
        "image_embedding": network(image),
        "ref_embedding": asked.y,
        "loss": loss,
        "grad": gradient(loss, image),
    }


def bisenet(record: Record) -> dict[str, Tensor]:
    """Parts of faces: FreeDoM's norm of logits, and DiffRGD's cross-entropy."""
    network = by_rule(FaceParsing, BiSeNet, record.number("gain", 1.0), record.gains, record.shapes("bisenet"))
    return {**_freedom_parts(record, network), **_rgd_parts(record, network)}


def _freedom_parts(record: Record, network: BiSeNet) -> dict[str, Tensor]:
    image, reference = record.image(record.size(256)).requires_grad_(), record.reference(512)
    assert isinstance(network.network, FaceParsing)
    logits, at_eighth, at_sixteenth = network.network.all_heads(network.prepared(image))
    loss, asked = _asked(FeatureTask(network, Norm()), image, reference)
    return {
        "image_input": network.prepared(image),
        "ref_input": network.prepared(reference),
        "image_logits": logits,
        "image_logits16": at_eighth,
        "image_logits32": at_sixteenth,
        "ref_logits": asked.y,
        "freedom_loss": loss,
        "freedom_grad": gradient(loss, image),
    }


def _rgd_parts(record: Record, freedom: BiSeNet) -> dict[str, Tensor]:
    network = Prepared(freedom.network, (Resize(512), IMAGENET))
    image = record.image(record.size(256)).requires_grad_()
    reference = Resize(256)(record.reference(None))
    loss, asked = _asked(FeatureTask(network, CrossEntropy()), image, reference)
    return {
        "rgd_image_input": network.prepared(image),
        "rgd_ref_input": network.prepared(reference),
        "rgd_image_logits": network(image),
        "rgd_ref_argmax": asked.y[..., ::4, ::4],
        "rgd_ref_class_counts": asked.y.flatten().bincount(minlength=CLASSES),
        "rgd_loss": loss,
        "rgd_grad": gradient(loss, image),
    }


def sketch(record: Record) -> dict[str, Tensor]:
    """FreeDoM's sketch."""
    network = by_rule(SketchUNet, Anime2Sketch, record.number("gain", 1.0), record.gains, record.shapes("sketch_netg"))
    image, reference = record.image(record.size(256)).requires_grad_(), record.reference(256)
    loss, asked = _asked(FeatureTask(network), image, reference)
    return {
        "ref_input": reference,
        "image_sketch": network(image),
        "ref_sketch": asked.y,
        "loss": loss,
        "grad": gradient(loss, image),
    }


def landmark(record: Record) -> dict[str, Tensor]:
    """FreeDoM's landmarks: of a picture, and of the reference's crop, whose channels its code reads in reverse."""
    network = by_rule(
        LandmarkNet, MobileFaceNet, record.number("gain", 1.0), record.gains, record.shapes("mobilefacenet68")
    )
    box = record["face_box"].tolist()
    window = window_of(box)
    image = record.image(record.size(256)).requires_grad_()
    task = Landmarks(network, face_box=box)
    operator = task.operator(Examples(image.detach()))
    crop = record["ref_crop_bgr_u8"].permute(2, 0, 1)[None].double() / 255
    reference, as_rgb = network.network(crop), network.network(crop.flip(1))
    loss = task.distance(operator.forward(image), task.distance.target(reference))
    return {
        "crop": torch.tensor([window.top, window.bottom, window.left, window.right]),
        "ref_crop_bgr_u8": bgr_crop(record.picture(), window),
        "image_input": network.prepared(image[..., window.top : window.bottom, window.left : window.right]),
        "image_landmarks": operator.forward(image),
        "ref_landmarks": reference,
        "ref_landmarks_if_rgb": as_rgb,
        "loss": loss,
        "grad": gradient(loss, image),
    }


def ugd_segmentation(record: Record) -> dict[str, Tensor]:
    """Universal Guidance's segmentation."""
    network = by_rule(
        lraspp.untrained, lraspp.LRASPP, record.number("gain", 1.0), record.gains,
        record.shapes("lraspp_mobilenet_v3_large"),
    )  # fmt: skip
    image, reference = record.image(record.size(512)).requires_grad_(), record.image(256, "ref64")
    task = FeatureTask(network, CrossEntropy())
    loss, asked = _asked(task, image, reference)
    ignored = asked.y.clone()
    ignored[:, :130] = 255
    return {
        "image_input": network.prepared(image),
        "ref_input": network.prepared(reference),
        "image_logits": network(image),
        "target": asked.y[..., ::4, ::4],
        "target_class_counts": asked.y.flatten().bincount(minlength=lraspp.CLASSES),
        "loss": loss,
        "loss_top130_ignored": task.distance(network(image), ignored),
        "grad": gradient(loss, image),
    }


def _asked(task: FeatureTask, image: Image, reference: Image) -> tuple[Tensor, Measurement]:
    """The loss of an image, and what was asked of it."""
    asked = task.measure(Examples(reference), NoiseStreams([]))
    return task.loss(image, asked), asked


FACES: Mapping[str, Callable[[Record], Mapping[str, Tensor]]] = {
    "arcface": arcface,
    "bisenet": bisenet,
    "landmark": landmark,
    "sketch": sketch,
    "ugd_segmentation": ugd_segmentation,
}
