"""Writing a backbone: the network, features to features.

A Backbone is an nn.Module built as `Class(options, length=L)`. It maps hidden features [B, L, H] to [B, L, H], H
being its `width`, and knows nothing of tokens, noise or time. The second argument is the attention mask: bool [B, L],
True at real positions, or [B, L, L], True where a row may see a column, or None. The third says where each of them
stands: places [B, L] int64, 0 to L - 1, of which several may be the same; None: one after the other.

    class Mean(Backbone):
        def __init__(self, options, *, length):
            super().__init__(options, length=length)
            self.width = options.width
            self.own, self.others = nn.Linear(self.width, self.width), nn.Linear(self.width, self.width)

            self.places = nn.Embedding(length, self.width)

        def forward(self, hidden, attention_mask=None, positions=None):
            rows, length, _ = hidden.shape
            where = torch.arange(length, device=hidden.device) if positions is None else positions
            hidden = hidden + self.places(where)
            seen = hidden.new_ones(rows, length) if attention_mask is None else attention_mask.to(hidden.dtype)
            seen = seen if seen.dim() == 3 else seen[:, None].expand(-1, length, -1)
            mean = seen @ self.others(hidden) / seen.sum(-1, keepdim=True).clamp(min=1)
            return (self.own(hidden) + mean).tanh()

One that takes no masks [B, L, L] says `BackboneDeclaration(..., pairs=False)` and raises DiffmidiError for them: runs
that need them are then refused before anything is prepared.

One that can go on from where it was, for drawing from left to right, sets `caches = True` and gives `cached`; what it
keeps is a `Past`, a tuple of tensors [B, ...].

One that is a model of transformers returns it from `as_transformers`: exported models then open there, too.

Checks of the conformance kit, besides those of every kind: check_shape, check_padding_is_not_seen,
check_order_of_rows_is_irrelevant, check_no_mask_is_a_full_mask, check_causal_mask_is_respected,
check_places_are_where_features_stand, check_cached_is_the_same,
check_every_parameter_gets_a_gradient, check_checkpointing_changes_no_gradient, check_finite_in_bf16,
check_weights_survive_a_file.
"""

from diffmidi_core.contracts.backbone import Backbone, Past

__all__ = ["Backbone", "Past"]
