"""What the training repeats: a batch of pictures and the loss on it."""

from __future__ import annotations

import torch

from dsg.models.portraits.network import PREDICTION
from dsg.models.prediction_types import training_target


class Batches:
    """Endless shuffled batches from bytes that already lie on the device."""

    def __init__(self, images, labels, batch_size, device):
        self.images, self.labels = torch.from_numpy(images).to(device), torch.from_numpy(labels).to(device)
        self.size, self.at = batch_size, 0
        self.order = torch.empty(0, dtype=torch.long, device=device)

    def next(self):
        if self.at + self.size > len(self.order):
            self.order, self.at = torch.randperm(len(self.images), device=self.images.device), 0
        pick = self.order[self.at : self.at + self.size]
        self.at += self.size
        return self.images[pick].float() / 127.5 - 1.0, self.labels[pick].long()


def denoising_loss(network, images, labels, times, alpha_bar):
    """Mean over the batch of w(t) |v_θ − v|², w = min(SNR, 5) / (SNR + 1): min-SNR weights (Hang et al. 2023) for v.

    images: (B, 3, 64, 64) in [-1, 1]; labels, times: (B,) int64; alpha_bar: (1000,) float32.
    """
    share = alpha_bar[times].view(-1, 1, 1, 1)
    noise = torch.randn_like(images)
    v = training_target(images, noise, share, PREDICTION)
    noisy = share.sqrt() * images + (1 - share).sqrt() * noise
    with torch.autocast(images.device.type, torch.bfloat16):
        predicted = network(noisy, times, labels).sample
    snr = share / (1 - share)
    weight = snr.clamp(max=5.0) / (snr + 1.0)
    return (weight * (predicted.float() - v).square()).mean()
