"""The end-to-end loss, against the original's numbers and gradients, and against padding."""

import pytest
import torch
import torch.nn.functional as F

from diffmidi.api.process import GaussianLevels
from diffmidi_core.registry import find
from diffmidi_processes.end_to_end import end_to_end_terms


@pytest.fixture(scope="module")
def levels():
    return GaussianLevels.from_betas(find("schedule", "sqrt").build().betas(2000))


@pytest.fixture
def given(golden, levels):
    """The inputs of block `training`, with E and bias as leaves."""
    embeddings, bias = golden.embeddings.clone().requires_grad_(), golden.bias.clone().requires_grad_()
    return {
        "embeddings": embeddings,
        "denoise": golden.half,
        "round_": lambda x: F.linear(x, embeddings, bias),
        "levels": levels,
        "start_std": float(levels.sqrt_one_minus_alpha_bar[0]),
    }, bias


@pytest.mark.parametrize("mask", [None, torch.ones(4, 3, dtype=torch.bool)])
def test_terms_and_gradients_agree_with_the_original(golden, given, mask):
    (inputs, bias), block = given, golden["training"]
    seen = []

    def denoise(x_t, t):
        seen.append((x_t, t))
        return golden.half(x_t, t)

    terms = end_to_end_terms(
        golden.ids4,
        mask,
        torch.tensor([0, 1, 100, 1999]),
        golden.noise(0, 4, 3, 4),
        golden.noise(1, 4, 3, 4),
        **{**inputs, "denoise": denoise},
    )
    x_t, t = seen[0]
    golden.close(x_t, block["x_t"])
    golden.close(1000 * t, block["tau_seen"])
    golden.close(terms.mse, block["mse"])
    golden.close(terms.rounding, block["decoder_nll"])
    expected = torch.tensor(block["tT_loss"]["value"], dtype=torch.float64)
    torch.testing.assert_close(terms.prior, expected, rtol=1e-8, atol=0)
    loss = terms.mse + terms.prior + terms.rounding
    golden.close(loss, block["loss"])
    golden.close(loss.mean(), block["loss_mean"])
    loss.mean().backward()
    golden.close(inputs["embeddings"].grad, block["grad_E"])
    golden.close(bias.grad, block["grad_bias"])


def test_embedding_noise_agrees_with_the_original(golden, given):
    inputs, _ = given
    block = golden["training"]
    assert inputs["start_std"] == pytest.approx(block["x_start_std"]["value"], rel=1e-8)
    x_start = golden.embeddings[golden.ids4] + inputs["start_std"] * golden.noise(0, 4, 3, 4)
    golden.close(x_start, block["x_start"])
    golden.close(inputs["round_"](x_start[:2]).detach(), golden["logits"]["mode1"])


def test_padding_gives_the_loss_and_gradient_of_the_shorter_window(golden, given):
    inputs, bias = given
    t = torch.tensor([0, 1, 100, 1999])
    noises = golden.noise(0, 4, 5, 4), golden.noise(1, 4, 5, 4)
    found = []
    for length, filler in ((3, None), (5, 0), (5, 4)):
        ids = golden.ids4 if filler is None else F.pad(golden.ids4, (0, 2), value=filler)
        mask = None if filler is None else torch.arange(5).expand(4, 5) < 3
        terms = end_to_end_terms(ids, mask, t, *(noise[:, :length] for noise in noises), **inputs)
        loss = (terms.mse + terms.prior + terms.rounding).mean()
        found.append((loss, *torch.autograd.grad(loss, (inputs["embeddings"], bias))))
    for other in found[1:]:
        torch.testing.assert_close(other, found[0])


def test_a_row_without_any_kept_position_costs_nothing(golden, given):
    inputs, _ = given
    mask = torch.zeros(4, 3, dtype=torch.bool)
    noise = golden.noise(0, 4, 3, 4)
    terms = end_to_end_terms(golden.ids4, mask, torch.zeros(4, dtype=torch.int64), noise, noise, **inputs)
    for term in (terms.mse, terms.prior, terms.rounding):
        assert term.tolist() == [0, 0, 0, 0]
