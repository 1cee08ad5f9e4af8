"""What a backbone promises."""

from __future__ import annotations

import itertools

import safetensors.torch
import torch
from torch import Tensor

from diffmidi_core.contracts.backbone import Backbone, Past
from diffmidi_core.declaration import BackboneDeclaration
from diffmidi_core.errors import UsageError
from diffmidi_core.testing.component import Component
from diffmidi_core.testing.expect import expect, refuses
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
    if not _takes_pairs(component):
        with refuses("a mask of pairs, which the declaration says is not taken (pairs=False),"):
            backbone(hidden, pairs)
        return
    expect(close(backbone(hidden, pairs), found), "a mask [B, L, L] of True differs from no mask")


@whatever_the_options
def check_causal_mask_is_respected(component: Component) -> None:
    """mask [B, L, L] says who sees whom: under a causal one, later positions never change earlier features.

    One whose declaration says `pairs=False` is not asked.
    """
    if not _takes_pairs(component):
        return
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
def check_places_are_where_features_stand(component: Component) -> None:
    """The places that it is told are all that counts: it does not matter in which order features come."""
    backbone, mask = _build(component), _keep()
    hidden = _features(backbone)
    places = torch.arange(LENGTH).expand(ROWS, -1)
    found = backbone(hidden, mask)
    expect(close(backbone(hidden, mask, places)[mask], found[mask]), "places 0 to L - 1 differ from no places")
    order = torch.randperm(LENGTH, generator=generator(2))
    for positions in (places, places // 2, torch.full_like(places, LENGTH - 1)):
        found = backbone(hidden, mask, positions)
        again = backbone(hidden[:, order], mask[:, order], positions[:, order])
        expect(close(again[mask[:, order]], found[:, order][mask[:, order]]), "features in another order differ")
    more = torch.cat([hidden, _features(backbone, seed=1)], 1)
    features = backbone(more, torch.cat([mask, mask], 1), torch.cat([places, places], 1))
    expect(features.shape == more.shape, "two at each place, so that there are more than places, are not taken")


@whatever_the_options
def check_cached_is_the_same(component: Component) -> None:
    """Where there is a cached forward it gives the features of a whole one, and leaves the past that it is given."""
    backbone = _build(component)
    if not (backbone.caches and _takes_pairs(component)):
        return
    causal = torch.ones(LENGTH, LENGTH, dtype=torch.bool).tril().expand(ROWS, -1, -1)
    hidden, places = _features(backbone), torch.arange(LENGTH).expand(ROWS, -1)
    for positions in (places, places // 2):
        whole, found = backbone(hidden, causal, positions), []
        past: Past | None = None
        for begin, end in itertools.pairwise([0, 5, 6, 7, LENGTH]):
            before = [each.clone() for each in past or ()]
            part = (hidden[:, begin:end], past, causal[:, begin:end, :end], positions[:, begin:end])
            features, following = backbone.cached(*part)
            again = backbone.cached(*part)[0]
            kept = past is None or all(torch.equal(*pair) for pair in zip(past, before, strict=True))
            expect(kept and torch.equal(again, features), "a past that was given has changed")
            found.append(features)
            past = following
        expect(close(torch.cat(found, 1), whole), "the cached forward gives other features than the whole one")
        if positions is places:
            features, past = backbone.cached(hidden[:, :5], None, causal[:, :5, :5])
            other = backbone.cached(hidden[:1, 5:6], tuple(each[:1] for each in past))[0]
            expect(close(other, whole[:1, 5:6]), "one row of the past, without a mask or places, gives other features")


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


def _takes_pairs(component: Component) -> bool:
    declared = component.declaration
    return not isinstance(declared, BackboneDeclaration) or declared.pairs


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
