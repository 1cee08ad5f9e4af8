"""Writing a backbone: the network, features to features.

A Backbone is an nn.Module built as `Class(options, length=L)`. It maps hidden features [B, L, H] to [B, L, H], H
being its `width`, and knows nothing of tokens, noise or time. The second argument is the attention mask: bool [B, L],
True at real positions, or [B, L, L], True where a row may see a column, or None.

    class Mean(Backbone):
        def __init__(self, options, *, length):
            super().__init__(options, length=length)
            self.width = options.width
            self.own, self.others = nn.Linear(self.width, self.width), nn.Linear(self.width, self.width)

        def forward(self, hidden, attention_mask=None):
            rows, length, _ = hidden.shape
            seen = hidden.new_ones(rows, length) if attention_mask is None else attention_mask.to(hidden.dtype)
            seen = seen if seen.dim() == 3 else seen[:, None].expand(-1, length, -1)
            mean = seen @ self.others(hidden) / seen.sum(-1, keepdim=True).clamp(min=1)
            return (self.own(hidden) + mean).tanh()

Checks of the conformance kit, besides those of every kind: check_shape, check_padding_is_not_seen,
check_order_of_rows_is_irrelevant, check_no_mask_is_a_full_mask, check_causal_mask_is_respected,
check_every_parameter_gets_a_gradient, check_checkpointing_changes_no_gradient, check_finite_in_bf16,
check_weights_survive_a_file.
"""

from diffmidi_core.contracts.backbone import Backbone

__all__ = ["Backbone"]
