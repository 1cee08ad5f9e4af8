"""Samplers of Gaussian processes: the original's runs, an oracle, fixed words, and refusals."""

import itertools

import pytest
import torch

from diffmidi.api import DiffmidiError, UsageError
from diffmidi.api.sampler import Canvas, GaussianLevels, Process, RowDraws
from diffmidi_core.registry import find
from diffmidi_core.testing.surroundings import context_of, smallest, toy_batch, toy_canvas

SAMPLERS = [
    ("ddpm", {}),
    ("ddpm", {"prediction": "clamp"}),
    ("ddim", {}),
    ("ddim", {"prediction": "clamp"}),
    ("ddim", {"eta": 1.0}),
    ("ddim", {"eta": 0.5, "prediction": "mean"}),
    ("dpmpp", {}),
    ("dpmpp", {"spacing": "time"}),
    ("dpmpp", {"eta": 1.0, "spacing": "karras"}),
    ("dpmpp", {"spacing": "logsnr", "prediction": "mean", "temperature": 0.7, "top_p": 0.9}),
    ("heun", {}),
    ("heun", {"spacing": "time"}),
    ("heun", {"spacing": "karras", "prediction": "mean"}),
]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


class Tape(RowDraws):
    """Normal numbers that are given beforehand."""

    def __init__(self, numbers):
        super().__init__([])
        self.numbers = iter(numbers)

    def normal(self, like):
        return next(self.numbers)


@pytest.fixture(params=SAMPLERS, ids=str)
def sampler(request):
    name, options = request.param
    return find("sampler", name).build(options)


@pytest.fixture
def process(make_process):
    return make_process(words=12, steps=40, dim=32).eval()


@pytest.mark.parametrize("method", ["ddpm", "ddim_eta0", "ddim_eta1"])
@pytest.mark.parametrize("clamp", [False, True])
def test_whole_runs_agree_with_the_original(golden, make_process, method, clamp):
    run = golden["sampling"]["runs"][f"{method}.half.{'clamp' if clamp else 'noclamp'}"]
    process = make_process(words=7, dim=4, steps=2000).double()
    with torch.no_grad():
        process.tokens.embedding[4:], process.tokens.bias[4:] = golden.embeddings, golden.bias
    options = {} if method == "ddpm" else {"eta": float(method[-1])}
    options |= {"prediction": "clamp"} if clamp else {}
    # The first noise is for fixed words: there are none.
    tape = (golden.noise(k, 2, 3, 4) for k in itertools.chain([0, 128], itertools.count(129)))
    seen = []

    def denoise(x, t, places):
        seen.append((x, t))
        return golden.half(x, t)

    canvas = Canvas.of(torch.zeros(2, 3, dtype=torch.int64), torch.zeros(2, 3, dtype=torch.bool), None)
    words = (
        find("sampler", method.partition("_")[0])
        .build(options)
        .sample(process, canvas, steps=5, draws=Tape(tape), denoise=denoise)
        .ids
    )
    assert [1000 * float(t[0]) for _, t in seen] == run["tau_of_steps"]
    golden.close(seen[0][0], golden.noise(128, 2, 3, 4).tolist())
    for step in range(1, 5):
        golden.close(seen[step][0], run[f"step{step - 1}"]["sample"])
    assert (words - 4).tolist() == run["tokens_argmax_logits"]


@pytest.mark.parametrize("steps", [1, 2, 7, 40])
def test_an_oracle_gives_the_words_back(process, sampler, steps):
    ids = torch.randint(4, 16, (3, 9), generator=generator(5))
    canvas = Canvas.blank(3, 7)
    told = []
    words = sampler.sample(
        process,
        canvas,
        steps=steps,
        draws=RowDraws.seeded(0, 3),
        denoise=lambda x, t, places: process.embed(ids),
        on_step=lambda done, of: told.append((done, of)),
    ).ids
    assert torch.equal(words[:, 1:-1], ids[:, 1:-1])
    assert words[:, 0].tolist() == [1, 1, 1]
    assert words[:, -1].tolist() == [2, 2, 2]
    assert told == [(done, steps) for done in range(1, steps + 1)]


def test_fixed_words_stay_and_specials_stand_only_where_fixed(process, sampler):
    ids = torch.randint(0, 16, (4, 10), generator=generator(1))
    fixed = torch.rand(4, 10, generator=generator(2)) < 0.4
    fixed[ids == 0] = True
    canvas = Canvas.of(ids, fixed, ids != 0)
    words = sampler.sample(process, canvas, steps=5, draws=RowDraws.seeded(0, 4)).ids
    assert words.dtype == torch.int64
    assert torch.equal(words[fixed], ids[fixed])
    assert int(words[~fixed].min()) >= 4
    # Also where the network asks for nothing but a special.
    for special in range(4):
        wanted = process.tokens.embedding[special].detach().expand(4, 10, -1)
        draws = RowDraws.seeded(0, 4)
        words = sampler.sample(process, canvas, steps=3, draws=draws, denoise=lambda *_, w=wanted: w).ids
        assert int(words[~fixed].min()) >= 4


def test_fixed_positions_are_as_noisy_as_in_training_at_every_level(process, sampler):
    count = 3000
    process.levels = GaussianLevels.from_betas(torch.full((40,), 0.03))  # so that signal is left at the noisiest level
    canvas = Canvas.of(torch.full((count, 2), 5), torch.tensor([[True, False]]).expand(count, -1), None)
    word, seen = process.tokens.embedding[5].detach(), []

    def denoise(x, t, places):
        assert not torch.is_grad_enabled()
        seen.append((float(t[0]), x[:, 0]))
        return torch.zeros_like(x)

    sampler.sample(process, canvas, steps=6, draws=RowDraws.seeded(0, count), denoise=denoise)
    for t, x in seen:
        signal = float(process.levels.alpha_bar[round(t * 40)])
        noise = signal * process.start_std**2 + 1 - signal
        torch.testing.assert_close(x.mean(0), signal**0.5 * word, rtol=0, atol=6 * (noise / count) ** 0.5)
        assert float(x.var(0).mean()) == pytest.approx(noise, rel=0.02)


def test_keep_goes_to_the_denoiser_and_padding_changes_nothing(process, sampler):
    ids = torch.tensor([[1, 5, 6, 2, 0, 0]])
    mask, fixed = ids != 0, torch.tensor([[True, False, False, True, True, True]])
    other = ids.masked_fill(ids == 0, 9)

    def seen(ids, mask):
        states = []

        def denoise(x, t, given):
            assert given.mask is mask
            states.append(x[:, :4])
            return process.denoise(x, t, given)

        sampler.sample(process, Canvas.of(ids, fixed, mask), steps=4, draws=RowDraws.seeded(0, 1), denoise=denoise)
        return torch.stack(states)

    assert torch.equal(seen(ids, mask), seen(other, mask))
    if sampler.options.prediction != "clamp":
        assert not torch.equal(seen(ids, None), seen(other, None))  # without mask it would


def test_the_draws_decide(process, sampler):
    canvas = Canvas.blank(4, 12)
    first, second, third = (
        sampler.sample(process, canvas, steps=4, draws=RowDraws.seeded(seed, 4), denoise=lambda x, t, places: 2 * x).ids
        for seed in (0, 0, 1)
    )
    assert torch.equal(first, second)
    assert not torch.equal(first, third)


def test_no_state_is_kept(process, sampler):
    before = dict(vars(sampler))
    sampler.sample(process, Canvas.blank(1, 3), steps=2, draws=RowDraws.seeded(0, 1))
    assert vars(sampler) == before


@pytest.mark.parametrize(("steps", "told"), [(0, "at least 1 step"), (-3, "at least 1 step"), (41, "41 .*1 to 40")])
def test_steps_out_of_range_are_refused(process, sampler, steps, told):
    with pytest.raises(DiffmidiError, match=told):
        sampler.sample(process, Canvas.blank(1, 3), steps=steps, draws=RowDraws.seeded(0, 1))


def test_a_process_of_another_family_is_refused(process, sampler):
    class Other(Process):
        def loss(self, batch, generator):
            raise NotImplementedError

        def bound(self, batch, generator, *, levels=None):
            raise NotImplementedError

        def oracle(self, ids):
            raise NotImplementedError

    other = Other(process.options, tokenizer=process.tokenizer, backbone=process.backbone, schedule=process.schedule)
    with pytest.raises(DiffmidiError, match=r"GaussianDiffusion.*Other"):
        sampler.sample(other, Canvas.blank(1, 3), steps=2, draws=RowDraws.seeded(0, 1))


def test_clamp_hands_embeddings_of_words_to_the_steps(process, monkeypatch):
    """The last step's result is the estimate itself: clamped, it is the nearest embedding, whose word is its own."""
    guess = torch.randn(2, 5, 32, generator=generator(3))
    clamped = []
    original = process.clamp
    monkeypatch.setattr(process, "clamp", lambda x, *more: clamped.append(x) or original(x, *more))
    canvas = Canvas.blank(2, 3)
    for clamp, calls in ((False, 0), (True, 2)):
        sampler = find("sampler", "ddpm").build({"prediction": "clamp" if clamp else "raw"})
        words = sampler.sample(process, canvas, steps=2, draws=RowDraws.seeded(0, 2), denoise=lambda *_: guess).ids
        assert len(clamped) == calls
        last = original(guess) if clamp else guess
        assert torch.equal(words[:, 1:-1], process.rounded(last)[:, 1:-1])
    assert not torch.equal(process.rounded(original(guess)), process.rounded(guess)), "the test would show nothing"


@pytest.mark.parametrize("typed", [False, True])
def test_clamp_takes_the_nearest_embedding_that_may_stand_there(make_process, typed):
    process = make_process(words=12, dim=4, typed=typed).double().eval()
    x = torch.randn(2, 6, 4, dtype=torch.float64, generator=generator(1))
    table = process.embeddings().detach()
    distance = torch.linalg.vector_norm(x[:, :, None] - table, dim=-1)
    distance[..., :4] = torch.inf
    nearest = distance.argmin(-1)
    clamped = process.clamp(x)
    assert torch.equal(clamped[:, 1:-1], table[nearest][:, 1:-1])
    if not typed:
        assert torch.equal(clamped, table[nearest])
    assert (process.rounded(x) != nearest).any(), "the rule of the final words is another"


TOKENIZERS = [
    *(("mmm", {"layout": layout}) for layout in ("aligned", "run", "paper")),
    ("remi", {}),
    *(("miditok", {"type": kind}) for kind in ("TSD", "MIDILike", "Structured")),
]


@pytest.fixture(scope="module", params=TOKENIZERS, ids=str)
def untrained(request):
    name, options = request.param
    tokenizer = find("tokenizer", name).build({**find("tokenizer", name).load().tiny, **options})
    return smallest("process", "gaussian", **{**context_of("process"), "tokenizer": tokenizer}).eval()


@pytest.mark.parametrize("kept", [0.0, 0.4])
@pytest.mark.parametrize("name", ["ddpm", "dpmpp", "heun"])
def test_an_untrained_model_makes_no_fault_and_keeps_what_is_kept(untrained, name, kept):
    tokenizer = untrained.tokenizer
    canvas = toy_canvas(toy_batch(tokenizer), kept)
    sampler = find("sampler", name).build()
    found = sampler.sample(untrained, canvas, steps=5, draws=RowDraws.seeded(0, len(canvas.ids)))
    words, record = found.ids, found.record
    assert torch.equal(words[canvas.fixed], canvas.ids[canvas.fixed])
    assert [tokenizer.faults(row.numpy()) for row in words] == [0] * len(words)
    loose = find("sampler", name).build({"legal": False})
    found = loose.sample(untrained, canvas, steps=5, draws=RowDraws.seeded(0, len(canvas.ids)))
    plain, nothing = found.ids, found.record
    assert record["grammar_changes"].tolist() == (words != plain).sum(-1).tolist()
    assert not nothing
    if not kept:
        assert sum(tokenizer.faults(row.numpy()) for row in plain) > 0, "the test would show nothing"
        assert record["grammar_changes"].sum() > 0


def test_words_that_no_text_has_are_refused(untrained):
    """Two last words in a row, say: the grammar has no place for the second."""
    tokenizer = untrained.tokenizer
    canvas = toy_canvas(toy_batch(tokenizer))
    for word in range(4, len(tokenizer.vocab)):
        ids = canvas.ids.clone()
        ids[:, 1:3] = word
        if tokenizer.faults(ids[0, 1:3].numpy()) > 1:
            fixed = canvas.fixed.clone()
            fixed[:, 1:3] = True
            broken = Canvas.of(ids, fixed, canvas.attention_mask)
            draws = RowDraws.seeded(0, len(ids))
            with pytest.raises(DiffmidiError, match="keep whole notes"):
                find("sampler", "ddim").build().sample(untrained, broken, steps=2, draws=draws)
            return
    pytest.skip("every word of this tokenizer may stand twice at the beginning")


def test_temperature_and_top_p_choose_among_the_words_of_the_estimate(process):
    """Between two words, where neither is sure: from their mean to the likelier one alone."""
    one, other = process.tokens.embedding[4].detach(), process.tokens.embedding[5].detach()
    points = torch.lerp(one, other, torch.linspace(0, 1, 400)[:, None])
    between = points[process.logits(points).softmax(-1)[:, 5] < 0.3][-1].expand(2, 5, -1)

    def end(**options):
        seen = []
        sampler = find("sampler", "ddim").build({"prediction": "mean", "legal": False, **options})
        original, process.rounded = process.rounded, lambda x, *more: seen.append(x) or original(x, *more)
        draws = RowDraws.seeded(0, 2)
        sampler.sample(process, Canvas.blank(2, 3), steps=3, draws=draws, denoise=lambda *_: between)
        del process.rounded
        return seen[0][0, 1]

    share = process.logits(between)[0, 0].softmax(-1).detach()
    assert float(share[5]) > 0.2, "the test needs a word that is unsure"
    torch.testing.assert_close(end(), share @ process.tokens.embedding.detach())
    for sure in ({"temperature": 0.001}, {"top_p": 0.01}):
        torch.testing.assert_close(end(**sure), process.tokens.embedding[int(share.argmax())].detach())


@pytest.mark.parametrize("options", [{"temperature": 0.5}, {"top_p": 0.9, "prediction": "clamp"}])
def test_a_temperature_without_words_is_refused(options):
    with pytest.raises(UsageError, match="prediction=mean"):
        find("sampler", "ddpm").build(options)


def test_words_and_estimates_of_one_evaluation_belong_together(make_process):
    for objective in ("mse", "cross_entropy"):
        process = make_process(objective=objective, self_conditioning=True).eval()
        x, t = torch.randn(2, 6, 16, generator=generator(1)), torch.tensor([0.2, 0.7])
        with torch.no_grad():
            x0_hat, logits = process.denoise_words(x, t, previous=2 * x)
            torch.testing.assert_close(x0_hat, process.denoise(x, t, previous=2 * x))
            expected = process.logits(x0_hat) if objective == "mse" else None
            if expected is None:
                torch.testing.assert_close(process.mean_under(logits), x0_hat)
            else:
                torch.testing.assert_close(logits, expected)


@pytest.mark.parametrize(("steps", "evaluations"), [(1, 1), (2, 2), (5, 5), (6, 6), (40, 40)])
@pytest.mark.parametrize("name", ["ddpm", "dpmpp", "heun"])
def test_steps_are_evaluations(process, name, steps, evaluations):
    asked = []
    find("sampler", name).build().sample(
        process,
        Canvas.blank(1, 3),
        steps=steps,
        draws=RowDraws.seeded(0, 1),
        denoise=lambda x, t, places: asked.append(float(t[0])) or x,
    )
    assert len(asked) == evaluations
    assert asked == sorted(asked, reverse=True)


def test_what_is_not_finite_is_said(process):
    draws = RowDraws.seeded(0, 1)
    with pytest.raises(DiffmidiError, match="not finite"):
        find("sampler", "ddim").build().sample(
            process, Canvas.blank(1, 3), steps=2, draws=draws, denoise=lambda x, t, places: x * torch.nan
        )
