"""Scores of what was asked, each against a second implementation."""

from __future__ import annotations

import torch
from torchmetrics.functional.classification import multiclass_jaccard_index

from tasks.features.label_maps import mean_iou


def test_the_mean_iou_is_torchmetrics_jaccard_index_over_the_classes_that_were_asked_for():
    generator = torch.Generator().manual_seed(0)
    asked = torch.randint(0, 4, (3, 9, 7), generator=generator)  # of five classes the last is never asked for
    found = torch.where(torch.rand(3, 9, 7, generator=generator) < 0.6, asked, 4)
    asked[:, 0] = 255
    for one, other, value in zip(found, asked, mean_iou(found, asked, 5, 255), strict=True):
        each = multiclass_jaccard_index(one[None], other[None], num_classes=5, average="none", ignore_index=255)
        torch.testing.assert_close(value, each[other[other != 255].unique()].mean())
