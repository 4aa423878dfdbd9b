"""Train one of the portraits' twins on pictures rendered for its role, and say how good it is.

    python -m benchmarks.portraits.train_twins --kind identity --role guide --out runs/identity_guide

A checkpoint is written every minute; started again with the same folder, the training goes on from there. Writes
`<kind>_<role>.safetensors`, `<kind>_<role>.json` and `log_<kind>_<role>.csv`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from dsg.data.portraits import HELD_OUT_START
from dsg.models.portraits.network import save_weights
from dsg.models.portraits.twin import Role

from .learning import learn
from .lessons import LESSONS
from .lessons.base import MANNERS, Lesson
from .replicas import Replicas
from .timed import Timed
from .truths import cached_truths

FIRST: dict[Role, int] = {"guide": 820_000, "judge": 900_000}  # no other training sees these
EVALUATION_START = HELD_OUT_START + 900_000
SAVE_EVERY, WARM_UP = 60.0, 100


def train(options: argparse.Namespace) -> None:
    name = f"{options.kind}_{options.role}"
    seed = MANNERS[options.role][0]
    truths = cached_truths(options.pictures, FIRST[options.role], options.people, options.variations)
    torch.manual_seed(seed)
    lesson: Lesson = LESSONS[options.kind](options.role, truths)
    run = Timed(options.out, name, options.time_limit, options.lr, Replicas(torch.device("cpu")), WARM_UP)
    lesson.load_state_dict(run.saved.get("lesson", lesson.state_dict()))
    optimizer = torch.optim.AdamW(lesson.parameters(), options.lr, weight_decay=0.02, fused=True)
    if "optimizer" in run.saved:
        optimizer.load_state_dict(run.saved["optimizer"])
    generator = torch.Generator().manual_seed(1_000_000 * seed + run.step)
    lesson.train()
    state = lambda: {"lesson": lesson.state_dict(), "optimizer": optimizer.state_dict()}  # noqa: E731
    learn(run, optimizer, lambda: lesson.loss(generator), state=state, save_every=SAVE_EVERY, largest_norm=5.0)
    run.save(state())

    file = options.out / f"{name}.safetensors"
    weights = lesson.network.state_dict()
    save_weights(weights, file)
    result = {
        **lesson.quality(lesson.twin(options.role, str(file)), held_out(options)),
        "pictures": f"{3 * options.evaluation_people} held-out portraits from {EVALUATION_START} on",
        "parameters": sum(parameter.numel() for parameter in lesson.network.parameters()),
        "training": {"pictures": len(truths), "steps": run.step, "seconds": round(run.seconds)},
    }
    file.with_suffix(".json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


def held_out(options: argparse.Namespace):
    return cached_truths(options.pictures, EVALUATION_START, options.evaluation_people, 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=list(LESSONS), required=True)
    parser.add_argument("--role", choices=list(FIRST), required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder of checkpoint.pt and of what comes out")
    parser.add_argument("--pictures", type=Path, default=Path("runs/pictures"), help="folder of rendered pictures")
    parser.add_argument("--people", type=int, default=8000, help="in the training pictures")
    parser.add_argument("--variations", type=int, default=3, help="pictures of each of them")
    parser.add_argument("--time_limit", type=float, default=300.0, help="seconds of training, all starts together")
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--evaluation_people", type=int, default=600, help="held-out, in three pictures each")
    train(parser.parse_args())


if __name__ == "__main__":
    main()
