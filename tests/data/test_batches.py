"""Batches can be read by processes that share nothing with this one, as Python 3.14 starts them."""

from __future__ import annotations

import pickle

import torch
from lightning.pytorch import Trainer

import callbacks
from dsg.data.folder import ImageFolder
from dsg.module import EvaluationDataModule


def test_what_reads_the_images_is_sent_to_another_process_though_a_trainer_holds_locks(image_folder):
    data = EvaluationDataModule(ImageFolder(str(image_folder), image_size=16))
    quiet = {"logger": False, "enable_progress_bar": False, "enable_checkpointing": False}
    data.trainer = Trainer(accelerator="cpu", callbacks=[callbacks.Watch(), callbacks.RunFolderWriter()], **quiet)
    samples = pickle.loads(pickle.dumps(data.predict_dataloader().dataset))
    ((key, example),) = samples[0]
    assert key == ("a", 0)
    assert torch.equal(example.image, data.data.load("a").image)
