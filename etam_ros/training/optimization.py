"""Updating weights: AdamW or Muon in groups, warm-up and cosine, clipped gradients, averages.

Source: layer-wise decay as in BEiT and MAE fine-tuning, the schedule of SAM 2's training
(arXiv 2408.00714, appendix D), Muon scaled to AdamW's steps (arXiv 2502.16982).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import compress
from typing import Any, Final

import torch
from torch import Tensor, nn

from etam_ros.errors import TrainingError, WeightsError

TRUNK: Final = "image_encoder.trunk."
"""Prefix of the ViT in EfficientTAM's state dict."""
BETAS: Final = (0.9, 0.98)
DECAYING: Final = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
"""Layers whose `weight` is decayed; norms, biases, embeddings and positions are not."""
NARROWEST_OF_MUON: Final = 32
"""The minimum of a linear layer's smaller side for Muon."""


class Optimizers:
    """Several optimizers of disjoint parameters, used as one."""

    def __init__(self, parts: Sequence[torch.optim.Optimizer]) -> None:
        self.parts = tuple(parts)

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The groups of all optimizers, which may be changed in place."""
        return [group for part in self.parts for group in part.param_groups]

    def step(self) -> None:
        """Update all parameters."""
        for part in self.parts:
            part.step()

    def zero_grad(self) -> None:
        """Clear all gradients."""
        for part in self.parts:
            part.zero_grad()

    def state_dict(self) -> dict[str, Any]:
        """The state from which `load_state_dict` resumes exactly, by the optimizers' names."""
        return {type(part).__name__: part.state_dict() for part in self.parts}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from a saved state, but keep the present learning rates and weight decays.

        Raises:
            TrainingError: it belongs to other optimizers, or to other groups of parameters.
        """
        own = self.state_dict()
        if state.keys() != own.keys():
            raise TrainingError(
                f"the saved state is of {' and '.join(state)}, this run uses "
                f"{' and '.join(own)}: give the same --optimizer, or start a new run with --init"
            )
        for part, (name, present) in zip(self.parts, own.items(), strict=True):
            saved = state[name]
            if _group_sizes(saved) != _group_sizes(present):
                raise TrainingError(
                    f"the saved state has {len(saved['param_groups'])} groups of weights for "
                    f"{name}, this run has {len(present['param_groups'])} or different ones: "
                    "give the same --layer-decay (or --init) and --weight-decay"
                )
            groups = [
                {**new, "params": old["params"]}
                for new, old in zip(present["param_groups"], saved["param_groups"], strict=True)
            ]
            part.load_state_dict({**saved, "param_groups": groups})


def _group_sizes(state: Mapping[str, Any]) -> list[int]:
    return [len(group["params"]) for group in state["param_groups"]]


def make_optimizer(
    network: nn.Module,
    *,
    lr: float,
    weight_decay: float,
    layer_decay: float = 1.0,
    kind: str = "adamw",
) -> Optimizers:
    """An optimizer for the groups of `parameter_groups`; `set_learning_rate` sets its rate.

    Args:
        kind: adamw for everything, or muon for the weights of linear layers whose smaller side
            has `NARROWEST_OF_MUON` channels, and AdamW for the rest.

    Raises:
        TrainingError: this PyTorch has no Muon.
    """
    groups = parameter_groups(network, weight_decay=weight_decay, layer_decay=layer_decay)
    if kind == "adamw":
        return Optimizers([torch.optim.AdamW(groups, lr=lr, betas=BETAS, fused=True)])
    if not hasattr(torch.optim, "Muon"):
        raise TrainingError(
            f"optimizer muon needs PyTorch 2.9 or later, this is {torch.__version__}: train "
            "with --optimizer adamw"
        )
    hidden = {
        f"{name}.weight".removeprefix(".")
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear) and min(module.weight.shape) >= NARROWEST_OF_MUON
    }
    muon = torch.optim.Muon(
        _only(groups, lambda name: name in hidden), lr=lr, adjust_lr_fn="match_rms_adamw"
    )
    rest = _only(groups, lambda name: name not in hidden)
    return Optimizers([muon, torch.optim.AdamW(rest, lr=lr, betas=BETAS, fused=True)])


def _only(groups: list[dict[str, Any]], wanted: Callable[[str], bool]) -> list[dict[str, Any]]:
    """The groups, reduced to the parameters with the given names."""
    kept = []
    for group in groups:
        chosen = [wanted(name) for name in group["names"]]
        if any(chosen):
            kept.append(
                group | {key: list(compress(group[key], chosen)) for key in ("names", "params")}
            )
    return kept


def parameter_groups(
    network: nn.Module, *, weight_decay: float, layer_decay: float = 1.0
) -> list[dict[str, Any]]:
    """Parameters that need gradients, grouped by learning-rate scale and weight decay.

    Args:
        network: names of its ViT start with TRUNK: embeddings, and `blocks.N.` in order.
        weight_decay: for the weights of linear layers and convolutions.
        layer_decay: parameters outside the ViT have scale 1, its last block `layer_decay`, each
            block before it `layer_decay` times that, and the embeddings the least; with 1 all
            have the same.

    Returns:
        groups for an optimizer: `params`, `names`, `weight_decay` and `lr_scale`.
    """
    decaying = {
        f"{name}.weight".removeprefix(".")
        for name, module in network.named_modules()
        if isinstance(module, DECAYING)
    }
    parameters = {n: p for n, p in network.named_parameters() if p.requires_grad}
    depths = [_block(name) for name in parameters if name.startswith(TRUNK)]
    top = max(depths, default=0) + 1  # the layer number of everything after the ViT
    groups: dict[tuple[float, float], dict[str, Any]] = {}
    for name, parameter in parameters.items():
        layer = _block(name) if name.startswith(TRUNK) else top
        scale = layer_decay ** (top - layer)
        decay = weight_decay if name in decaying else 0.0
        group = groups.setdefault(
            (scale, decay),
            {"params": [], "names": [], "weight_decay": decay, "lr_scale": scale},
        )
        group["params"].append(parameter)
        group["names"].append(name)
    return list(groups.values())


def _block(name: str) -> int:
    """Layer number within the ViT: 0 for embeddings, N + 1 for block N."""
    parts = name.removeprefix(TRUNK).split(".")
    return int(parts[1]) + 1 if parts[0] == "blocks" else 0


def learning_rate_factor(step: int, *, steps: int, warmup: int, final: float = 0.01) -> float:
    """Linear warm-up from 0 to 1, then half a cosine down to `final` at the end of `steps`."""
    if step < warmup:
        return (step + 1) / warmup
    done = min(1.0, (step - warmup) / max(1, steps - warmup))
    return final + (1.0 - final) * 0.5 * (1.0 + math.cos(math.pi * done))


def set_learning_rate(optimizer: Optimizers, lr: float) -> None:
    """Give each group its share of a learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group.get("lr_scale", 1.0)


def clip_gradients(parameters: Iterable[Tensor], limit: float) -> float:
    """Scale gradients down to a total norm of `limit` (0: never); returns the norm before that."""
    return float(nn.utils.clip_grad_norm_(parameters, limit if limit > 0 else math.inf))


class AverageWeights:
    """Exponential moving average of a network's weights; young averages forget faster.

    Parameters are averaged, buffers copied.

    Args:
        network: the network to average; its present weights are the first average.
        decay: weight of the previous average in each update; lower in the first updates.

    Attributes:
        weights: the averages by name, a state dict; the tensors change with the next update.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.weights = {name: value.clone() for name, value in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Include the network's weights after a step."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        parameters = dict(network.named_parameters())
        averages = [self.weights[name] for name in parameters]
        torch._foreach_lerp_(averages, [p.detach() for p in parameters.values()], 1 - decay)
        for name, value in network.state_dict().items():
            if name not in parameters:
                self.weights[name].copy_(value)

    def state_dict(self) -> dict[str, Any]:
        """The state from which `load_state_dict` resumes exactly."""
        return {"updates": self.updates, "weights": dict(self.weights)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from a saved average.

        Raises:
            WeightsError: it belongs to another network.
        """
        weights = state["weights"]
        if weights.keys() != self.weights.keys():
            raise WeightsError(
                f"saved average has {len(weights)} tensors of other names than the network's "
                f"{len(self.weights)}: continue with the model of that run"
            )
        self.updates = int(state["updates"])
        for name, value in weights.items():
            self.weights[name].copy_(value)
