"""A sample depends on (seed, image id, sample number) and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from torch import Tensor

from dsg.data.base import EvaluationData
from dsg.data.examples import Example
from dsg.diffusion.kernels import DDIM
from dsg.guidance import DSG
from dsg.module import EvaluationDataModule, GuidedDiffusion
from tasks import RandomInpainting
from tests.toy import Toy

IDS = [f"image{i}" for i in range(9)]
Samples = dict[tuple[str, int], tuple[Tensor, Tensor, Tensor]]


class RandomImages(EvaluationData):
    """Images that depend on their id alone, in the order that `ids` names them."""

    def __init__(self, ids: Sequence[str] = IDS, **options) -> None:
        super().__init__(**options)
        self.ids = ids

    def image_ids(self) -> Sequence[str]:
        return self.ids

    def load(self, image_id: str) -> Example:
        return Example(torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(IDS.index(image_id))) * 2 - 1)


class Collect(Callback):
    """(id, sample number) → (mask, y, sample) of a whole predict run."""

    def __init__(self) -> None:
        self.found: Samples = {}

    def on_predict_batch_end(self, trainer, pl_module, outputs, batch, batch_idx, dataloader_idx=0) -> None:
        masks = outputs.measurement.operator.parameters()["mask"]
        for key, mask, y, x in zip(outputs.keys, masks, outputs.measurement.y, outputs.samples, strict=True):
            self.found[key.image_id, key.sample] = (mask, y, x)


def evaluate(data: EvaluationData, done: frozenset[tuple[str, int]] = frozenset()) -> Samples:
    module = GuidedDiffusion(Toy(16), RandomInpainting(), DSG(guidance_rate=0.2), DDIM(), steps=10)
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    collect = Collect()
    trainer = Trainer(accelerator="cpu", devices=1, inference_mode=False, callbacks=[collect], **quiet)
    trainer.predict(module, datamodule=EvaluationDataModule(data, done), return_predictions=False)
    return collect.found


@pytest.fixture(scope="module")
def expected() -> Samples:
    return evaluate(RandomImages(batch_size=1))


def agree(found: Samples, expected: Samples, bitwise: bool = False) -> None:
    for key, (mask, y, x) in found.items():
        assert torch.equal(mask, expected[key][0])
        assert torch.equal(y, expected[key][1])
        assert torch.equal(x, expected[key][2]) if bitwise else torch.allclose(x, expected[key][2], atol=1e-4)


@pytest.mark.parametrize("batch_size", [1, 3, 7])
def test_no_batch_size_changes_a_sample(batch_size, expected):
    found = evaluate(RandomImages(batch_size=batch_size))
    assert found.keys() == expected.keys()
    agree(found, expected, bitwise=batch_size == 1)


def test_no_order_changes_a_sample(expected):
    agree(evaluate(RandomImages(ids=[*IDS[::2][::-1], *IDS[1::2]], batch_size=3)), expected)


def test_a_subset_has_the_samples_that_it_has_in_the_whole(expected):
    agree(evaluate(RandomImages(ids=[IDS[6], IDS[2]], batch_size=1)), expected, bitwise=True)


def test_one_sample_more_of_each_image_leaves_the_first_as_it_was_and_differs_itself(expected):
    found = evaluate(RandomImages(batch_size=4, samples_per_image=2))
    agree({key: value for key, value in found.items() if key[1] == 0}, expected)
    for image_id in IDS:
        (mask, y, first), (other_mask, other_y, second) = found[image_id, 0], found[image_id, 1]
        assert torch.equal(mask, other_mask)
        assert torch.equal(y, other_y)
        assert not torch.allclose(first, second, atol=1e-2)


def test_images_that_an_earlier_run_finished_change_none_of_the_others(expected):
    done = frozenset({(IDS[0], 0), (IDS[4], 0)})
    found = evaluate(RandomImages(batch_size=3), done)
    assert found.keys() == expected.keys() - done
    agree(found, expected)
