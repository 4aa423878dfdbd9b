"""Train the judge of captions on freshly rendered pictures, calibrate it, and say how good it is.

    python -m benchmarks.portraits.train_attribute_judge --out runs/attribute_judge

A checkpoint is written every two minutes; started again with the same folder, the training goes on from there. Writes
`attribute_judge.safetensors`, `attribute_judge.json` and `log_attribute_judge.csv`. Each fact is learned from the
pictures in which it is clear.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from dsg.data.portraits import HELD_OUT_START
from dsg.data.portraits.attributes import draw_traits
from dsg.data.portraits.facts import facts
from dsg.models.portraits.attribute_judge import CHOICES, answers, build_parts, indices
from dsg.models.portraits.network import save_weights

from .augment import augment
from .cache import cached_pictures
from .calibration import best_temperature
from .latents import as_images
from .learning import learn
from .replicas import Replicas
from .timed import Timed

TRAINING_START, CALIBRATION_START = 700_000, 800_000  # no other training sees these
EVALUATION_START = HELD_OUT_START + 800_000
BATCH, SOFTEST, NOISIEST = 64, 48, 0.04
WEIGHT = {"smile": 4.0, "beard": 2.0, "hair": 2.0, "place": 2.0, "light": 2.0}  # of what takes longest to learn
SAVE_EVERY = 120.0


class Unfinished(nn.Module):
    """The network in training, under the names that AttributeJudge loads."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.heads = build_parts()

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return answers(self.body, self.heads, images)


def told_of(index: int) -> dict[str, str]:
    """What is to be answered of a portrait. Age is told where it is plain, young too."""
    traits = draw_traits(index)
    told = facts(traits)
    return {**told, "age": "not old"} if traits.age < 0.6 else told


def examples(folder: Path, first: int, count: int) -> tuple[Tensor, dict[str, Tensor]]:
    """Portraits first..first+count-1, uint8 (N,3,64,64), and what is to be answered of them."""
    pictures = torch.from_numpy(cached_pictures(folder, first, count))
    return pictures, indices([told_of(index) for index in range(first, first + count)])


def judge_loss(logits: dict[str, Tensor], answer: dict[str, Tensor]) -> Tensor:
    """Weighted sum over facts of the mean cross-entropy, over the pictures where the fact is clear."""
    clear = {name: values for name, values in answer.items() if (values >= 0).any()}
    losses = {name: cross_entropy(logits[name], values, ignore_index=-1) for name, values in clear.items()}
    return torch.stack([WEIGHT.get(name, 1.0) * loss for name, loss in losses.items()]).sum()


@torch.no_grad()
def logits_of(network: nn.Module, pictures: Tensor) -> dict[str, Tensor]:
    network.eval()
    parts = [network(as_images(part)) for part in pictures.split(250)]
    return {name: torch.cat([part[name] for part in parts]) for name in CHOICES}


@torch.no_grad()
def calibrate(network: Unfinished, pictures: Tensor, answer: dict[str, Tensor]) -> None:
    """Divide each head by its temperature: it is linear, so that dividing it is dividing the logits."""
    for name, logits in logits_of(network, pictures).items():
        clear = answer[name] >= 0
        temperature = best_temperature(logits[clear], answer[name][clear])
        for weight in network.heads[name].parameters():
            weight /= temperature


def accuracy(network: nn.Module, pictures: Tensor, answer: dict[str, Tensor]) -> dict[str, float]:
    """The share of right answers of each fact, where it is clear."""
    right = {name: logits.argmax(1) == answer[name] for name, logits in logits_of(network, pictures).items()}
    return {name: round(float(hits[answer[name] >= 0].double().mean()), 4) for name, hits in right.items()}


def train(options: argparse.Namespace) -> None:
    device = torch.device("cpu")
    run = Timed(options.out, "attribute_judge", options.time_limit, options.lr, Replicas(device))
    pictures, answer = examples(options.pictures, TRAINING_START, options.count)
    torch.manual_seed(run.step)
    network = Unfinished()
    network.load_state_dict(run.saved.get("network", network.state_dict()))
    optimizer = torch.optim.AdamW(network.parameters(), options.lr, weight_decay=0.02, fused=True)
    if "optimizer" in run.saved:
        optimizer.load_state_dict(run.saved["optimizer"])
    generator = torch.Generator().manual_seed(run.step)
    network.train()

    def next_loss() -> Tensor:
        pick = torch.randint(len(pictures), (BATCH,), generator=generator)
        seen = augment(as_images(pictures[pick]), generator, SOFTEST, NOISIEST, mirror=False)
        return judge_loss(network(seen), {name: values[pick] for name, values in answer.items()})

    state = lambda: {"network": network.state_dict(), "optimizer": optimizer.state_dict()}  # noqa: E731
    learn(run, optimizer, next_loss, state=state, save_every=SAVE_EVERY, largest_norm=None)
    run.save(state())

    calibrate(network, *examples(options.pictures, CALIBRATION_START, options.evaluation_pictures))
    weights = network.state_dict()
    save_weights(weights, options.out / "attribute_judge.safetensors")
    network.load_state_dict({name: weight.half().float() for name, weight in weights.items()})
    held_out = examples(options.pictures, EVALUATION_START, options.evaluation_pictures)
    result = {
        "accuracy": accuracy(network, *held_out),
        "clear_in": {name: int((values >= 0).sum()) for name, values in held_out[1].items()},
        "pictures": f"{options.evaluation_pictures} held-out portraits from {EVALUATION_START} on",
        "training": {"pictures": options.count, "steps": run.step, "seconds": round(run.seconds)},
    }
    (options.out / "attribute_judge.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of checkpoint.pt and of what comes out")
    parser.add_argument("--pictures", type=Path, default=Path("runs/pictures"), help="folder of rendered pictures")
    parser.add_argument("--count", type=int, default=30_000, help="training pictures")
    parser.add_argument("--time_limit", type=float, default=600.0, help="seconds of training, all starts together")
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--evaluation_pictures", type=int, default=4000, help="to calibrate, and as many to test")
    train(parser.parse_args())


if __name__ == "__main__":
    main()
