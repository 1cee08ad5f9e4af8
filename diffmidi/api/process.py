"""Writing a diffusion process: how tokens become noise, what is learned, and what a likelihood costs.

A Process is an nn.Module built as `Class(options, tokenizer=..., backbone=..., schedule=...)`. It owns the embeddings
below the backbone and the head above it. Three methods make it whole:

- `loss(batch, generator)`: {"loss": a scalar to go down, and its parts}. `batch.ids` [B, L] int64,
  `batch.attention_mask` its padding mask [B, L]. What is random comes from `batch.rows_of`, averages are `batch.mean`.
- `bound(batch, generator, levels=n)`: a Bound, bits [B, L] by name, whose sum is an upper bound on -log2 p(tokens).
- `oracle(ids)`: a denoiser that always knows the tokens, which samplers are tested with.

Mostly one begins from a family that exists, and writes its network, or what goes into the backbone and what becomes of
what comes out: MaskedDiffusion (absorbing), GaussianDiffusion (embeddings with normal noise) or AutoregressiveProcess.
Its samplers then fit, and loss and bound are there already:

    class Small(MaskedDiffusion):
        def __init__(self, options, *, tokenizer, backbone, schedule):
            super().__init__(options, tokenizer=tokenizer, backbone=backbone, schedule=schedule, typed=True)
            self.tokens = TokenHead(len(tokenizer.vocab), backbone.width, std=0.02)

            self.groups = Groups(self.group, backbone.width, backbone.width)   # the maps of tokens into a position

        def enter(self, seen):
            return self.groups.together(self.tokens.embed(seen.ids))             # [B, N, g, H] to [B, N, H]

        def leave(self, features):
            return self.tokens(self.groups.apart(features))                      # logits [B, N, g, V]

It may offer `leave_at(features, at)`, too: logits [K, V] of those tokens alone that `at` [B, N, g] says are masked; and
says `sees_level = False` where `enter` does not read `seen.level`.

A process of its own is put together from the same parts. `TokenDiffusion` corrupts tokens one by one: it takes a
`Corruption` (q: drawn, its probabilities, its posterior), how times are drawn (`spread_times`), and an `objective`.
`TokenHead` is what is round a backbone, `Support` what the grammar lets stand where. examples/uniform-noise is one.

One that is `Labelled` too (first among its bases) can be trained with labels and asked for them: it passes
what enters the backbone through `with_labels(hidden, seen.condition)`; nothing changes where there are no labels.

It is declared by a ProcessDeclaration, whose `family` names the samplers that can draw from it.

Checks of the conformance kit, besides those of every kind: check_loss_is_a_scalar_to_learn_from,
check_every_parameter_gets_a_gradient, check_labels_change_nothing_where_none_is_said, check_loss_ignores_padding,
check_a_step_may_be_cut, check_bound_ignores_padding, check_no_mask_is_a_full_mask, check_bound_is_finite_bits,
check_same_generator_same_answer, check_exact_is_exact, check_trains_after_sampling, check_finite_in_bf16,
check_weights_survive_a_file, check_backbone_is_a_submodule, check_bound_is_no_less_than_the_entropy,
check_training_lowers_the_bound, check_few_levels_agree_with_all, check_what_is_not_seen_changes_nothing,
check_q_is_a_distribution, check_posterior_follows_from_q, check_prior_is_the_last_level_of_q,
check_bound_is_the_entropy_where_the_network_is_right, check_oracle_knows_the_tokens.
"""

from diffmidi_core.contracts.backbone import Backbone, Past
from diffmidi_core.contracts.batch import Batch, Share
from diffmidi_core.contracts.places import EVERYWHERE, Places
from diffmidi_core.contracts.process import Bound, Process
from diffmidi_core.contracts.schedule import NoiseSchedule
from diffmidi_core.contracts.tokenizer import Tokenizer
from diffmidi_core.diffusion.autoregressive_process import AutoregressiveProcess
from diffmidi_core.diffusion.categorical import draw_uniform
from diffmidi_core.diffusion.corruption import Corruption
from diffmidi_core.diffusion.gaussian_diffusion import GaussianDiffusion
from diffmidi_core.diffusion.groups import (
    Groups,
    Seen,
    Stand,
    StandEmbedding,
    places_of,
    places_of_groups,
    side_by_side,
)
from diffmidi_core.diffusion.kl import normal_kl
from diffmidi_core.diffusion.labels import Labelled
from diffmidi_core.diffusion.levels import GaussianLevels
from diffmidi_core.diffusion.masked_diffusion import MaskedDiffusion
from diffmidi_core.diffusion.neighbours import Neighbours
from diffmidi_core.diffusion.note_head import NoteHead
from diffmidi_core.diffusion.steps import draw_noise, posterior_mean, predicted_noise, q_sample
from diffmidi_core.diffusion.support import Support
from diffmidi_core.diffusion.time_embedding import time_embedding
from diffmidi_core.diffusion.times import spread_times, uniform_levels
from diffmidi_core.diffusion.token_diffusion import TokenDiffusion
from diffmidi_core.diffusion.token_head import TokenHead

__all__ = [
    "EVERYWHERE",
    "AutoregressiveProcess",
    "Backbone",
    "Batch",
    "Bound",
    "Corruption",
    "GaussianDiffusion",
    "GaussianLevels",
    "Groups",
    "Labelled",
    "MaskedDiffusion",
    "Neighbours",
    "NoiseSchedule",
    "NoteHead",
    "Past",
    "Places",
    "Process",
    "Seen",
    "Share",
    "Stand",
    "StandEmbedding",
    "Support",
    "TokenDiffusion",
    "TokenHead",
    "Tokenizer",
    "draw_noise",
    "draw_uniform",
    "normal_kl",
    "places_of",
    "places_of_groups",
    "posterior_mean",
    "predicted_noise",
    "q_sample",
    "side_by_side",
    "spread_times",
    "time_embedding",
    "uniform_levels",
]
