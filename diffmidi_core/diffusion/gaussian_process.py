"""GaussianProcess: what every Gaussian process offers to samplers, to controls and to the bound."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from diffmidi_core.contracts.backbone import Backbone
from diffmidi_core.contracts.batch import Batch
from diffmidi_core.contracts.process import Bound, Process
from diffmidi_core.contracts.schedule import NoiseSchedule
from diffmidi_core.contracts.tokenizer import SPECIALS, Tokenizer
from diffmidi_core.declaration import Options
from diffmidi_core.diffusion.bound import LN2, diffusion_bits, prior_bits
from diffmidi_core.diffusion.levels import GaussianLevels
from diffmidi_core.diffusion.steps import draw_noise


class GaussianProcess(Process):
    """Words as embeddings in R^D, to which normal noise is added. The family "gaussian".

    A subclass gives `embeddings`, `denoise`, `round` and `loss`; the bound and the one rounding rule follow.

    Args:
        steps: T, the number of noise levels.
        start_std: s₀, the standard deviation of x_start round the embedding of its word; None takes that of one step
            of noise, √(1−ᾱ_0), as Diffusion-LM does.
    """

    def __init__(
        self,
        options: Options,
        *,
        tokenizer: Tokenizer,
        backbone: Backbone,
        schedule: NoiseSchedule,
        steps: int,
        start_std: float | None = None,
    ) -> None:
        super().__init__(options, tokenizer=tokenizer, backbone=backbone, schedule=schedule)
        self.levels = GaussianLevels.from_betas(schedule.betas(steps))
        self.start_std = float(self.levels.sqrt_one_minus_alpha_bar[0]) if start_std is None else start_std

    @abstractmethod
    def embeddings(self) -> Tensor:
        """E [V, D], one row a word."""

    @abstractmethod
    def denoise(self, x_t: Tensor, t: Tensor, keep: Tensor | None = None) -> Tensor:
        """x0_hat [B, L, D], the estimate of what x_t was before any noise, in the dtype of x_t.

        `t` [B] is in [0, 1): the index of the noise level over T (`levels.times`). `keep` as in Batch.
        """

    @abstractmethod
    def round(self, x: Tensor) -> Tensor:
        """Logits [..., V] of p(w | x_start = x) for x [..., D]; −inf for words that stand at no kept position."""

    def embed(self, ids: Tensor) -> Tensor:
        """E[ids]: ids [B, L] to [B, L, D]."""
        return F.embedding(ids, self.embeddings())

    def words(self, x: Tensor) -> Tensor:
        """The rounding rule, for clamping and for the final words alike: argmax of `round`, specials left out.

        x [..., D] to ids [...] int64.
        """
        return self.round(x)[..., len(SPECIALS) :].argmax(-1) + len(SPECIALS)

    def clamp(self, x: Tensor) -> Tensor:
        """The clamping trick of Diffusion-LM, section 4.2: x [..., D] replaced by the embedding of its word."""
        return self.embed(self.words(x))

    def mean_embedding(self, x: Tensor) -> Tensor:
        """The mean of the embeddings under p(w | x), x [..., D]: a clamp that does not commit where it is unsure."""
        with torch.autocast(x.device.type, enabled=False):
            return self.round(x).softmax(-1) @ self.embeddings()

    def evidence(self, x_t: Tensor, t: Tensor) -> Tensor:
        """[B, L, V] ln q(x_t | w) of every word w, but for what is the same for all; x_t and t as in `denoise`.

        q(x_t | w) = N(√ᾱ_t E[w], v_t), so (√ᾱ_t x_t·E[w] − ½ ᾱ_t ‖E[w]‖²) / v_t.
        """
        index = (t * len(self.levels)).round().long()
        signal = self.levels.on(x_t).alpha_bar[index][:, None, None]
        variance = signal * self.start_std**2 + 1 - signal
        table = self.embeddings()
        with torch.autocast(x_t.device.type, enabled=False):
            return (signal.sqrt() * x_t @ table.T - signal * (table**2).sum(-1) / 2) / variance

    def posterior_embedding(self, x_t: Tensor, t: Tensor, x0_hat: Tensor) -> Tensor:
        """The mean of the embeddings under p(w) ∝ p(w | x0_hat)^½ q(x_t | w), [B, L, D].

        Bayes' rule, with what the network says as the prior, at half weight because the network has seen x_t too.
        At little noise x_t alone tells the words, however roughly the network copies it; at much noise the network
        does.
        """
        with torch.autocast(x_t.device.type, enabled=False):
            logits = 0.5 * self.round(x0_hat).log_softmax(-1) + self.evidence(x_t, t)
            return logits.softmax(-1) @ self.embeddings()

    def oracle(self, ids: Tensor) -> Callable[..., Tensor]:
        """A denoiser that answers with the embeddings of the words, whatever it is shown."""
        return lambda x_t, t, keep=None: self.embed(ids)

    def predict(self, x_t: Tensor, t: Tensor, keep: Tensor | None = None) -> Tensor:
        """The estimate of E[w] that the bound is about, as `denoise`. Any map of x_t gives a valid bound."""
        return self.posterior_embedding(x_t, t, self.denoise(x_t, t, keep))

    def bound(self, batch: Batch, generator: torch.Generator, *, levels: int | None = None) -> Bound:
        """The bound of `diffusion.bound`, in terms "prior", "diffusion" and "rounding".

        [CLS] and [SEP] are kept positions: what they cost is in the sum, though they are not counted in `words`. Call
        it in eval mode and without gradients.
        """
        mask = batch.mask()
        clean = self.embed(batch.ids)
        x_start = clean + self.start_std * draw_noise(generator, clean)
        nats = F.cross_entropy(self.round(x_start).mT, batch.ids.masked_fill(~mask, -100), reduction="none")
        return Bound(
            terms={
                "prior": prior_bits(self.levels, self.start_std, clean, mask),
                "diffusion": diffusion_bits(
                    self.levels, self.start_std, clean, batch.keep, self.predict, generator, levels
                ),
                "rounding": nats / LN2,
            },
            words=batch.words,
        )
