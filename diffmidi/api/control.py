"""Writing a control: a rule that new music obeys, or comes near to, in ten lines. People say `--control NAME`.

A Control is built as `Class(options)` and keeps no state. It has one, two or all of three methods, and which there are
says what it is:

- `prepare(canvas, tokenizer)` gives the canvas with fewer tokens allowed: a rule that is always obeyed.
  `allow_pitches(canvas, tokenizer, pitches)` does it for pitches, `canvas.narrowed(tokens)` for any tokens [V] bool,
  and `where=` [B, L] bool at some positions. Which music comes of it is not the model's distribution under the rule.
- `score(pieces)` gives the loss of each score: 0 where the rule is kept, about 1 where it could hardly be less so. Each
  step of a sampler then goes on from the best of some candidates, and passages are drawn anew, of which the better stay
  (`--tries`, `--redraws`). No gradient is needed: any function of a score will do.
- `wrap(denoise, process)` gives another denoiser, with the signature of `process.denoise`: guidance.

It is declared by `ControlDeclaration`: `decides` says which roles of tokens hang on it, so that it is refused beside a
lock that keeps them all, and `whole`, that its losses are of whole pieces only, so that a step has candidates where a
piece is one window, and otherwise passages alone do. Controls compose: sets of tokens are
intersected, losses added up, denoisers wrapped in the order of the request. What each piece's loss is in the end is
in the record of the draw, `losses`.

It judges by what metrics measure by: `notes_of` a score, `tracks_of` it (its voices), `key_of` its notes
(`KEYS.index(key) % 12` is the tonic). A control and a metric of one rule share a module of their own.

Leaps that are not too large:

    class SmallLeaps(Control):
        def score(self, pieces):
            return [self.loss(notes_of(piece).pitch) for piece in pieces]

        def loss(self, pitch):
            return float((np.abs(np.diff(pitch)) > 12).mean()) if len(pitch) > 1 else 0.0

Checks of the conformance kit, besides those of every kind: check_it_is_something, check_preparing_only_narrows,
check_preparing_again_changes_nothing, check_rows_are_prepared_alone, check_wrapped_answers_as_a_denoiser,
check_losses_are_of_each_piece, check_silence_has_a_loss, check_music_can_be_drawn_under_it.
"""

from diffmidi_core.contracts.canvas import ANY, GIVEN, Canvas
from diffmidi_core.contracts.control import Control
from diffmidi_core.contracts.pitches import allow_pitches, pitch_of_tokens
from diffmidi_core.contracts.process import Process
from diffmidi_core.contracts.sampler import Denoise
from diffmidi_core.contracts.tokenizer import Tokenizer
from diffmidi_core.music.bar_lines import Ruling, ruling
from diffmidi_core.music.key import KEYS, key_of
from diffmidi_core.music.notes import Notes, Score, notes_of, tracks_of

__all__ = [
    "ANY",
    "GIVEN",
    "KEYS",
    "Canvas",
    "Control",
    "Denoise",
    "Notes",
    "Process",
    "Ruling",
    "Score",
    "Tokenizer",
    "allow_pitches",
    "key_of",
    "notes_of",
    "pitch_of_tokens",
    "ruling",
    "tracks_of",
]
