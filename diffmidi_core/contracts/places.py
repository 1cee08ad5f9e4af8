"""Places: what is known of the positions of windows or canvases before their tokens are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from torch import Tensor


@dataclass(frozen=True)
class Places:
    """What a denoiser is told beside the tokens and the noise level.

    Attributes:
        mask: [B, L] bool, True at real positions, as `Batch.attention_mask`; None: every position is real.
        types: [B, L] int64, the type of the token at each place (`Grammar.types`), 0 at specials; None: not known
            before the tokens, and the grammar's `Support` says what may stand where.
        given: [B, L] bool, the tokens that stand, are seen from everywhere and cost nothing, as those round a hole;
            None: none.
        condition: [B] int64 labels by name.
    """

    mask: Tensor | None = None
    types: Tensor | None = None
    given: Tensor | None = None
    condition: Mapping[str, Tensor] = field(default_factory=dict)

    def rows(self, which: Tensor | slice) -> Places:
        """Those of some rows: [B] bool, their numbers, or a slice."""
        return self._mapped(lambda tensor: tensor[which])

    def until(self, length: int) -> Places:
        """Those of the first `length` positions."""
        mask, types, given = (
            None if each is None else each[:, :length] for each in (self.mask, self.types, self.given)
        )
        return replace(self, mask=mask, types=types, given=given)

    def repeated(self, times: int) -> Places:
        """Those of all rows, `times` times over, as `Tensor.repeat` puts them: [times · B, L]."""
        return self._mapped(lambda tensor: tensor.repeat(times, *[1] * (tensor.dim() - 1)))

    def _mapped(self, change: Callable[[Tensor], Tensor]) -> Places:
        """Every tensor of a row changed alike. A new one goes in here too."""
        mask, types, given = (None if each is None else change(each) for each in (self.mask, self.types, self.given))
        condition = {name: change(each) for name, each in self.condition.items()}
        return replace(self, mask=mask, types=types, given=given, condition=condition)


EVERYWHERE = Places()
"""Every position is real, and nothing else is known."""
