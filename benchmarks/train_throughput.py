"""Training steps a second: the loop here, a plain PyTorch loop and easyfsl's, side by side.

    python benchmarks/train_throughput.py ../shared/data/omniglot

Every contestant trains the same Conv4 with the Prototypical loss on episodes of the same shape
from the same images. Each runs in a process of its own with the same number of threads; rounds
alternate, so that a busy machine slows all alike. Wall and processor time are both told.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path

from machine import machine, say, versions

WARMUP = 2
USED_OF_TORCHVISION = ("BasicBlock", "Bottleneck", "ImageFolder", "conv1x1", "conv3x3")


def main() -> None:
    """Alternate rounds of all contestants and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("data", type=Path, help="folder with Omniglot's npz files")
    parser.add_argument("--steps", type=int, default=15, help="timed steps in a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--n-way", type=int, default=60)
    parser.add_argument("--n-query", type=int, default=5)
    parser.add_argument("--only", choices=CONTESTANTS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.only:
        print(json.dumps(CONTESTANTS[args.only](args)))
        return
    taken: dict[str, list[dict[str, float]]] = {name: [] for name in CONTESTANTS}
    for number in range(args.rounds):
        for name, rounds in taken.items():
            rounds.append(one_round(name))
            say(f"round {number + 1} {name}: {rounds[-1]}")
    print(json.dumps(document(args, taken), indent=2))


def one_round(name: str) -> dict[str, float]:
    command = [sys.executable, __file__, *sys.argv[1:], "--only", name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return told


def document(args: argparse.Namespace, taken: dict[str, list[dict[str, float]]]) -> dict:
    ours = taken["imprint"]
    shown = {}
    for name, rounds in taken.items():
        figures = {}
        for kind in ("wall_ms", "cpu_ms"):
            values = [one[kind] for one in rounds]
            ratios = [theirs[kind] / mine[kind] for theirs, mine in zip(rounds, ours, strict=True)]
            figures[kind] = round(statistics.median(values), 1)
            figures[f"{kind}_spread"] = [round(min(values), 1), round(max(values), 1)]
            figures[f"{kind}_times_ours"] = round(statistics.median(ratios), 2)
        figures["steps_per_s"] = round(1000 / figures["wall_ms"], 2)
        shown[name] = figures
    return {
        "machine": machine(),
        "versions": versions("torch", "easyfsl", "numpy"),
        "load": os.getloadavg(),
        "threads": args.threads,
        "episode": {"n_way": args.n_way, "n_shot": 1, "n_query": args.n_query},
        "contestants": shown,
    }


def timed_steps(args: argparse.Namespace, step: Callable[[int], None]) -> dict[str, float]:
    for number in range(WARMUP):
        step(number)
    wall, cpu = time.perf_counter(), time.process_time()
    for number in range(args.steps):
        step(WARMUP + number)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"wall_ms": 1000 * wall / args.steps, "cpu_ms": 1000 * cpu / args.steps}


def pool_of(args: argparse.Namespace):
    import torch

    from imprint.train.sources import open_splits

    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    return open_splits(args.data, 28).train


def plain_conv4():
    """The network as the papers' repositories write it."""
    from torch import nn

    layers: list[nn.Module] = []
    for n_in in (1, 64, 64, 64):
        layers += [nn.Conv2d(n_in, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU()]
        layers += [nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten())


def imprint(args: argparse.Namespace) -> dict[str, float]:
    """This package's loop: images in memory, channels last, half precision where it pays."""
    from imprint.train.precision import keep_freed_memory

    keep_freed_memory()
    import torch

    from imprint.train.backbones import make_backbone
    from imprint.train.methods import make_method
    from imprint.train.precision import half_pays
    from imprint.train.sampling import StepSampler
    from imprint.train.settings import StepPlan

    pool = pool_of(args)
    plan = StepPlan(n_way=args.n_way, n_query=args.n_query)
    sampler = StepSampler.of(pool, plan, 0, "none", torch.device("cpu"))
    method = make_method("prototypical")
    learner = method.prepare(make_backbone("conv4", 1, 28), pool.n_classes)
    learner.to(memory_format=torch.channels_last)
    half = half_pays(learner, sampler(0).images)
    optimizer = torch.optim.Adam(learner.parameters(), lr=1e-3)

    def step(number: int) -> None:
        learner.train()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            told = method.loss(learner, sampler(number))
        float(told.loss.detach())
        optimizer.zero_grad(set_to_none=True)
        told.loss.backward()
        optimizer.step()

    return timed_steps(args, step)


def plain_torch(args: argparse.Namespace) -> dict[str, float]:
    """What one writes first: float images in memory, an episode drawn by hand, full precision."""
    import torch
    from torch.nn import functional

    pool = pool_of(args)
    images, by_class = turned_floats(pool)
    net = plain_conv4().train()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    each = 1 + args.n_query

    def step(_: int) -> None:
        classes = torch.randperm(len(by_class))[: args.n_way]
        rows = torch.stack([by_class[c][torch.randperm(len(by_class[c]))[:each]] for c in classes])
        features = net(images[rows.flatten()]).view(args.n_way, each, -1)
        support, query = features[:, 0], features[:, 1:].flatten(0, 1)
        targets = torch.arange(args.n_way).repeat_interleave(args.n_query)
        loss = functional.cross_entropy(-(torch.cdist(query, support) ** 2), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()

    return timed_steps(args, step)


def easyfsl_loop(args: argparse.Namespace) -> dict[str, float]:
    """The loop of easyfsl's episodic training notebook: its sampler, loader and method."""
    without_torchvision()
    import torch

    # easyfsl 1.5.0 still passes the data source that torch's Sampler no longer takes.
    torch.utils.data.Sampler.__init__ = lambda *_, **__: None
    from easyfsl.datasets import WrapFewShotDataset
    from easyfsl.methods import PrototypicalNetworks
    from easyfsl.samplers import TaskSampler
    from torch.utils.data import DataLoader, TensorDataset

    pool = pool_of(args)
    images, by_class = turned_floats(pool)
    labels = torch.empty(len(images), dtype=torch.long)
    for number, rows in enumerate(by_class):
        labels[rows] = number
    wrapped = WrapFewShotDataset(Pairs(TensorDataset(images, labels)))
    n_tasks = WARMUP + args.steps
    sampler = TaskSampler(
        wrapped, n_way=args.n_way, n_shot=1, n_query=args.n_query, n_tasks=n_tasks
    )
    loader = DataLoader(
        wrapped, batch_sampler=sampler, num_workers=0, collate_fn=sampler.episodic_collate_fn
    )
    model = PrototypicalNetworks(plain_conv4())
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    criterion = torch.nn.CrossEntropyLoss()
    tasks = iter(loader)

    def step(_: int) -> None:
        support_images, support_labels, query_images, query_labels, _ = next(tasks)
        optimizer.zero_grad()
        model.process_support_set(support_images, support_labels)
        loss = criterion(model(query_images), query_labels)
        loss.backward()
        optimizer.step()
        loss.item()

    return timed_steps(args, step)


def without_torchvision() -> None:
    """Let easyfsl be imported where torchvision is not: only its readers of folders use it."""
    if importlib.util.find_spec("torchvision") is None:
        models = ("models", "models.resnet", "transforms", "datasets")
        for name in ("torchvision", *(f"torchvision.{one}" for one in models)):
            empty = types.ModuleType(name)
            empty.__path__ = []
            for used in USED_OF_TORCHVISION:
                setattr(empty, used, type(used, (), {}))
            sys.modules[name] = empty
        sys.modules["torchvision"].transforms = sys.modules["torchvision.transforms"]


class Pairs:
    """A data set of (image, number), as easyfsl's wrapper reads it."""

    def __init__(self, tensors) -> None:
        self.tensors = tensors

    def __len__(self) -> int:
        return len(self.tensors)

    def __getitem__(self, at: int):
        image, label = self.tensors[at]
        return image, int(label)


def turned_floats(pool):
    """All images in all quarter turns as floats, and the rows of every class."""
    import torch

    turned = torch.cat([pool.images.rot90(t, (2, 3)) for t in range(4)]).float() / 255
    n = len(pool.images)
    rows = [pool.rows[c] + turn * n for turn in range(4) for c in range(len(pool.class_names))]
    return turned, rows


CONTESTANTS = {"imprint": imprint, "plain PyTorch": plain_torch, "easyfsl": easyfsl_loop}

if __name__ == "__main__":
    main()
