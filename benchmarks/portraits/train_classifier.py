"""Train one of the portraits' two classifiers on freshly rendered pictures, calibrate it, and say how good it is.

    python -m benchmarks.portraits.train_classifier --role guide --out runs/guide

Every epoch ends with a checkpoint; started again with the same folder, the training goes on from there, to the same
weights as without the break: it ends with its epochs and not with its time, so that its loop is its own and not
`learning.learn`. Writes `classifier_<role>.safetensors` and `classifier_<role>.json`.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from dsg.data.portraits import CLASSES, HELD_OUT_START
from dsg.metrics.calibration import Judged
from dsg.models.portraits.classifier import build_parts
from dsg.models.portraits.network import save_weights

from .augment import augment
from .calibration import best_temperature
from .pictures import Pictures

# seed, first training picture, and how soft and noisy the pictures get: the guide has to read early clean estimates
ROLES = {"guide": (1, 400_000, 8, 0.4), "judge": (2, 500_000, 32, 0.1)}
CALIBRATION_START = 600_000  # neither role trains on these
EVALUATION_START = HELD_OUT_START + 500_000
BATCH = 64
WARM_UP = 200  # steps


class Unfinished(nn.Module):
    """The network in training, under the names that PortraitsClassifier loads."""

    def __init__(self, role) -> None:
        super().__init__()
        self.body, self.head = build_parts(role)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.body(images))


def pictures(first: int, count: int) -> tuple[Tensor, Tensor]:
    """Portraits first..first+count-1: uint8 (N,3,64,64), and labels (N,) int64."""
    images, labels = Pictures(first, count).collect()
    return torch.from_numpy(images), torch.from_numpy(labels).long()


def as_images(levels: Tensor) -> Tensor:
    return (levels.float() / 127.5 - 1.0).contiguous(memory_format=torch.channels_last)


def train_epoch(network, optimizer, images, labels, epoch, options) -> float:
    """One pass over the pictures; its randomness depends on the role and the epoch alone. Returns the mean loss."""
    seed, _, softest, noisiest = ROLES[options.role]
    generator = torch.Generator().manual_seed(1000 * seed + epoch)
    network.train()
    batches = torch.randperm(len(images), generator=generator).split(BATCH)
    total = 0.0
    for i, pick in enumerate(batches):
        step, last = epoch * len(batches) + i, options.epochs * len(batches)
        rate = options.lr * min(1.0, (step + 1) / WARM_UP) * 0.5 * (1.0 + math.cos(math.pi * step / last))
        for group in optimizer.param_groups:
            group["lr"] = rate
        seen = augment(as_images(images[pick]), generator, softest, noisiest)
        loss = cross_entropy(network(seen), labels[pick])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total / len(batches)


@torch.no_grad()
def logits_of(network: nn.Module, images: Tensor) -> Tensor:
    network.eval()
    return torch.cat([network(as_images(part)) for part in images.split(250)])


def evaluation(network: nn.Module, count: int) -> dict:
    """Accuracy and calibration on `count` held-out portraits, as they are."""
    images, labels = pictures(EVALUATION_START, count)
    logits = logits_of(network, images)
    right = logits.argmax(dim=1) == labels
    return {
        "accuracy": round(right.double().mean().item(), 4),
        "expected_calibration_error": round(Judged.of_logits(logits, labels).calibration_error, 4),
        "negative_log_likelihood": round(cross_entropy(logits, labels).item(), 4),
        "class_accuracy": {
            name: round(right[labels == label].double().mean().item(), 4) for label, name in enumerate(CLASSES)
        },
        "pictures": f"{count} held-out portraits from {EVALUATION_START} on",
    }


def train(options: argparse.Namespace) -> None:
    seed, first, *_ = ROLES[options.role]
    options.out.mkdir(parents=True, exist_ok=True)
    images, labels = pictures(first, options.pictures)
    torch.manual_seed(seed)
    network = Unfinished(options.role).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    optimizer = torch.optim.AdamW(network.parameters(), options.lr, weight_decay=0.02)
    checkpoint = options.out / "checkpoint.pt"
    done, spent = 0, 0.0
    if checkpoint.exists():
        saved = torch.load(checkpoint, map_location="cpu", weights_only=True)
        network.load_state_dict(saved["network"])
        optimizer.load_state_dict(saved["optimizer"])
        done, spent = saved["epochs"], saved["seconds"]
    for epoch in range(done, options.epochs):
        began = time.monotonic()
        loss = train_epoch(network, optimizer, images, labels, epoch, options)
        spent += time.monotonic() - began
        state = {"network": network.state_dict(), "optimizer": optimizer.state_dict()}
        torch.save({**state, "epochs": epoch + 1, "seconds": spent}, checkpoint.with_suffix(".tmp"))
        checkpoint.with_suffix(".tmp").replace(checkpoint)
        print(f"epoch {epoch + 1} of {options.epochs}: loss {loss:.4f}, {spent:.0f} s", flush=True)

    unseen, answers = pictures(CALIBRATION_START, options.evaluation_pictures)
    temperature = best_temperature(logits_of(network, unseen), answers)
    # the last layer is linear, so that dividing it is dividing the logits
    state = {k: v / temperature if k.startswith("head.") else v for k, v in network.state_dict().items()}
    file = options.out / f"classifier_{options.role}.safetensors"
    save_weights(state, file)
    network.load_state_dict({name: weight.half().float() for name, weight in state.items()})
    trained = {"pictures": options.pictures, "epochs": options.epochs, "seconds": round(spent)}
    figures = evaluation(network, options.evaluation_pictures)
    result = {**figures, "temperature": round(temperature, 3), "training": trained}
    file.with_suffix(".json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--role", choices=list(ROLES), required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder of checkpoint.pt and of what comes out")
    parser.add_argument("--pictures", type=int, default=24_000, help="training pictures")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--evaluation_pictures", type=int, default=4000, help="to calibrate, and as many to test")
    train(parser.parse_args())


if __name__ == "__main__":
    main()
