"""The options of `gaussian`: each does what its paper says, and under all of them the bound is one."""

import itertools
from dataclasses import replace

import pytest
import torch

from diffmidi.api import DiffmidiError, UsageError
from diffmidi.api.process import EVERYWHERE, Batch
from diffmidi.api.sampler import Canvas, RowDraws
from diffmidi_core.registry import find
from diffmidi_core.testing.surroundings import context_of, toy_batch

CDCD = {"objective": "cross_entropy", "sphere": True}
SETTINGS = [
    {"typed": True},
    {"objective": "anchor"},
    {"objective": "cross_entropy"},
    {"objective": "cross_entropy", "output_prior": True},
    {"self_conditioning": True},
    {"sphere": True},
    {"noise_scale": 2.0},
    {"seen": "posterior"},
    {"seen": "posterior", "typed": True, "self_conditioning": True},
    {"times": "importance"},
    {"times": "warp"},
    {**CDCD, "typed": True, "output_prior": True, "self_conditioning": True, "times": "warp"},
]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def batch():
    ids = torch.tensor([[1, 5, 6, 7, 2, 0, 0], [1, 8, 4, 4, 9, 10, 2]])
    return Batch(ids, ids != 0, (ids > 3).sum(1))


@pytest.fixture(params=SETTINGS, ids=str)
def process(request, make_process):
    return make_process(words=8, steps=40, **request.param).eval()


def test_a_network_that_knows_the_words_pays_for_prior_and_rounding_alone(process, batch):
    knows = 60 * process.embed(batch.ids).detach()
    process.network = lambda x, t, mask, previous=None: knows.repeat(len(x) // len(knows), 1, 1)
    with torch.no_grad():
        bound = process.bound(batch, generator(), levels=None)
    if process.options.objective == "cross_entropy":  # else an answer so large is not one about x_start
        assert bound.terms["diffusion"].max() < 1e-3
    assert bound.terms["prior"][batch.mask()].min() > 0
    assert bound.terms["rounding"].sum() >= 0


def test_the_loss_is_the_sum_of_its_parts_and_teaches_every_parameter(process, batch):
    found = process.train().loss(batch, generator())
    torch.testing.assert_close(found["loss"].detach(), sum(found[name] for name in found if name != "loss"))
    found["loss"].backward()
    assert [name for name, each in process.named_parameters() if each.grad is None] == []
    assert all(each.grad.isfinite().all() for each in process.parameters())


@pytest.mark.parametrize(
    ("objective", "parts"),
    [
        ("mse", {"mse", "prior", "rounding"}),
        ("anchor", {"mse", "tokens", "prior"}),
        ("cross_entropy", {"tokens", "prior", "rounding"}),
    ],
)
def test_the_objective_says_what_is_learned(make_process, batch, objective, parts):
    assert set(make_process(objective=objective).loss(batch, generator())) == {"loss", *parts}


def test_with_an_output_prior_it_is_an_upper_bound_and_nearly_reached(make_process):
    """Kraft, over all windows of two words: and a network that knows nothing of them is nearly the best there is."""
    process = make_process(words=2, steps=500, dim=8, start_std=0.05, typed=True, output_prior=True, **CDCD).eval()
    process.network = lambda x, t, mask, previous=None: torch.zeros_like(x)
    windows = torch.tensor([[1, *words, 2] for words in itertools.product((4, 5), repeat=2)])
    copies = 100
    given = Batch(windows.repeat(copies, 1), None, torch.full((4 * copies,), 2))

    def mass(predict):
        process.predict = predict
        with torch.no_grad():
            bits = process.bound(given, generator(), levels=32).bits.view(copies, 4)
        return float((2 ** -bits.mean(0)).sum())

    predict = process.predict
    assert 0.8 < mass(predict) < 1
    assert mass(lambda x, t, mask: predict(x, t, mask) + 0.1) < 0.8 * mass(predict)


def test_an_output_prior_is_bayes_rule(make_process):
    """With a network that holds all words alike, x0_hat is the mean embedding under q(w | x_t)."""
    process = make_process(words=8, steps=50, output_prior=True, objective="cross_entropy").double().eval()
    process.network = lambda x, t, mask, previous=None: torch.zeros_like(x)
    x_t, t = torch.randn(2, 3, 16, generator=generator(), dtype=torch.float64), process.levels.times[[5, 30]]
    table = process.embeddings()[[1, 2, *range(4, 12)]]  # the words that may stand somewhere
    for row, index in enumerate((5, 30)):
        signal = process.levels.alpha_bar[index]
        variance = signal * process.start_std**2 + 1 - signal
        distance = ((x_t[row, :, None] - signal.sqrt() * table) ** 2).sum(-1)
        expected = (-distance / (2 * variance)).softmax(-1) @ table
        torch.testing.assert_close(process.denoise(x_t, t)[row], expected)


def test_the_network_sees_what_each_token_tells_of_itself(make_process):
    """The mean embedding under q(w | x_t), all tokens alike before; and what it sees of one hangs on no other."""
    process = make_process(words=8, steps=50, seen="posterior").double().eval()
    shown = []
    process.up.register_forward_pre_hook(lambda module, seen: shown.append(seen[0]))
    x_t, t = torch.randn(2, 3, 16, generator=generator(), dtype=torch.float64), process.levels.times[[5, 30]]
    process.network(x_t, t, EVERYWHERE)
    table = process.embeddings()[[1, 2, *range(4, 12)]]
    for row, index in enumerate((5, 30)):
        signal = process.levels.alpha_bar[index]
        variance = signal * process.start_std**2 + 1 - signal
        distance = ((x_t[row, :, None] - signal.sqrt() * table) ** 2).sum(-1)
        torch.testing.assert_close(shown[0][row], (-distance / (2 * variance)).softmax(-1) @ table)
    x_t[:, 1] += 1
    process.network(x_t, t, EVERYWHERE)
    torch.testing.assert_close(shown[1][:, [0, 2]], shown[0][:, [0, 2]])
    assert (shown[1][:, 1] - shown[0][:, 1]).abs().max() > 1e-3


def test_an_output_prior_needs_probabilities_of_words():
    with pytest.raises(UsageError, match="output_prior needs objective=cross_entropy, not mse"):
        find("process", "gaussian").options({"output_prior": True})


def test_x0_hat_of_cross_entropy_is_a_mean_of_embeddings(make_process):
    process = make_process(words=8, **CDCD)
    process.network = lambda x, t, mask, previous=None: torch.zeros_like(x)
    expected = process.embeddings()[[1, 2, *range(4, 12)]].mean(0).expand(2, 3, -1)
    torch.testing.assert_close(process.denoise(torch.randn(2, 3, 16), torch.tensor([0.1, 0.9])), expected)


def test_on_the_sphere_only_directions_count(make_process, batch):
    process = make_process(sphere=True).eval()
    lengths = process.embeddings().norm(dim=-1)
    torch.testing.assert_close(lengths, torch.full_like(lengths, 4.0))  # √16
    before = process.loss(batch, generator())["loss"]
    with torch.no_grad():
        process.tokens.embedding.mul_(7)
    torch.testing.assert_close(process.loss(batch, generator())["loss"], before)


def test_the_noise_scale_makes_noise_larger_and_words_no_less_sure(make_process):
    plain, noisy = make_process(words=8), make_process(words=8, noise_scale=2.0)
    torch.testing.assert_close(2 * noisy.embeddings(), plain.embeddings())
    x = torch.randn(2, 3, 16)
    torch.testing.assert_close(noisy.round(x / 2), plain.round(x))
    t = torch.tensor([0.5, 0.5])
    assert noisy.evidence(x, t).std() < plain.evidence(x, t).std()


def test_half_of_the_rows_are_shown_what_the_network_says_of_them_and_it_is_a_constant(make_process):
    process = make_process(self_conditioning=True)
    ids = torch.full((6, 5), 5)
    whole, seen = Batch(ids, None, torch.full((6,), 5)), []
    network = process.network

    def spy(x, t, mask, previous=None):
        said = network(x, t, mask, previous)
        seen.append((len(x), previous, said))
        return said

    process.network = spy
    process.loss(whole, generator())
    (rows, none, first), (_, previous, _) = seen
    assert rows == 3
    assert none is None
    assert torch.equal(previous[::2], first)
    assert not previous[1::2].any()
    assert not previous.requires_grad
    seen.clear()
    for part in whole.cut([1, 5]):  # the second begins with a row that is shown nothing
        process.loss(part, generator())
    torch.testing.assert_close(torch.cat([seen[1][1], seen[3][1]]), previous)


@pytest.mark.parametrize("name", ["ddpm", "ddim"])
def test_a_sampler_hands_the_last_estimate_on(make_process, name):
    process, told, said = make_process(self_conditioning=True).eval(), [], []

    def denoise(x, t, places, previous=None):
        told.append(previous)
        said.append(process.denoise(x, t, places, previous))
        return said[-1]

    draws = RowDraws.seeded(0, 2)
    find("sampler", name).build().sample(process, Canvas.blank(2, 5), steps=4, draws=draws, denoise=denoise)
    assert told[0] is None
    assert all(torch.equal(*pair) for pair in zip(told[1:], said[:-1], strict=True))


def test_the_network_listens_to_its_last_estimate(make_process):
    process = make_process(self_conditioning=True).eval()
    x, t = torch.randn(2, 3, 16), torch.tensor([0.2, 0.8])
    alone = process.denoise(x, t)
    torch.testing.assert_close(process.denoise(x, t, previous=torch.zeros_like(x)), alone)
    assert not torch.allclose(process.denoise(x, t, previous=torch.ones_like(x)), alone)


@pytest.fixture(params=[{}, CDCD, {**CDCD, "output_prior": True}], ids=["mse", "cdcd", "prior"])
def pair(request):
    """The same weights with and without a support, on real words; and windows of several lengths."""
    context = context_of("process")
    offer = find("process", "gaussian")
    made = []
    for typed in (False, True):
        torch.manual_seed(0)
        made.append(offer.build({**offer.load().tiny, "typed": typed, **request.param}, **context).eval())
    made[1].load_state_dict(made[0].state_dict())
    return *made, toy_batch(context["tokenizer"])


def test_a_support_lowers_the_bound_and_gives_the_brackets_for_nothing(pair):
    plain, typed, batch = pair
    with torch.no_grad():
        before, after = (each.bound(batch, generator(), levels=8) for each in (plain, typed))
    assert (after.bits < before.bits).all()
    assert (after.terms["rounding"] <= before.terms["rounding"] + 1e-6).all()
    brackets = (batch.ids == 1) | (batch.ids == 2)
    assert not after.terms["rounding"][brackets].any()
    if typed.options.objective == "cross_entropy":
        assert after.terms["diffusion"][brackets].max() < 1e-6
        assert before.terms["diffusion"][brackets].min() > 1e-6


def test_a_support_leaves_the_words_of_the_music_in_and_rounds_to_what_may_stand(pair):
    _, typed, batch = pair
    logits = typed.logits(torch.randn(*batch.ids.shape, typed.options.dim), batch.places())
    at_words = logits.gather(-1, batch.ids[..., None])[..., 0][batch.mask()]
    assert at_words.isfinite().all()
    assert (logits[:, 0].isfinite().sum(-1) == 1).all()
    words = typed.rounded(torch.randn(*batch.ids.shape, typed.options.dim), batch.places())
    place = torch.arange(words.shape[1])
    inside = (place > 0) & (place <= batch.tokens[:, None])
    assert not (typed.support.excluded(words) & inside).any()


def test_music_that_begins_inside_a_note_is_refused(pair):
    _, typed, batch = pair
    ids = batch.ids[-1:]
    shifted = replace(batch, ids=torch.cat([ids[:, :1], ids[:, 2:-1], ids[:, -2:]], 1), attention_mask=None)
    shifted = replace(shifted, tokens=batch.tokens[-1:])
    with pytest.raises(DiffmidiError, match="begins inside a note"):
        typed.bound(shifted, generator(), levels=1)
