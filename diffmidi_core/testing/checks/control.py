"""What a control promises. It is tried on the smallest installed processes, and on toy music."""

from __future__ import annotations

import math
from typing import Any

import torch

from diffmidi_core.contracts.canvas import Canvas
from diffmidi_core.contracts.control import Control, Prepares, Scores, Wraps
from diffmidi_core.contracts.draws import RowDraws
from diffmidi_core.contracts.process import Process
from diffmidi_core.contracts.tokenizer import Tokenizer
from diffmidi_core.diffusion.choosing import Choosing
from diffmidi_core.errors import BrokenPluginError, DiffmidiError
from diffmidi_core.music.toy import toy_scores
from diffmidi_core.registry import offers
from diffmidi_core.testing.component import Component
from diffmidi_core.testing.expect import ConformanceError, expect, never_raises
from diffmidi_core.testing.surroundings import close, generator, smallest, toy_batch, toy_canvas, toy_process
from diffmidi_core.testing.variants import whatever_the_options

FAMILIES = ("masked", "gaussian")
STEPS = 3


def use(control: Control) -> None:
    """What a draw does with it."""
    process = toy_process("masked")
    canvas = toy_canvas(toy_batch(process.tokenizer))
    if isinstance(control, Prepares) and (narrowed := _prepared(control, canvas, process.tokenizer)):
        canvas = narrowed
    if isinstance(control, Wraps):
        control.wrap(process.denoiser(), process)
    if isinstance(control, Scores):
        control.score(list(toy_scores().values()))


def check_it_is_something(component: Component) -> None:
    """It has prepare, wrap or score, and each that is there can be called."""
    control = component.build()
    found = [name for name in ("prepare", "wrap", "score") if hasattr(control, name)]
    expect(found, "it has none of the methods prepare, wrap and score, so it does nothing")
    for name in found:
        expect(callable(getattr(control, name)), f"{name} is a method")


@whatever_the_options
def check_preparing_only_narrows(component: Component) -> None:
    """What may be drawn is less than before and not nothing; what is fixed stays, and the canvas is left alone."""
    control = component.build()
    if not isinstance(control, Prepares):
        return
    tried = 0
    for tokenizer in _tokenizers():
        for canvas in _canvases(tokenizer):
            before, ids, fixed = _admitted(canvas, tokenizer), canvas.ids.clone(), canvas.fixed.clone()
            found = _prepared(control, canvas, tokenizer)
            if found is None:
                continue
            tried += 1
            expect(
                torch.equal(canvas.ids, ids) and torch.equal(canvas.fixed, fixed), "preparing changes the canvas given"
            )
            expect(found.ids.shape == ids.shape, f"the canvas is of the same shape, not {list(found.ids.shape)}")
            expect(torch.equal(found.ids[fixed], ids[fixed]), "what is fixed stays")
            expect(bool(found.fixed[fixed].all()), "what is fixed is still fixed")
            free = ~found.fixed
            after = _admitted(found, tokenizer)
            expect(not (after & ~before)[free].any(), "tokens are allowed that were not: a control only narrows")
            expect(bool(after.any(-1)[free].all()), "nothing may be drawn at some position")
            for name in ("attention_mask", "types"):
                one, other = getattr(found, name), getattr(canvas, name)
                expect(one is other or torch.equal(one, other), f"preparing changes the canvas's {name}")
    expect(tried, "it refuses the canvases of every installed tokenizer")


@whatever_the_options
def check_preparing_again_changes_nothing(component: Component) -> None:
    """Preparing what is prepared allows the same, and so does preparing the canvas once more."""
    control = component.build()
    if not isinstance(control, Prepares):
        return
    for tokenizer in _tokenizers():
        for canvas in _canvases(tokenizer):
            once = _prepared(control, canvas, tokenizer)
            if once is None:
                continue
            twice, anew = _prepared(control, once, tokenizer), _prepared(control, canvas, tokenizer)
            assert twice is not None
            assert anew is not None
            allowed = _admitted(once, tokenizer)
            expect(torch.equal(_admitted(twice, tokenizer), allowed), "what is prepared twice allows something else")
            expect(torch.equal(_admitted(anew, tokenizer), allowed), "preparing the same canvas again allows otherwise")


@whatever_the_options
def check_rows_are_prepared_alone(component: Component) -> None:
    """A row of a canvas, prepared alone, allows what it allows among others."""
    control = component.build()
    if not isinstance(control, Prepares):
        return
    for tokenizer in _tokenizers():
        canvas = _canvases(tokenizer)[0]
        together = _prepared(control, canvas, tokenizer)
        for row in range(len(canvas.ids)) if together is not None else ():
            alone = _prepared(control, canvas.rows(torch.tensor([row])), tokenizer)
            assert alone is not None
            assert together is not None
            same = torch.equal(_admitted(alone, tokenizer)[0], _admitted(together, tokenizer)[row])
            expect(same, f"row {row + 1} allows something else when it is prepared alone")


@whatever_the_options
def check_wrapped_answers_as_a_denoiser(component: Component) -> None:
    """A wrapped denoiser answers in the shape of the process's own, row by row, and leaves what it is shown alone."""
    control = component.build()
    if not isinstance(control, Wraps):
        return
    tried = 0
    for family in FAMILIES:
        process = toy_process(family)
        try:
            wrapped = control.wrap(process.denoiser(), process)
        except BrokenPluginError:
            raise
        except DiffmidiError:
            continue  # a control may be of one family
        tried += 1
        state, time, places = _state(process)
        kept = state.clone()
        with torch.no_grad():
            own, found = process.denoiser()(state, time, places), wrapped(state, time, places)
            expect(found.shape == own.shape and found.dtype == own.dtype, "it answers in another shape or dtype")
            expect(not found.isnan().any(), "it answers with no numbers")
            expect(torch.equal(state, kept), "it changes the state that it is shown")
            for row in range(len(state)):
                one = torch.tensor([row])
                alone = control.wrap(process.denoiser(), process)(state[one], time[one], places.rows(one))
                expect(close(alone[0], found[row], 1e-3), f"row {row + 1} is answered otherwise when asked alone")
    expect(tried, f"it wraps the denoiser of no process of {', '.join(FAMILIES)}")


@whatever_the_options
def check_losses_are_of_each_piece(component: Component) -> None:
    """A finite loss, 0 or more, for each piece: the same in any order and alone; and the music is left alone."""
    control = component.build()
    if not isinstance(control, Scores):
        return
    pieces = list(toy_scores().values())
    losses = [float(loss) for loss in control.score(pieces)]
    expect(len(losses) == len(pieces), f"{len(pieces)} pieces have {len(losses)} losses")
    wrong = [loss for loss in losses if not (math.isfinite(loss) and loss >= 0)]
    expect(not wrong, f"losses are finite, and 0 or more, not {wrong}")
    back = [float(loss) for loss in control.score(pieces[::-1])][::-1]
    alone = [float(control.score([piece])[0]) for piece in pieces]
    for name, others in (("in another order", back), ("alone", alone)):
        same = all(math.isclose(*pair, rel_tol=1e-6, abs_tol=1e-9) for pair in zip(losses, others, strict=True))
        expect(same, f"pieces judged {name} have other losses")
    expect(pieces == list(toy_scores().values()), "judging changes the music")
    expect(list(control.score([])) == [], "no pieces have no losses")


@whatever_the_options
def check_silence_has_a_loss(component: Component) -> None:
    """Music without notes can be judged: a sampler comes by it."""
    control = component.build()
    if not isinstance(control, Scores):
        return
    with never_raises("judging silence"):
        (loss,) = control.score([toy_scores()["silence"]])
    expect(math.isfinite(float(loss)), f"the loss of silence is finite, not {loss}")


def check_music_can_be_drawn_under_it(component: Component) -> None:
    """A sampler fills a canvas with what it does to canvas, denoiser and choice."""
    control = component.build()
    process = toy_process("masked")
    tokenizer = process.tokenizer
    canvas = toy_canvas(toy_batch(tokenizer))
    if isinstance(control, Prepares):
        canvas = _prepared(control, canvas, tokenizer) or canvas
    denoise: Any = None
    if isinstance(control, Wraps):
        try:
            denoise = control.wrap(process.denoiser(), process)
        except BrokenPluginError:
            raise
        except DiffmidiError:
            denoise = None
    draws: RowDraws = RowDraws.seeded(0, len(canvas.ids))
    if isinstance(control, Scores):
        streams = [generator(row) for row in range(len(canvas.ids))]
        draws = Choosing(streams, 0, lambda ids: _losses(control, ids, tokenizer), 2)
    sampler = smallest("sampler", _sampler())
    found = sampler.sample(process, canvas, steps=STEPS, draws=draws, denoise=denoise).ids
    expect(torch.equal(found[canvas.fixed], canvas.ids[canvas.fixed]), "fixed tokens change")
    drawn = _admitted(canvas, tokenizer).gather(-1, found[..., None])[..., 0]
    expect(bool(drawn[~canvas.fixed].all()), "something is drawn that the canvas does not allow")


def _losses(control: Scores, ids: torch.Tensor, tokenizer: Tokenizer) -> torch.Tensor:
    pieces = [tokenizer.decode(row[row > 3].numpy().astype("int32")) for row in ids]
    return torch.tensor([float(loss) for loss in control.score(pieces)])


def _sampler() -> str:
    found = [offer for offer in offers("sampler") if offer.problem() is None and offer.sampler().family == "masked"]
    expect(found, "no installed sampler draws from masked processes")
    return found[0].spelling


def _tokenizers() -> list[Tokenizer]:
    """The smallest of each installed tokenizer that encodes music."""
    return [smallest("tokenizer", offer.spelling) for offer in offers("tokenizer") if offer.problem() is None]


def _canvases(tokenizer: Tokenizer) -> list[Canvas]:
    """One that is blank, and one of which half is kept and of which some sets are named."""
    batch = toy_batch(tokenizer)
    half = toy_canvas(batch, kept=0.5)
    tokens = torch.arange(len(tokenizer.vocab))
    sets = torch.stack([tokens % 3 != 0, tokens % 5 != 0])
    place = torch.arange(half.ids.shape[1]) % 2
    named = Canvas(half.ids, torch.where(half.fixed, half.allowed, place), half.attention_mask, sets)
    return [toy_canvas(batch), named]


def _admitted(canvas: Canvas, tokenizer: Tokenizer) -> torch.Tensor:
    """[B, L, V] bool."""
    admitted = canvas.admitted()
    if admitted is not None:
        return admitted
    music = torch.arange(len(tokenizer.vocab)) > tokenizer.mask_id
    return (music | canvas.fixed[..., None]).expand(*canvas.ids.shape, -1)


def _prepared(control: Prepares, canvas: Canvas, tokenizer: Tokenizer) -> Canvas | None:
    """What it makes of a canvas; None where it refuses these tokens, in a sentence."""
    try:
        return control.prepare(canvas, tokenizer)
    except BrokenPluginError:
        raise
    except DiffmidiError:
        return None
    except Exception as error:
        raise ConformanceError(
            f"preparing a canvas of {type(tokenizer).__name__} raised {type(error).__name__}: {error}"
        ) from error


def _state(process: Process) -> tuple[torch.Tensor, torch.Tensor, Any]:
    """A state, how noisy it is, and its places, as a sampler of its family shows them."""
    batch = toy_batch(process.tokenizer)
    canvas: Any = toy_canvas(batch, kept=0.5)
    own: Any = process
    if hasattr(own, "embed"):
        x = own.embed(batch.ids)
        return x + torch.randn(x.shape, generator=generator(3)), torch.full((len(x),), 0.5), canvas.places()
    return canvas.ids, own.hidden_now(canvas.ids), own.placed(canvas)
