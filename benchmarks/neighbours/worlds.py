"""What the portraits' classifiers say of the world that they were trained on, and of worlds that they were not."""

from __future__ import annotations

import numpy as np
import torch

from benchmarks.experiments.findings import Check
from dsg.data.portraits import HELD_OUT_START, UNSEEN, render
from dsg.metrics.calibration import Judged, Shift
from dsg.metrics.statistics import Interval
from dsg.models.portraits.classifier import PortraitsClassifier

WORLDS: dict[str, tuple[str, ...]] = {"as trained": (), **{world: (world,) for world in UNSEEN}, "all three": UNSEEN}
FIRST = HELD_OUT_START + 700_000  # far beyond those of comparisons
HEADER = ["accuracy", "confidence", "ECE", "Δ (confidence − accuracy), 95 %", "Δ ECE, 95 %",
          "AUROC of the confidence, 95 %"]  # fmt: skip


def worlds(count: int) -> dict[str, dict[str, Judged]]:
    """Role of the classifier: world: what it says of `count` portraits, the same people in each."""
    found: dict[str, dict[str, Judged]] = {"guide": {}, "judge": {}}
    networks = {role: PortraitsClassifier(role) for role in ("guide", "judge")}
    for name, world in WORLDS.items():
        portraits = [render(FIRST + i, worlds=world) for i in range(count)]
        images = torch.from_numpy(np.stack([portrait.image for portrait in portraits]))
        labels = torch.tensor([portrait.label for portrait in portraits])
        for role, network in networks.items():
            with torch.no_grad():
                logits = torch.cat([network(part) for part in images.split(100)])
            found[role][name] = Judged.of_logits(logits, labels)
    return found


def of_worlds(found: dict[str, dict[str, Judged]], by_chance: float) -> tuple[list[list], list[Check]]:
    """Rows, and checks: `by_chance` is what confidence − accuracy of a calibrated classifier may be."""
    rows, checks = [], []
    for role, by_world in found.items():
        inside = by_world["as trained"]
        for name, judged in by_world.items():
            row = [f"{role}, {name}", judged.accuracy.mean, judged.confidence.mean, judged.calibration_error]
            if judged is inside:
                rows.append([*row, "–", "–", "–"])
                what = f"calibration, {role}, as trained: confidence − accuracy"
                checks.append(Check(what, judged.overconfidence.mean, 0.0, by_chance))
                continue
            shift = Shift.between(inside, judged)
            rows.append([*row, *map(_interval, (shift.overconfidence, shift.calibration_error, shift.auroc))])
            if name == "all three":
                what = f"calibration, {role} is surer in the world of its training: ½ − lower end of the AUROC"
                checks.append(Check(what, 0.5 - shift.auroc.low, 0.0, 0.0, below=True))
    return rows, checks


def _interval(found: Interval) -> str:
    return f"{found.mean:.3f} [{found.low:.3f}, {found.high:.3f}]"
