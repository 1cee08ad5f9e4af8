"""GaussianDiffusion: what every Gaussian process offers to samplers, to controls and to the bound."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from diffmidi_core.contracts.backbone import Backbone
from diffmidi_core.contracts.batch import Batch
from diffmidi_core.contracts.places import EVERYWHERE, Places
from diffmidi_core.contracts.process import Bound, Process
from diffmidi_core.contracts.schedule import NoiseSchedule
from diffmidi_core.contracts.tokenizer import SPECIALS, Tokenizer
from diffmidi_core.declaration import Options
from diffmidi_core.diffusion.bound import LN2, diffusion_bits, prior_bits, signal_to_noise
from diffmidi_core.diffusion.categorical import restricted
from diffmidi_core.diffusion.drawn_levels import errors_without_context
from diffmidi_core.diffusion.levels import GaussianLevels
from diffmidi_core.diffusion.nearest import nearness
from diffmidi_core.diffusion.steps import draw_noise, q_log_probability
from diffmidi_core.diffusion.support import Support


class GaussianDiffusion(Process):
    """Tokens as embeddings in R^D, to which normal noise is added. The family "gaussian".

    A subclass gives `embeddings`, `denoise`, `round` and `loss`; the bound, the rounding and the clamping follow.

    Args:
        steps: T, the number of noise levels.
        start_std: s₀, the standard deviation of x_start round the embedding of its token; None takes that of one step
            of noise, √(1−ᾱ_0), as Diffusion-LM does.
        typed: leave out of every softmax the tokens whose type cannot stand at their position (`Support`); [CLS] and
            [SEP], which follow from the number of tokens, then stand where they stand, and nothing else does.
        group: how many tokens make a position of the backbone.
    """

    self_conditioned = False
    """Whether `denoise` takes `previous`, its own last answer. A sampler that sees True hands it on from step to step
    (Chen et al. 2023, Analog Bits, arXiv:2208.04202)."""

    def __init__(
        self,
        options: Options,
        *,
        tokenizer: Tokenizer,
        backbone: Backbone,
        schedule: NoiseSchedule,
        steps: int,
        start_std: float | None = None,
        typed: bool = False,
        group: int = 1,
    ) -> None:
        super().__init__(options, tokenizer=tokenizer, backbone=backbone, schedule=schedule)
        self.group = group
        length = backbone.length if group == 1 else group * backbone.length + 2
        self.support = Support(tokenizer.grammar, length) if typed else None
        self.levels = GaussianLevels.from_betas(schedule.betas(steps))
        self.start_std = float(self.levels.sqrt_one_minus_alpha_bar[0]) if start_std is None else start_std

    @abstractmethod
    def embeddings(self) -> Tensor:
        """E [V, D], one row a token."""

    @abstractmethod
    def denoise(self, x_t: Tensor, t: Tensor, places: Places = EVERYWHERE, previous: Tensor | None = None) -> Tensor:
        """x0_hat [B, L, D], the estimate of what x_t was before any noise, in the dtype of x_t.

        `t` [B] is in [0, 1): the index of the noise level over T (`levels.times`). `previous` [B, L, D] is the
        estimate at the noise level before, None at the first; it is only given where `self_conditioned`.
        """

    def denoise_words(
        self, x_t: Tensor, t: Tensor, places: Places = EVERYWHERE, previous: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """What `denoise` answers, and the logits [B, L, V] of what it thinks of the tokens."""
        x0_hat = self.denoise(x_t, t, places, previous) if self.self_conditioned else self.denoise(x_t, t, places)
        return x0_hat, self.logits(x0_hat, places)

    @abstractmethod
    def round(self, x: Tensor) -> Tensor:
        """Logits [..., V] of p(w | x_start = x) for x [..., D]; −inf for tokens that stand at no kept position.

        A support is no business of it: see `logits`.
        """

    def logits(self, x: Tensor, places: Places = EVERYWHERE, admitted: Tensor | None = None) -> Tensor:
        """Logits [..., L, V] of `round` for x [..., L, D], −inf at tokens that the support leaves out.

        `admitted` [B, L, V] leaves out what a canvas does not allow.

        Without a support x may have any shape [..., D].
        """
        logits = restricted(self.round(x), admitted)
        if self.support is None:
            return logits
        return logits.masked_fill(~self._allowed(self.support, x.shape[-2], places.mask), -torch.inf)

    def _allowed(self, support: Support, length: int, mask: Tensor | None) -> Tensor:
        """[L, V], or [B, L, V] where `mask` says that rows end in different places: bool, what may stand where."""
        allowed = support.allowed(length).clone()
        tokens = torch.arange(allowed.shape[-1], device=allowed.device)
        allowed[0] = tokens == self.tokenizer.cls_id
        place = torch.arange(length, device=allowed.device)
        last = place[-1:] if mask is None else mask.sum(-1, keepdim=True) - 1  # [1] or [B, 1]
        return torch.where((place == last)[..., None], tokens == self.tokenizer.sep_id, allowed)

    def embed(self, ids: Tensor) -> Tensor:
        """E[ids]: ids [B, L] to [B, L, D]."""
        return F.embedding(ids, self.embeddings())

    def rounded(self, x: Tensor, places: Places = EVERYWHERE, admitted: Tensor | None = None) -> Tensor:
        """The rule of the final tokens: argmax of `logits`, specials left out.

        x [..., L, D] to ids [..., L] int64.
        """
        return self.logits(x, places, admitted)[..., len(SPECIALS) :].argmax(-1) + len(SPECIALS)

    def clamp(self, x: Tensor, places: Places = EVERYWHERE, admitted: Tensor | None = None) -> Tensor:
        """The clamping trick of Diffusion-LM, section 4.2: x [..., L, D] replaced by the nearest embedding of a token.

        Specials are left out, and what the support has no place for; the rest as in `logits`. Where the model is unsure
        that is often not the token of `tokens`, whose logits weigh long embeddings more and have a bias.
        """
        near = restricted(nearness(x, self.embeddings()), admitted)
        if self.support is not None:
            near = near.masked_fill(~self._allowed(self.support, x.shape[-2], places.mask), -torch.inf)
        return self.embed(near[..., len(SPECIALS) :].argmax(-1) + len(SPECIALS))

    def mean_embedding(self, x: Tensor, places: Places = EVERYWHERE) -> Tensor:
        """The mean of the embeddings under p(w | x), x [..., L, D]: a clamp that does not commit where it is unsure."""
        return self.mean_under(self.logits(x, places))

    def log_probability(self, x_t: Tensor, t: Tensor, ids: Tensor) -> Tensor:
        """[B, L] ln q(x_t | ids), x_t and t as in `denoise`: of the token, not of x_start."""
        signal, variance = self._marginal(x_t, t)
        return q_log_probability(x_t, signal, self.embed(ids), variance)

    def _marginal(self, x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """[B, 1] ᾱ_t and v_t, the variance of x_t given the tokens."""
        signal = self.levels.on(x_t).alpha_bar[(t * len(self.levels)).round().long()][:, None]
        return signal, signal * self.start_std**2 + 1 - signal

    def evidence(self, x_t: Tensor, t: Tensor) -> Tensor:
        """[B, L, V] ln q(x_t | w) of every token w, but for what is the same for all; x_t and t as in `denoise`.

        q(x_t | w) = N(√ᾱ_t E[w], v_t), so (√ᾱ_t x_t·E[w] − ½ ᾱ_t ‖E[w]‖²) / v_t.
        """
        signal, variance = (each[..., None] for each in self._marginal(x_t, t))
        table = self.embeddings()
        with torch.autocast(x_t.device.type, enabled=False):
            return (signal.sqrt() * x_t @ table.T - signal * (table**2).sum(-1) / 2) / variance

    def posterior_embedding(self, x_t: Tensor, t: Tensor, x0_hat: Tensor, places: Places = EVERYWHERE) -> Tensor:
        """The mean of the embeddings under p(w) ∝ p(w | x0_hat)^½ q(x_t | w), [B, L, D].

        Bayes' rule, with what the network says as the prior, at half weight because the network has seen x_t too.
        At little noise x_t alone tells the tokens, however roughly the network copies it; at much noise the network
        does.
        """
        return self.mean_under(0.5 * self.logits(x0_hat, places).log_softmax(-1) + self.evidence(x_t, t))

    def mean_under(self, logits: Tensor) -> Tensor:
        """[..., D] the mean embedding under softmax(logits [..., V]), in full precision also under autocast."""
        with torch.autocast(logits.device.type, enabled=False):
            return logits.softmax(-1) @ self.embeddings()

    def oracle(self, ids: Tensor) -> Callable[..., Tensor]:
        """A denoiser that answers with the embeddings of the tokens, whatever it is shown."""
        return lambda x_t, t, places=EVERYWHERE, previous=None: self.embed(ids)

    def predict(self, x_t: Tensor, t: Tensor, places: Places = EVERYWHERE) -> Tensor:
        """The estimate of E[w] that the bound is about, as `denoise`. Any map of x_t gives a valid bound.

        So a self-conditioned denoiser is told its own answer to the same x_t, not to one of another level.
        """
        x0_hat = self.denoise(x_t, t, places)
        if self.self_conditioned:
            x0_hat = self.denoise(x_t, t, places, x0_hat)
        return self.posterior_embedding(x_t, t, x0_hat, places)

    def bound(self, batch: Batch, generator: torch.Generator, *, levels: int | None = None) -> Bound:
        """The bound of `diffusion.bound`, in terms "prior", "diffusion" and "rounding".

        [CLS] and [SEP] are kept positions: what they cost is in the sum, though they are not counted in `tokens` (with
        a support, that is their part of "prior"). Call it in eval mode and without gradients. Raises DiffmidiError
        where tokens stand that the support leaves out.
        """
        real = batch.mask()
        if self.support is not None:
            self.support.check(batch)
        clean = self.embed(batch.ids)
        x_start = clean + self.start_std * draw_noise(generator, clean)
        nats = F.cross_entropy(
            self.logits(x_start, batch.places()).mT, batch.ids.masked_fill(~real, -100), reduction="none"
        )
        prior = prior_bits(self.levels, self.start_std, clean, real)
        errors = None if levels is None or levels >= len(self.levels) else self.errors_without_context(batch)
        diffusion, by_level = diffusion_bits(
            self.levels, self.start_std, clean, batch.places(), self.predict, generator, levels, errors
        )
        terms = {"prior": prior, "diffusion": diffusion, "rounding": nats / LN2}
        return Bound(terms, batch.tokens, by_level)

    def errors_without_context(self, batch: Batch) -> Tensor:
        """[N] E ‖e − E[e | x_t]‖² at each level, of a denoiser that knows tokens by their frequency and type alone.

        So frequent as in `batch`; float64 on the CPU. It takes as long as a few windows of a small network.
        """
        type_of = torch.from_numpy(self.tokenizer.grammar.type_of.astype(np.int64))
        music = batch.ids[batch.mask()]
        return errors_without_context(signal_to_noise(self.levels, self.start_std), self.embeddings(), music, type_of)
