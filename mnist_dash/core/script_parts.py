"""The texts from which `mnist_dash.core.script` puts a training script together; braces are filled in with ``str.format``."""

HEAD = '''"""Trains the network below on {dataset}. Written by MNIST Dash for configuration {hash}.

    pip install torch torchvision
    python THIS_FILE

Random draws differ from those of the dashboard, so the figures agree as those of two seeds do.
"""

import argparse
import math
import time

import torch
from torch import nn
from torch.nn import functional as F
from torchvision import datasets
'''

SPLITS = {
    "fraction": '''def stratified(labels: torch.Tensor, fraction: float, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Hold back the same fraction of every class."""
    kept, held = [], []
    for label in range(10):
        mine = (labels == label).nonzero().squeeze(1)
        mine = mine[torch.randperm(len(mine), generator=generator)]
        n = round(len(mine) * fraction)
        held.append(mine[:n])
        kept.append(mine[n:])
    return torch.cat(kept), torch.cat(held)


def split(labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Divide the training images into those trained on and those only validated on."""
    return {order}''',
    "leak": '''def split(labels: torch.Tensor) -> tuple[torch.Tensor, None]:
    """Train on every training image and validate on the test set: a leak, kept because published experiments do it."""
    return torch.arange(len(labels)), None''',
}

SCALINGS = {
    "unit": '''def fit_scaling(images: torch.Tensor):
    """Divide by 255."""
    return lambda batch: batch.float() / 255''',
    "minmax": '''def fit_scaling(images: torch.Tensor):
    """Map each pixel's own minimum and maximum, over the training part, to 0 and 1."""
    low, high = images.amin(0).float(), images.amax(0).float()
    factor = torch.where(high > low, 1 / (high - low).clamp(min=1), 0.0)
    return lambda batch: (batch.float() - low.to(batch.device)) * factor.to(batch.device)''',
    "standard": '''def fit_scaling(images: torch.Tensor):
    """Subtract the mean of all training pixels and divide by their standard deviation."""
    values = images.double()
    mean, std = float(values.mean()), float(values.std(unbiased=False))
    return lambda batch: (batch.float() - mean) / std''',
}

NO_SCALING = '''def fit_scaling(features: torch.Tensor):
    """Leave features as they are."""
    return lambda batch: batch'''

FEATURES = """import functools

import numpy as np
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

LION = '''class Lion(torch.optim.Optimizer):
    """The sign of an interpolated momentum (Chen et al., 2023, algorithm 2)."""

    def __init__(self, parameters, lr: float, betas: tuple[float, float], weight_decay: float):
        super().__init__(parameters, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            beta_1, beta_2 = group["betas"]
            for parameter in group["params"]:
                momentum = self.state[parameter].setdefault("momentum", torch.zeros_like(parameter))
                direction = (beta_1 * momentum + (1 - beta_1) * parameter.grad).sign()
                parameter.mul_(1 - group["lr"] * group["weight_decay"]).sub_(group["lr"] * direction)
                momentum.mul_(beta_2).add_(parameter.grad, alpha=1 - beta_2)'''

AUGMENTATION = '''def augment(images: torch.Tensor) -> torch.Tensor:
    """Shift, turn, scale and distort every image of a batch in its own way."""
    from torchvision.transforms import v2

    changes = [v2.RandomAffine(degrees={rotation}, translate=({shift}, {shift}), scale=(1 - {scale}, 1 + {scale}))]
    if {elastic} > 0:
        changes.append(v2.ElasticTransform(alpha={elastic}, sigma={elastic_sigma}))
    change = v2.Compose(changes)
    return torch.stack([change(image) for image in images])'''

BODY = '''@torch.inference_mode()
def evaluate(network: nn.Sequential, images: torch.Tensor, labels: torch.Tensor, scale) -> tuple[float, float]:
    """Mean cross-entropy and accuracy, with dropout off."""
    network.eval()
    loss, right = 0.0, 0
    for batch, truth in zip(images.split(1000), labels.split(1000)):
        logits = network(scale(batch.to(DEVICE))).float()
        truth = truth.to(DEVICE)
        loss += float(cross_entropy(logits, truth)) * len(truth)
        right += int((logits.argmax(1) == truth).sum())
    return loss / len(labels), right / len(labels)


def main() -> None:
    """Train, print the figures of every epoch, save the weights."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--data", default="data", help="folder of the data set; it is downloaded when missing")
    arguments.add_argument("--epochs", type=int, default=EPOCHS)
    arguments.add_argument("--steps", type=int, default=STEPS_PER_EPOCH, help="steps an epoch, fewer for a quick look")
    arguments.add_argument("--weights", default="weights.pt", help="where the trained weights go")
    options = arguments.parse_args()
    torch.manual_seed(SEED)
    images, labels = load(options.data, train=True)
    test_images, test_labels = load(options.data, train=False)
    training, held = split(labels)
    val_images, val_labels = (test_images, test_labels) if held is None else (images[held], labels[held])
    images, labels = images[training], labels[training]
    scale = fit_scaling(images)
    network = build()
    initialise(network)
    network.to(DEVICE)
    optimizer = make_optimizer(network.parameters())
    step, best, waited, kept = 0, math.inf, 0, None
    for epoch in range(1, options.epochs + 1):
        network.train()
        began = time.perf_counter()
        for chosen in torch.randperm(len(labels)).split(BATCH_SIZE)[: options.steps]:
            batch, truth = scale(images[chosen].to(DEVICE)), labels[chosen].to(DEVICE){augment}
            for group in optimizer.param_groups:
                group["lr"] = rate(step){epsilon}
            with torch.autocast(DEVICE.type, dtype=torch.bfloat16, enabled={autocast}):
                logits = network(batch)
            loss = cross_entropy(logits.float(), truth, {smoothing}) + penalty(network)
            optimizer.zero_grad()
            loss.backward(){clip}
            optimizer.step()
            step += 1
        seconds = time.perf_counter() - began
        train_loss, train_accuracy = evaluate(network, images, labels, scale)
        val_loss, val_accuracy = evaluate(network, val_images, val_labels, scale)
        print(
            f"epoch {{epoch}}: training loss {{train_loss:.4f}} accuracy {{train_accuracy:.4f}}, "
            f"validation loss {{val_loss:.4f}} accuracy {{val_accuracy:.4f}}, {{seconds:.1f}} s"
        ){keep_best}{restore}
    test_loss, test_accuracy = evaluate(network, test_images, test_labels, scale)
    print(f"test loss {{test_loss:.4f}} accuracy {{test_accuracy:.4f}}")
    torch.save(network.state_dict(), options.weights)


if __name__ == "__main__":
    main()
'''
