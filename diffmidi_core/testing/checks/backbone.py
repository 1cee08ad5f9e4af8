"""What a backbone promises."""

from __future__ import annotations

import safetensors.torch
import torch
from torch import Tensor

from diffmidi_core.contracts.backbone import Backbone
from diffmidi_core.errors import UsageError
from diffmidi_core.testing.component import Component
from diffmidi_core.testing.expect import expect
from diffmidi_core.testing.surroundings import LENGTH, close, generator, same_weights
from diffmidi_core.testing.variants import whatever_the_options

ROWS, PADDED = 3, 7


def use(backbone: Backbone) -> None:
    """What a run does with it."""
    backbone.eval()(_features(backbone), _keep())


@whatever_the_options
def check_shape(component: Component) -> None:
    """[B, L, H] to [B, L, H], at every length up to the one it was built for."""
    backbone = _build(component)
    for length in (1, LENGTH // 2, LENGTH):
        hidden = _features(backbone)[:, :length]
        found = backbone(hidden)
        expect(found.shape == hidden.shape, f"{tuple(hidden.shape)} became {tuple(found.shape)}")
        expect(found.dtype == hidden.dtype, f"{hidden.dtype} became {found.dtype}")
        expect(torch.isfinite(found).all(), "features are finite")


@whatever_the_options
def check_padding_is_not_seen(component: Component) -> None:
    """What stands at padding, and how much padding there is, changes nothing at kept positions."""
    backbone, mask = _build(component), _keep()
    hidden = _features(backbone)
    found = backbone(hidden, mask)
    other = torch.where(mask[..., None], hidden, 100 * _features(backbone, seed=1))
    expect(
        close(backbone(other, mask)[mask], found[mask]),
        "other features at padding change kept positions",
    )
    short = LENGTH - PADDED
    cut = backbone(hidden[:1, :short], mask[:1, :short])
    expect(close(cut[0], found[0, :short]), "more padding changes kept positions")


def check_order_of_rows_is_irrelevant(component: Component) -> None:
    """Rows of a batch do not see each other."""
    backbone, mask = _build(component), _keep()
    hidden = _features(backbone)
    expect(
        close(
            backbone(hidden.flip(0), mask.flip(0)).flip(0)[mask],
            backbone(hidden, mask)[mask],
        ),
        "rows in another order give other features",
    )


@whatever_the_options
def check_no_mask_is_a_full_mask(component: Component) -> None:
    """mask None, mask [B, L] of True and mask [B, L, L] of True mean the same."""
    backbone = _build(component)
    hidden = _features(backbone)
    found = backbone(hidden)
    rows = torch.ones(ROWS, LENGTH, dtype=torch.bool)
    pairs = torch.ones(ROWS, LENGTH, LENGTH, dtype=torch.bool)
    expect(close(backbone(hidden, rows), found), "a mask [B, L] of True differs from no mask")
    expect(close(backbone(hidden, pairs), found), "a mask [B, L, L] of True differs from no mask")


@whatever_the_options
def check_causal_mask_is_respected(component: Component) -> None:
    """mask [B, L, L] says who sees whom: under a causal one, later positions never change earlier features."""
    backbone = _build(component)
    causal = torch.ones(LENGTH, LENGTH, dtype=torch.bool).tril().expand(ROWS, -1, -1)
    hidden = _features(backbone)
    changed = hidden.clone()
    middle = LENGTH // 2
    changed[:, middle:] = _features(backbone, seed=1)[:, middle:]
    found, other = backbone(hidden, causal), backbone(changed, causal)
    expect(close(found[:, :middle], other[:, :middle]), "under a causal mask, later positions change earlier features")
    expect(not close(found[:, middle:], other[:, middle:]), "features do not depend on what comes in")


@whatever_the_options
def check_every_parameter_gets_a_gradient(component: Component) -> None:
    """A parameter without a gradient stalls distributed training."""
    backbone = component.build().train()
    with same_weights():
        found = backbone(_features(backbone), _keep())
    # A plain sum would not do: behind a LayerNorm its gradient is zero.
    (found * torch.randn(found.shape, generator=generator(1))).sum().backward()
    without = [name for name, parameter in backbone.named_parameters() if parameter.grad is None]
    expect(not without, f"no gradient: {', '.join(without)}")


@whatever_the_options
def check_checkpointing_changes_no_gradient(component: Component) -> None:
    """Where it can recompute activations in the backward pass, features and gradients stay the same."""
    backbone = component.build().train()
    found = _trained(backbone)
    try:
        backbone.checkpointing(True)
    except UsageError:
        return
    again = _trained(backbone)
    backbone.checkpointing(False)
    expect(close(again, found), "features and gradients differ with checkpointing")
    expect(close(_trained(backbone), found), "features and gradients differ after checkpointing was turned off")


def check_finite_in_bf16(component: Component) -> None:
    """Mixed precision gives finite features, padding or not."""
    backbone, mask = _build(component), _keep()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = backbone(_features(backbone), mask)
    expect(torch.isfinite(found[mask]).all(), "features under bf16 autocast are not finite")


def check_weights_survive_a_file(component: Component) -> None:
    """state_dict goes through safetensors (so no two names share a tensor) and gives the same features back."""
    backbone = _build(component)
    saved = safetensors.torch.save(backbone.state_dict())
    again = _build(component)
    for parameter in again.parameters():
        parameter.data.add_(1)
    again.load_state_dict(safetensors.torch.load(saved))
    hidden = _features(backbone)
    expect(torch.equal(again(hidden), backbone(hidden)), "saved and loaded weights give other features")


def _build(component: Component) -> Backbone:
    backbone: Backbone = component.build()
    return backbone.eval().requires_grad_(False)


def _trained(backbone: Backbone) -> Tensor:
    """Features and gradients in training, with the same dropout each time, as one row."""
    backbone.zero_grad()
    with same_weights():
        found = backbone(_features(backbone), _keep())
    (found * torch.randn(found.shape, generator=generator(1))).sum().backward()
    gradients = [each.grad.flatten() for each in backbone.parameters() if each.grad is not None]
    return torch.cat([found.detach().flatten(), *gradients])


def _features(backbone: Backbone, seed: int = 0) -> Tensor:
    return torch.randn(ROWS, LENGTH, backbone.width, generator=generator(seed))


def _keep() -> Tensor:
    """[ROWS, LENGTH]: the first row has PADDED padding, the last none."""
    lengths = torch.tensor([LENGTH - PADDED, LENGTH - 1, LENGTH])
    return torch.arange(LENGTH) < lengths[:, None]
