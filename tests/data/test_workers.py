"""Reading processes get what they need wherever they start from nothing: on macOS, Windows, and Python from 3.14 on."""

from __future__ import annotations

import multiprocessing
import os
import pickle
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from PIL import Image

from dsg.command.exit_codes import MISTAKE, explain
from dsg.data.base import EvaluationData
from dsg.data.batches import batches, check_workers
from dsg.data.examples import Example
from dsg.data.folder import ImageFolder
from dsg.data.held_out import HeldOutPortraits
from dsg.data.mixture_draws import MixtureDraws
from dsg.errors import UserError
from dsg.metrics.features import _Pictures
from dsg.metrics.inception import Inception
from dsg.metrics.portraits import PortraitFeatures
from dsg.models.mixture import GaussianMixture
from dsg.module import EvaluationDataModule


@pytest.fixture
def start_method() -> Iterator[None]:
    """Whatever a test sets is put back."""
    before = multiprocessing.get_start_method(allow_none=True)
    yield
    multiprocessing.set_start_method(before, force=True)


def folder(image_folder, **options) -> ImageFolder:
    (image_folder / "labels.csv").write_text("a,0\nb,1\nc,2\nd,3\nmore/e,4\nmore/f,5\n")
    return ImageFolder(str(image_folder), 16, **options)


def draws() -> MixtureDraws:
    data = MixtureDraws(limit=2, samples_per_image=2)
    data.bind(GaussianMixture([1.0, 2.0], torch.tensor([[0.0, 1.0], [2.0, 3.0]]), torch.ones(2, 2)))
    return data


@pytest.mark.parametrize("kind", ["folder", "labels", "metadata", "portraits", "draws"])
def test_what_is_sent_to_a_reading_process_arrives_and_reads_the_same(kind, image_folder):
    if kind == "metadata":
        names = ("a", "b", "c", "d", "more/e", "more/f")
        lines = "".join(f"{name}.png,{name}.png,a thing\n" for name in names)
        (image_folder / "metadata.csv").write_text(f"file_name,style_file_name,prompt\n{lines}")
    data = {
        "folder": lambda: folder(image_folder),
        "labels": lambda: folder(image_folder, labels=str(image_folder / "labels.csv")),
        "metadata": lambda: folder(image_folder),
        "portraits": lambda: HeldOutPortraits(limit=2, labels=True),
        "draws": draws,
    }[kind]()
    module = EvaluationDataModule(data)
    module.trainer = None
    loader = module.predict_dataloader()
    dataset, collate = pickle.loads(pickle.dumps((loader.dataset, loader.collate_fn)))
    here, there = loader.collate_fn([loader.dataset[0]]), collate([dataset[0]])
    assert there.keys == here.keys
    assert torch.equal(there.examples.images, here.examples.images)


@pytest.mark.parametrize("network", [Inception, PortraitFeatures])
def test_the_reader_of_pictures_for_features_can_be_sent_too(network, image_folder):
    pictures = pickle.loads(pickle.dumps(_Pictures([image_folder / "a.png"], network.prepare, None)))
    assert pictures.prepare is network.prepare


def test_a_reading_process_that_starts_from_nothing_gives_the_same_batches(image_folder, start_method):
    (image_folder / "b.png").write_bytes(b"no picture")
    alone = list(batches(folder(image_folder, batch_size=2, num_workers=0)))
    multiprocessing.set_start_method("spawn", force=True)
    sent = list(batches(folder(image_folder, batch_size=2, num_workers=1)))
    assert [batch.keys for batch in sent] == [batch.keys for batch in alone]
    assert [batch.failures for batch in sent] == [batch.failures for batch in alone]
    assert sum(len(batch.failures) for batch in sent) == 1
    for one, other in zip(sent, alone, strict=True):
        assert torch.equal(one.examples.images, other.examples.images)


class Torn(EvaluationData):
    """Some of its examples have no image, which is noticed where they are put together: in the reading process."""

    image_shape = (3, 16, 16)

    def image_ids(self):
        return ["a", "b"]

    def load(self, image_id):
        return Example(torch.zeros(self.image_shape) if image_id == "a" else None)


def test_a_mistake_that_a_reading_process_finds_is_one_line():
    with pytest.raises(UserError) as caught:
        list(batches(Torn(batch_size=2, num_workers=1)))
    code, line = explain(caught.value)
    assert code == MISTAKE
    assert line == "error: data: some examples have an image and others none; give all one, or take it away"


class Dying(Torn):
    """Whoever reads it is killed, as for want of memory."""

    def load(self, image_id):
        os._exit(9)


def test_a_reading_process_that_is_gone_is_one_line():
    with pytest.raises(RuntimeError) as caught:
        list(batches(Dying(num_workers=1)))
    assert explain(caught.value) == (
        MISTAKE,
        "error: a process that reads ahead is gone, perhaps for want of memory; finished images are kept: lower "
        "num_workers (of data, or of distribution) and run again",
    )


class Unsendable(EvaluationData):
    """Holds what no process can send to another."""

    image_shape = (3, 16, 16)

    def __init__(self, num_workers: int) -> None:
        super().__init__(num_workers=num_workers)
        self.open = lambda image_id: Image.fromarray(np.zeros((16, 16, 3), np.uint8))

    def image_ids(self):
        return ["a"]

    def load(self, image_id):
        raise NotImplementedError


@pytest.mark.parametrize(
    ("method", "workers", "refused"), [("spawn", 1, True), ("fork", 1, False), ("spawn", 0, False)]
)
def test_data_that_cannot_be_sent_is_refused_in_one_line_where_it_would_be(start_method, method, workers, refused):
    multiprocessing.set_start_method(method, force=True)
    if not refused:
        return check_workers(Unsendable(workers))
    with pytest.raises(UserError, match=r"data\.num_workers: Unsendable cannot be sent .*set data\.num_workers to 0"):
        check_workers(Unsendable(workers))
