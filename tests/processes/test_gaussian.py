"""Process `gaussian`: what it holds, what it learns from, and that padding is nothing to it."""

import copy

import pytest
import torch
import torch.nn.functional as F

from diffmidi.api.process import Batch
from diffmidi_core.registry import find

from .learning import left_of_bound


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def batch():
    ids = torch.tensor([[1, 5, 6, 7, 2, 0, 0], [1, 8, 4, 4, 9, 10, 2]])
    return Batch(ids, ids != 0, (ids > 3).sum(1))


@pytest.fixture
def process(make_process):
    return make_process(words=8, steps=50)


def test_the_embedding_is_stored_once_and_nothing_can_be_recomputed_is(process):
    state = process.state_dict()
    assert [name for name, value in state.items() if value.shape == (12, 16) and "time" not in name] == [
        "tokens.embedding"
    ]
    assert not any("never" in name or "levels" in name for name in state)


def test_every_parameter_learns(process, batch):
    process(batch, generator())["loss"].backward()
    assert [name for name, parameter in process.named_parameters() if parameter.grad is None] == []
    assert process.tokens.embedding.grad[4:].abs().sum(-1).min() > 0


def test_loss_is_the_sum_of_its_parts_and_only_it_has_a_gradient(process, batch):
    scalars = process.loss(batch, generator())
    assert set(scalars) == {"loss", "mse", "prior", "rounding"}
    assert [name for name, value in scalars.items() if value.requires_grad] == ["loss"]
    torch.testing.assert_close(scalars["loss"].detach(), scalars["mse"] + scalars["prior"] + scalars["rounding"])


def test_padding_is_not_in_the_loss_and_gets_no_gradient(process, batch):
    def found(ids, mask):
        process.zero_grad()
        loss = process.loss(Batch(ids, mask, batch.tokens), generator())["loss"]
        loss.backward()
        return loss.detach(), {name: parameter.grad.clone() for name, parameter in process.named_parameters()}

    padded, gradients = found(batch.ids, batch.attention_mask)
    assert gradients["tokens.embedding"][0].tolist() == [0] * 16
    assert gradients["tokens.bias"][0] == 0
    other, others = found(batch.ids.masked_fill(batch.ids == 0, 11), batch.attention_mask)
    assert other == padded
    for name, gradient in gradients.items():
        torch.testing.assert_close(others[name], gradient, rtol=0, atol=0)
    assert found(batch.ids.masked_fill(batch.ids == 0, 11), None)[0] != padded  # without the mask it would count


def test_pad_and_mask_have_no_share_in_rounding(process):
    logits = process.round(torch.randn(3, 16))
    assert logits.softmax(-1)[:, [0, 3]].tolist() == [[0, 0]] * 3
    assert torch.isfinite(logits[:, [1, 2, 4, 11]]).all()


def test_rounding_words_are_words_of_music(process):
    words = process.rounded(10 * torch.randn(500, 16, generator=generator()))
    assert int(words.min()) >= 4
    assert len(words.unique()) == 8
    specials = process.tokens.embedding[:4].detach()
    assert int(process.rounded(specials).min()) >= 4


def test_clamp_and_mean_embedding_agree_where_a_word_is_sure(process):
    rows = process.tokens.embedding[4:].detach()
    torch.testing.assert_close(process.clamp(rows), rows, rtol=0, atol=0)
    torch.testing.assert_close(process.mean_embedding(20 * rows), rows, rtol=0, atol=1e-3)
    unsure = process.mean_embedding(torch.zeros(16))
    torch.testing.assert_close(unsure, process.tokens.embedding[[1, 2, *range(4, 12)]].mean(0))


def test_the_bound_can_judge_either_estimate(make_process):
    x, t = torch.randn(2, 3, 16, generator=generator()), torch.tensor([0.1, 0.9])
    raw, mean = (make_process(words=8, bound_prediction=which) for which in ("raw", "mean"))
    assert torch.equal(raw.predict(x, t), raw.denoise(x, t))
    assert torch.equal(mean.predict(x, t), mean.mean_embedding(mean.denoise(x, t)))


def test_a_copy_is_whole_and_apart(process, batch):
    copied = copy.deepcopy(process)
    assert copied.loss(batch, generator())["loss"] == process.loss(batch, generator())["loss"]
    with torch.no_grad():
        copied.tokens.embedding += 1
    assert copied.loss(batch, generator())["loss"] != process.loss(batch, generator())["loss"]


def test_training_goes_on_after_inference(process, batch):
    with torch.inference_mode():
        process.bound(batch, generator(), levels=2)
    process.loss(batch, generator())["loss"].backward()
    assert process.tokens.embedding.grad is not None


def test_the_same_generator_gives_the_same_loss(process, batch):
    first, second, third = (process.loss(batch, generator(seed))["loss"] for seed in (0, 0, 1))
    assert first == second
    assert first != third


def test_every_noise_level_is_trained(make_process):
    process = make_process(steps=4)
    seen = []
    process.network = lambda x, t, mask: seen.extend(t.tolist()) or x
    ids = torch.full((400, 3), 5)
    process.loss(Batch(ids, None, torch.full((400,), 3)), generator())
    shares = torch.tensor([seen.count(t) for t in (0.0, 0.25, 0.5, 0.75)]) / 400
    assert ((shares - 0.25).abs() < 0.08).all()
    assert shares.sum() == 1


def test_the_network_is_told_thousandths_of_the_chain(process, monkeypatch):
    told = []
    module = "diffmidi_processes.gaussian.time_embedding"
    monkeypatch.setattr(module, lambda tau, width: told.append(tau) or torch.zeros(len(tau), width))
    process.denoise(torch.zeros(2, 3, 16), torch.tensor([0.0, 0.5]))
    assert told[0].tolist() == [0, 500]


def test_the_estimate_depends_on_the_time(process):
    x_t = torch.zeros(2, 3, 16)
    early, late = process.denoise(x_t, torch.tensor([0.1, 0.9]))
    assert (early - late).abs().max() > 1e-3


def test_start_std_follows_the_schedule_unless_it_is_given(make_process):
    beta = find("schedule", "sqrt").build().betas(2000)[0]
    assert make_process(steps=2000).start_std == pytest.approx(float(beta.sqrt()))
    assert make_process(steps=2000, start_std=0.3).start_std == 0.3


def test_autocast_leaves_rounding_in_full_precision(process):
    x = torch.randn(4, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = process.round(x)
        assert process.denoise(x[None], torch.tensor([0.5])).dtype == torch.float32
    assert torch.equal(rounded, F.linear(x, process.tokens.embedding, process.tokens.bias + process.tokens.never))


def test_it_learns_a_fixed_melody(make_process):
    # Judged by the network's answer alone: with what x_t itself says, little is left to learn from so few words.
    process = make_process(words=8, steps=50, bound_prediction="mean")
    ids = torch.tensor([[1, 5, 6, 7, 8, 2]]).repeat(16, 1)
    assert left_of_bound(process, Batch(ids, None, torch.full((16,), 4))) < 0.7


def test_the_evidence_is_the_density_of_x_t_given_each_word(make_process):
    process = make_process(words=8, steps=50).double()
    t = process.levels.times[[0, 30]]
    x_t = torch.randn(2, 3, 16, generator=generator(), dtype=torch.float64)
    evidence = process.evidence(x_t, t)
    for row, index in enumerate((0, 30)):
        signal = process.levels.alpha_bar[index]
        std = (signal * process.start_std**2 + 1 - signal).sqrt()
        density = torch.distributions.Normal(signal.sqrt() * process.tokens.embedding, std)
        expected = density.log_prob(x_t[row, :, None]).sum(-1)
        offset = (evidence[row] - expected).detach()
        torch.testing.assert_close(offset, offset[:, :1].expand_as(offset), rtol=1e-9, atol=1e-9)


def test_the_posterior_tells_the_words_at_little_noise_though_the_network_knows_nothing(make_process):
    process = make_process(words=8, steps=2000, dim=32)
    ids = torch.randint(4, 12, (4, 6), generator=generator())
    clean = process.embed(ids)
    x_t = clean + 0.15 * torch.randn(clean.shape, generator=generator())
    ignorant = torch.zeros_like(x_t)
    guess = process.posterior_embedding(x_t, torch.zeros(4), ignorant)
    assert ((guess - clean) ** 2).sum(-1).max() < 1e-3
    assert ((process.mean_embedding(ignorant) - clean) ** 2).sum(-1).min() > 1


def test_log_probabilities_are_the_evidence_but_for_what_all_tokens_share(make_process):
    """ln q(x_t | w), from the density, and as the output prior has it."""
    process = make_process(words=8, dim=16).double().eval()
    x_t = torch.randn(2, 3, 16, generator=generator(), dtype=torch.float64)
    t = process.levels.times[[3, 11]]
    each = torch.stack([process.log_probability(x_t, t, torch.full((2, 3), token)) for token in range(12)], -1)
    torch.testing.assert_close(each.log_softmax(-1), process.evidence(x_t, t).log_softmax(-1))
    signal = process.levels.alpha_bar[11]
    variance = signal * process.start_std**2 + 1 - signal
    density = torch.distributions.Normal(signal.sqrt() * process.tokens.embedding[7], variance.sqrt())
    torch.testing.assert_close(each[1, :, 7], density.log_prob(x_t[1]).sum(-1))
