"""Examples without images, from the data to the run folder."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from dsg.data.base import EvaluationData
from dsg.data.examples import Example

MODEL = ("--data", f"{__name__}.Prompts", "--data.batch_size", 2, "--model.steps", 2)


class Prompts(EvaluationData):
    """Texts alone."""

    def image_ids(self) -> Sequence[str]:
        return ["cat", "dog", "owl"]

    def columns(self) -> frozenset[str]:
        return frozenset({"prompt"})

    def load(self, image_id: str) -> Example:
        return Example(None, {"prompt": f"a {image_id}"})


def test_a_task_that_needs_no_image_is_evaluated_without_one(evaluate, tmp_path):
    assert evaluate(*MODEL, "--model.task", "tasks.Generation", "--model.guidance", "dsg.guidance.Unguided") == 0
    assert sorted(p.name for p in (tmp_path / "run" / "samples").iterdir()) == ["cat.png", "dog.png", "owl.png"]
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())["metrics"]
    assert metrics["nfe_forward"]["n"] == 3
    assert "psnr" not in metrics


@pytest.mark.parametrize("task", ["tasks.RandomInpainting", "tasks.Denoising"])
def test_a_task_that_measures_the_image_is_refused(evaluate, capsys, task):
    assert evaluate(*MODEL, "--model.task", task) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{task.split('.')[1]} needs image of every example, and the data has prompt" in line
