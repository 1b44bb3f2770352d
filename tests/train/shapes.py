"""Made-up classes for training tests: a random pattern each, seen with noise and small shifts."""

from __future__ import annotations

import numpy as np
import torch

from imprint.train.sources.pool import ImagePool, Splits

PX = 16


def patterns(n_classes=24, n_each=8, *, channels=1, seed=0, noise=25.0):
    """(n_classes * n_each, channels, PX, PX) uint8 and the class of each."""
    rng = np.random.default_rng(seed)
    coarse = rng.random((n_classes, channels, PX // 4, PX // 4)) > 0.5
    clean = np.kron(coarse, np.ones((4, 4))) * 200.0 + 20
    images = np.repeat(clean, n_each, 0)
    images = np.stack([np.roll(one, rng.integers(-1, 2, 2), (1, 2)) for one in images])
    images = images + rng.normal(0, noise, images.shape)
    labels = np.repeat(np.arange(n_classes), n_each)
    return np.clip(images, 0, 255).astype(np.uint8), labels


def pool_of(n_classes=24, n_each=8, *, turned=False, channels=1, seed=0):
    images, labels = patterns(n_classes, n_each, channels=channels, seed=seed)
    names = tuple(f"class-{i:02}" for i in range(n_classes))
    return ImagePool(torch.from_numpy(images), torch.from_numpy(labels), names, turned)


def splits_of(n_each=8):
    train, validation, test = (pool_of(n, n_each, seed=n + 1) for n in (24, 8, 9))
    return Splits(train, validation, test)
