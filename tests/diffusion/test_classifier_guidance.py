"""Drawing led by classifiers: exact against a whole vocabulary, first order against exact, and Adagrad's steps."""

import pytest
import torch

from diffmidi.api.sampler import RowDraws
from diffmidi_core.contracts.places import Places
from diffmidi_core.diffusion.classifier import MaskedClassifier
from diffmidi_core.diffusion.classifier_guidance import RATE, Aim, GaussianGuide, MaskedGuide
from diffmidi_core.testing.surroundings import generator, smallest, toy_batch, toy_canvas, toy_process
from tests.diffusion.test_classifier import of

GAMMA = 2.0


class Known(MaskedClassifier):
    """log p(c | z) is known: linear in the embeddings of the tokens, whatever else stands there."""

    def of_features(self, features, z, places=None):
        return (features * self.weight[: features.shape[1], None]).sum(1)[:, : self.classes]


def known(model, classes=3):
    classifier = of(model, classes)
    classifier.__class__ = Known
    classifier.classes = classes
    classifier.weight = torch.linspace(0.1, 1, 64)
    return classifier


@pytest.fixture
def setting():
    """A model, windows with three tokens masked in each row, and what is known of their positions."""
    model = toy_process("masked")
    batch = toy_batch(model.tokenizer)
    z = batch.ids.clone()
    z[:, 1:4] = model.tokenizer.mask_id
    places = batch.places(None if model.plan is None else model.type_of[batch.ids])
    return model, z, places


def led(setting, aims, exact, weight=GAMMA):
    model, z, places = setting
    with torch.no_grad():
        return MaskedGuide(model, model.denoiser(), aims, weight, exact)(z, model.hidden_now(z), places)


def distribution(setting, logits):
    """[B, L, V] what is drawn from, position by position."""
    return setting[0].log_probabilities(logits.float(), setting[2].types)


def own(setting):
    model, z, places = setting
    with torch.no_grad():
        return model.denoise(z, model.hidden_now(z), places)


@pytest.mark.parametrize("make", [of, known], ids=["network", "known"])
def test_exact_guidance_is_what_trying_every_token_gives(setting, make):
    """p(v) p(c | z with v)^γ, normalised over the vocabulary, at every masked position."""
    model, z, places = setting
    classifier, number = make(model), torch.tensor([1, 2, 3, 1, 2, 3])
    found = distribution(setting, led(setting, [Aim(classifier, number)], exact=10**6))
    before = distribution(setting, own(setting))
    for row, place in ((0, 1), (3, 2), (5, 3)):
        tried = torch.full_like(before[row, place], -torch.inf)
        for token in before[row, place].isfinite().nonzero()[:, 0].tolist():
            with_it = z[row : row + 1].clone()
            with_it[0, place] = token
            with torch.no_grad():
                told = classifier.log_p(with_it, places.rows(torch.tensor([row])))[0, number[row] - 1]
            tried[token] = before[row, place, token] + GAMMA * told
        assert torch.allclose(found[row, place], tried.log_softmax(-1), atol=1e-4)


def test_the_first_order_is_exact_where_the_classifier_is_linear(setting):
    aims = [Aim(known(setting[0]), torch.tensor([1, 2, 3, 1, 2, 3]))]
    exact, first = (distribution(setting, led(setting, aims, each)) for each in (10**6, 0))
    assert torch.allclose(exact, first, atol=1e-4)
    assert not torch.allclose(exact, distribution(setting, own(setting)), atol=1e-2)


def test_the_error_of_the_first_order_falls_with_the_square_of_the_step(setting):
    """Embeddings of tokens that lie ε from [MASK]'s: the error is of ε² (the share masked is held fixed)."""
    classifier = of(setting[0])
    classifier.time[2].weight.data.zero_()
    table, errors = classifier.table.detach().clone(), []
    for scale in (0.2, 0.1):
        mask = table[classifier.tokenizer.mask_id]
        classifier.table.data.copy_(mask + scale * (table - mask))
        aims = [Aim(classifier, torch.tensor([1, 2, 3, 1, 2, 3]))]
        exact, first = (distribution(setting, led(setting, aims, each)) for each in (10**6, 0))
        finite = exact.isfinite()
        errors.append(float((exact - first)[finite].abs().max()))
    assert 0 < errors[1] < errors[0] / 2.5


def test_few_alternatives_are_tried_and_the_rest_judged_to_first_order(setting):
    model, z, _ = setting
    aims = [Aim(of(model), torch.tensor([1, 2, 3, 1, 2, 3]))]
    log_p = distribution(setting, own(setting))
    counts = (log_p.isfinite() & (z == model.tokenizer.mask_id)[..., None]).sum(-1)
    fewest = int(counts[0][counts[0] > 0].min())
    some, none, all_ = (distribution(setting, led(setting, aims, each)) for each in (fewest, 0, 10**6))
    at = int((counts[0] == fewest).nonzero()[0])
    assert torch.allclose(some[0, at], all_[0, at], atol=1e-4)
    others = [place for place in (1, 2, 3) if place != at]
    assert torch.allclose(some[0, others], none[0, others], atol=1e-4)


def test_two_classifiers_add_up(setting):
    model = setting[0]
    aims = [Aim(known(model), torch.tensor([1] * 6)), Aim(known(model, 2), torch.tensor([2, 2, 2, 0, 2, 2]))]
    first, second, both = (led(setting, each, 10**6) for each in (aims[:1], aims[1:], aims))
    plain, finite = own(setting), both.isfinite()
    assert torch.allclose((both - plain)[finite], (first + second - 2 * plain)[finite], atol=1e-3)
    assert torch.equal(second[3], plain[3])  # where any value will do


def test_a_weight_of_nothing_is_the_model(setting):
    assert torch.equal(led(setting, [Aim(of(setting[0]), torch.tensor([1] * 6))], 64, weight=0.0), own(setting))


@pytest.fixture
def normal():
    """A Gaussian model, its classifier, and noised embeddings."""
    model = toy_process("gaussian")
    batch = toy_batch(model.tokenizer)
    x = torch.randn(*batch.ids.shape, model.embeddings().shape[1], generator=generator())
    return model, of(model), x, batch.places()


def told(classifier, x, places, number):
    with torch.no_grad():
        return classifier.log_p(x, torch.full((len(x),), 0.5), places)[:, number - 1]


def test_steps_of_adagrad_raise_the_probability_of_what_is_asked(normal):
    model, classifier, x, places = normal
    guide = GaussianGuide(model, None, [Aim(classifier, torch.full((6,), 2))], 5.0)
    moved = guide.moved(x, x, 0.05, 0.5, places)
    assert (told(classifier, moved, places, 2) > told(classifier, x, places, 2)).all()
    # The first step is of the rate along every coordinate, and the later ones are smaller.
    assert (moved - x).abs().max() <= RATE * model.embeddings().std() * (1 + 2**-0.5 + 3**-0.5) + 1e-5
    assert torch.equal(moved, guide.moved(x, x, 0.05, 0.5, places))


def test_fluency_pulls_back_to_the_mean(normal):
    """Where any value will do, what lies off the mean of the step comes nearer."""
    model, classifier, x, places = normal
    guide = GaussianGuide(model, None, [Aim(classifier, torch.zeros(6, dtype=torch.int64))], 5.0)
    mean = x - 1
    assert ((guide.moved(x, mean, 0.05, 0.5, places) - mean).abs() < (x - mean).abs()).all()
    assert torch.equal(guide.moved(mean, mean, 0.05, 0.5, places), mean)


def test_the_last_steps_are_left_alone(normal):
    model, classifier, x, places = normal
    guide = GaussianGuide(model, None, [Aim(classifier, torch.full((6,), 1))], 5.0)
    assert torch.equal(guide.moved(x, x, 0.05, 0.01, places), x)
    assert torch.equal(guide.moved(x, x, 0.0, 0.5, places), x)


@pytest.mark.parametrize("sampler", ["ddpm", "ddim", "dpmpp", "heun"])
def test_a_sampler_goes_on_from_where_it_is_led(normal, sampler):
    model, classifier, _, _ = normal
    canvas, drawer = toy_canvas(toy_batch(model.tokenizer)), smallest("sampler", sampler)
    led_to = []

    class Watched(GaussianGuide):
        def moved(self, x, mean, variance, time, places: Places):
            led_to.append((time, variance))
            return super().moved(x, mean, variance, time, places)

    def draw(denoise):
        draws = RowDraws([generator(row) for row in range(len(canvas.ids))])
        return drawer.sample(model, canvas, steps=5, draws=draws, denoise=denoise).ids

    guide = Watched(model, None, [Aim(classifier, torch.full((len(canvas.ids),), 1))], 50.0)
    ids = draw(guide)
    assert led_to
    assert all(variance > 0 for _, variance in led_to)
    assert [time for time, _ in led_to] == sorted((time for time, _ in led_to), reverse=True)
    assert torch.equal(ids[canvas.fixed], canvas.ids[canvas.fixed])
    assert torch.equal(ids, draw(guide))
