"""Writing a tokenizer: music to tokens and back.

A Tokenizer is built as `Class(options)` and holds no state. Its vocabulary begins with SPECIALS
(`[PAD] [CLS] [SEP] [MASK]`, ids 0 to 3), which `encode` never writes. Ids are int32 arrays [N]; `Grammar` says which
type of token may follow which, and every id list decodes to a Score (of symusic, in ticks), whatever stands in it.

One token per note, its pitch, in quarter notes:

    class Pitches(Tokenizer):
        vocab = (*SPECIALS, *(f"p{pitch}" for pitch in range(128)))
        grammar = Grammar(("special", "pitch"), np.array([0] * 4 + [1] * 128), np.array([[-1, 0]]))

        def encode_counted(self, score):
            return (notes_of(score).pitch + 4).astype(np.int32), {}

        def decode(self, ids, timeline=None):
            pitch = ids[ids >= 4].astype(np.int64) - 4
            at = 12 * np.arange(len(pitch))
            score = score_of(Notes(at, np.full_like(at, 12), pitch, np.full_like(at, 64)), ticks_per_quarter=12)
            return score if timeline is None else timeline.onto(score)

        def starts(self, ids):
            return np.arange(len(ids))

        def count_notes(self, ids):
            return int((ids >= 4).sum())

`notes_of` gives the notes of a Score as columns (onset, duration, pitch, velocity), `score_of` makes a Score of them.
A Timeline has what tokens do not carry: tempi, metres, upbeat. `metre_of` and its like read bars; `microseconds` and
`sustained` read tempo and pedal. `roles` says what types of tokens tell ({"pitch": "pitch"}, above): what may be
drawn anew by itself follows from it.

Checks of the conformance kit, besides those of every kind: check_specials_come_first, check_words_are_words,
check_ids_are_in_range, check_encoding_repeats, check_words_survive_decoding, check_notes_survive,
check_decoding_is_total, check_specials_are_not_music, check_starts_are_boundaries, check_pieces_are_encoded_alike,
check_a_timeline_is_kept, check_faultless, check_grammar_fits_the_vocabulary, check_roles_are_known,
check_velocity_tokens_tell_velocities, check_transposed_words_are_transposed_music,
check_scaled_velocities_leave_the_rest, check_stretched_time_leaves_the_rest, check_fingerprint_is_the_same_everywhere,
check_plain_notes_are_not_lost, check_longer_notes_stay_longer, check_notes_keep_their_distance, check_groups_are_whole,
check_types_are_told, check_notes_are_told_apart, check_time_adds_up, check_plans_are_laid_out, check_cells_are_parted,
check_bars_stand_where_they_may.
"""

from diffmidi_core.contracts.bar_shapes import FIRST_BAR, INNER_BAR, LAST_BAR, BarPlaces, BarShape, CellNotes
from diffmidi_core.contracts.grammar import Grammar
from diffmidi_core.contracts.tokenizer import SPECIALS, Encoded, Ids, Role, Tokenizer
from diffmidi_core.music.clock import MINUTE, Clock, Tempo
from diffmidi_core.music.metre import Metre, downbeat, metre_of, onset_phase
from diffmidi_core.music.notes import Notes, Score, deduplicated, notes_of, score_of
from diffmidi_core.music.pedal import sustained
from diffmidi_core.music.tempo import microseconds
from diffmidi_core.music.timeline import MetreChange, Moved, Timeline, TrackNames

__all__ = [
    "FIRST_BAR",
    "INNER_BAR",
    "LAST_BAR",
    "MINUTE",
    "SPECIALS",
    "BarPlaces",
    "BarShape",
    "CellNotes",
    "Clock",
    "Encoded",
    "Grammar",
    "Ids",
    "Metre",
    "MetreChange",
    "Moved",
    "Notes",
    "Role",
    "Score",
    "Tempo",
    "Timeline",
    "Tokenizer",
    "TrackNames",
    "deduplicated",
    "downbeat",
    "metre_of",
    "microseconds",
    "notes_of",
    "onset_phase",
    "score_of",
    "sustained",
]
