"""The texts from which `mnist_dash.core.export.script` puts a training script together; braces are filled in with ``str.format``."""

HEAD = '''"""Trains the network below on {dataset}. Written by MNIST Dash for configuration {hash}.

    pip install torch torchvision numpy
    python THIS_FILE                                    train
    python THIS_FILE --evaluate RUN.safetensors         evaluate the weights of a run instead

Random numbers are drawn as the dashboard draws them: first weights, order of the images, dropout, augmentation. A training follows the
run's as far as rounding lets it, which differs between machines and versions; evaluated weights give the run's test accuracy.
"""

import argparse
import hashlib
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision import datasets
'''

DRAWS = '''def draws(stream: str, epoch: int = 0) -> torch.Generator:
    """Give the source of one kind of random numbers in one epoch, on the CPU."""
    return torch.Generator().manual_seed(stream_seed(SEED, stream, epoch))'''

TRUNCATED = '''def fill_truncated(tensor: torch.Tensor, std: float, generator: torch.Generator) -> None:
    """Draw from a normal, and again whatever lies beyond two standard deviations."""
    values = torch.empty(tensor.numel()).normal_(0, 1, generator=generator)
    outside = (values.abs() > 2).nonzero().squeeze(1)
    while len(outside):
        values[outside] = torch.empty(len(outside)).normal_(0, 1, generator=generator)
        outside = outside[values[outside].abs() > 2]
    tensor.copy_(values.view_as(tensor)).mul_(std)'''

SPLITS = {
    "tail": '''def split(labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Validate on the last images, train on the others."""
    return torch.arange(len(labels)).tensor_split([len(labels) - {n}])''',
    "random": '''def split(labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Validate on images drawn at random, train on the others."""
    held = np.random.default_rng({seed}).permutation(len(labels))[:{n}]
    is_held = np.isin(np.arange(len(labels)), held)
    return torch.from_numpy(np.flatnonzero(~is_held)), torch.from_numpy(np.flatnonzero(is_held))''',
    "stratified": '''def split(labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Validate on images drawn at random, the same fraction of every class, train on the others."""
    held = stratified(labels.numpy(), {n}, {seed})
    is_held = np.isin(np.arange(len(labels)), held)
    return torch.from_numpy(np.flatnonzero(~is_held)), torch.from_numpy(np.flatnonzero(is_held))''',
    "test_as_validation": '''def split(labels: torch.Tensor) -> tuple[torch.Tensor, None]:
    """Train on every training image and validate on the test set: a leak, kept because published experiments do it."""
    return torch.arange(len(labels)), None''',
}

NO_SCALING = '''def fit_scaling(features: torch.Tensor):
    """Leave features as they are."""
    return lambda batch: batch'''

FEATURES = """import functools

import numpy.typing as npt

"""

LOSSES = {
    "plain": '''def cross_entropy(logits: torch.Tensor, labels: torch.Tensor, smoothing: float = 0.0) -> torch.Tensor:
    """Mean categorical cross-entropy."""
    return F.cross_entropy(logits, labels, label_smoothing=smoothing)''',
    "clipped": '''def cross_entropy(logits: torch.Tensor, labels: torch.Tensor, smoothing: float = 0.0) -> torch.Tensor:
    """Mean categorical cross-entropy of probabilities that are clipped as in Keras 2."""
    clipped = F.log_softmax(logits, 1).clamp(math.log({clip}), math.log1p(-{clip}))
    return F.nll_loss(clipped, labels) * (1 - smoothing) - clipped.mean() * smoothing''',
}

BUILD = '''def build() -> nn.Sequential:
    """Make the network; its last layer gives logits."""
    return nn.Sequential(
{modules}
    )'''

AUGMENTATION = '''class Augmentation(NamedTuple):
    """How much images are changed, at most."""

    shift: float = {shift!r}
    rotation: float = {rotation!r}
    scale: float = {scale!r}
    elastic: float = {elastic!r}
    elastic_sigma: float = {elastic_sigma!r}'''

EVALUATE = '''@torch.inference_mode()
def evaluate(network: nn.Sequential, images: torch.Tensor, labels: torch.Tensor, scale) -> tuple[float, float]:
    """Mean cross-entropy and accuracy, with dropout off."""
    network.eval()
    loss, right = 0.0, 0
    for batch, truth in zip(images.split(1000), labels.split(1000)):
        with torch.autocast(DEVICE.type, dtype=torch.bfloat16, enabled={autocast}):
            logits = network(scale(batch.to(DEVICE)))
        logits, truth = logits.float(), truth.to(DEVICE)
        loss += float(cross_entropy(logits, truth)) * len(truth)
        right += int((logits.argmax(1) == truth).sum())
    return loss / len(labels) + float(penalty(network)), right / len(labels)


def read_weights(path: str) -> dict[str, torch.Tensor]:
    """Read a safetensors file: the length of its header in eight bytes, the header as JSON, then the values."""
    content = Path(path).read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    kinds = {{"F32": torch.float32, "I64": torch.int64}}
    values = {{}}
    for name, about in json.loads(content[8:start]).items():
        if name != "__metadata__":
            first, last = about["data_offsets"]
            value = bytearray(content[start + first : start + last])
            values[name] = torch.frombuffer(value, dtype=kinds[about["dtype"]]).reshape(about["shape"])
    return values


def prepare(root: str):
    """Fetch, split and scale: training, validation and test part, each images and labels, and the scaling."""
    images, labels = load(root, train=True)
    test = load(root, train=False)
    training, held = split(labels)
    validation = test if held is None else (images[held], labels[held])
    images, labels = images[training], labels[training]
    return (images, labels), validation, test, fit_scaling(images)'''

CARRY = '''def carry(optimizer: torch.optim.Optimizer, now: float) -> None:
    """Keep the velocity when the rate changes, as Keras does: torch multiplies it by the new rate."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            velocity = optimizer.state[parameter].get("momentum_buffer")
            if velocity is not None:
                velocity.mul_(group["lr"] / now)'''

TRAIN = '''def train(parts, epochs: int = EPOCHS, steps: int = STEPS_PER_EPOCH) -> nn.Sequential:
    """Train from the beginning and print the figures of every epoch."""
    (images, labels), validation, _, scale = parts
    network = build()
    initialise(network)
    network.to(DEVICE, memory_format=torch.channels_last)
    optimizer = make_optimizer(network.parameters())
    step, best, waited, kept = 0, math.inf, 0, None
    for epoch in range(1, epochs + 1):
        network.train(){settle}
        began = time.perf_counter(){seed}
        for chosen in torch.randperm(len(labels), generator=draws("order", epoch)).split({batch_size})[:steps]:
            batch, truth = images[chosen].to(DEVICE), labels[chosen].to(DEVICE){augment}
            batch = scale(batch){arrange}{carry}
            for group in optimizer.param_groups:
                group["lr"] = {rate}{epsilon}
            with torch.autocast(DEVICE.type, dtype=torch.bfloat16, enabled={autocast}):
                logits = network(batch)
            loss = cross_entropy(logits.float(), truth, {smoothing}) + penalty(network)
            optimizer.zero_grad()
            loss.backward(){clip}
            optimizer.step()
            step += 1
        seconds = time.perf_counter() - began
        train_loss, train_accuracy = evaluate(network, images, labels, scale)
        val_loss, val_accuracy = evaluate(network, *validation, scale)
        print(
            f"epoch {{epoch}}: training loss {{train_loss:.4f}} accuracy {{train_accuracy:.4f}}, "
            f"validation loss {{val_loss:.4f}} accuracy {{val_accuracy:.4f}}, {{seconds:.1f}} s"
        ){keep_best}{restore}
    return network


def evaluated(path: str) -> nn.Sequential:
    """Make the network with the weights of a run."""
    network = build()
    network.load_state_dict(read_weights(path))
    return network.to(DEVICE)'''

MAIN = '''def main() -> None:
    """Train and save the weights, or evaluate those of a run; print the test figures."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--data", default="data", help="folder of the data set; it is downloaded when missing")
    arguments.add_argument("--epochs", type=int, default=EPOCHS)
    arguments.add_argument("--steps", type=int, default=STEPS_PER_EPOCH, help="steps an epoch, fewer for a quick look")
    arguments.add_argument("--weights", default="weights.pt", help="where the trained weights go")
    arguments.add_argument("--evaluate", metavar="FILE", help="a run's weights (safetensors) to evaluate; nothing is trained")
    options = arguments.parse_args()
    parts = prepare(options.data)
    network = evaluated(options.evaluate) if options.evaluate else train(parts, options.epochs, options.steps)
    test_loss, test_accuracy = evaluate(network, *parts[2], parts[3])
    print(f"test loss {test_loss:.4f} accuracy {test_accuracy:.4f}")
    if not options.evaluate:
        torch.save(network.state_dict(), options.weights)


if __name__ == "__main__":
    main()'''
