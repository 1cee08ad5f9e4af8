"""All that a plugin author imports.

Declarations need only `Declaration`, `Options` and the errors, which are light. The contracts bring numpy, symusic or
torch with them, so each is imported when it is first asked for: `from diffmidi_core.api import Backbone` belongs in the
implementation, not in the declaration.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from pydantic import Field

from diffmidi_core.declaration import Declaration, Options, UserPath
from diffmidi_core.errors import DiffmidiError, RefusedError, UsageError
from diffmidi_core.hookspecs import hookimpl

if TYPE_CHECKING:
    from diffmidi_core.contracts.backbone import Backbone as Backbone
    from diffmidi_core.contracts.batch import Batch as Batch
    from diffmidi_core.contracts.batch import Share as Share
    from diffmidi_core.contracts.canvas import Canvas as Canvas
    from diffmidi_core.contracts.draws import RowDraws as RowDraws
    from diffmidi_core.contracts.grammar import Grammar as Grammar
    from diffmidi_core.contracts.metric import Figure as Figure
    from diffmidi_core.contracts.metric import Metric as Metric
    from diffmidi_core.contracts.metric import Row as Row
    from diffmidi_core.contracts.metric import Sample as Sample
    from diffmidi_core.contracts.metric import Summary as Summary
    from diffmidi_core.contracts.metric import TrainingMusic as TrainingMusic
    from diffmidi_core.contracts.metric import WindowBits as WindowBits
    from diffmidi_core.contracts.process import Bound as Bound
    from diffmidi_core.contracts.process import Process as Process
    from diffmidi_core.contracts.renderer import Renderer as Renderer
    from diffmidi_core.contracts.report import Picture as Picture
    from diffmidi_core.contracts.report import Section as Section
    from diffmidi_core.contracts.report import Table as Table
    from diffmidi_core.contracts.sampler import Denoise as Denoise
    from diffmidi_core.contracts.sampler import OnStep as OnStep
    from diffmidi_core.contracts.sampler import Sampled as Sampled
    from diffmidi_core.contracts.sampler import Sampler as Sampler
    from diffmidi_core.contracts.schedule import MAX_BETA as MAX_BETA
    from diffmidi_core.contracts.schedule import NoiseSchedule as NoiseSchedule
    from diffmidi_core.contracts.source import Piece as Piece
    from diffmidi_core.contracts.source import Source as Source
    from diffmidi_core.contracts.tokenizer import SPECIALS as SPECIALS
    from diffmidi_core.contracts.tokenizer import Encoded as Encoded
    from diffmidi_core.contracts.tokenizer import Ids as Ids
    from diffmidi_core.contracts.tokenizer import Role as Role
    from diffmidi_core.contracts.tokenizer import Tokenizer as Tokenizer
    from diffmidi_core.diffusion.autoregressive_process import AutoregressiveProcess as AutoregressiveProcess
    from diffmidi_core.diffusion.categorical import draw_uniform as draw_uniform
    from diffmidi_core.diffusion.categorical import exact as exact
    from diffmidi_core.diffusion.categorical import nucleus as nucleus
    from diffmidi_core.diffusion.categorical import restricted as restricted
    from diffmidi_core.diffusion.corruption import Corruption as Corruption
    from diffmidi_core.diffusion.gaussian_diffusion import GaussianDiffusion as GaussianDiffusion
    from diffmidi_core.diffusion.kl import normal_kl as normal_kl
    from diffmidi_core.diffusion.levels import GaussianLevels as GaussianLevels
    from diffmidi_core.diffusion.masked_diffusion import MaskedDiffusion as MaskedDiffusion
    from diffmidi_core.diffusion.neighbours import Neighbours as Neighbours
    from diffmidi_core.diffusion.steps import ReverseStep as ReverseStep
    from diffmidi_core.diffusion.steps import ddim_steps as ddim_steps
    from diffmidi_core.diffusion.steps import ddpm_steps as ddpm_steps
    from diffmidi_core.diffusion.steps import dpmpp_steps as dpmpp_steps
    from diffmidi_core.diffusion.steps import draw_noise as draw_noise
    from diffmidi_core.diffusion.steps import heun_corrections as heun_corrections
    from diffmidi_core.diffusion.steps import posterior_mean as posterior_mean
    from diffmidi_core.diffusion.steps import predicted_noise as predicted_noise
    from diffmidi_core.diffusion.steps import q_sample as q_sample
    from diffmidi_core.diffusion.support import Support as Support
    from diffmidi_core.diffusion.time_embedding import time_embedding as time_embedding
    from diffmidi_core.diffusion.times import spread_times as spread_times
    from diffmidi_core.diffusion.times import uniform_levels as uniform_levels
    from diffmidi_core.diffusion.token_diffusion import TokenDiffusion as TokenDiffusion
    from diffmidi_core.diffusion.token_head import TokenHead as TokenHead
    from diffmidi_core.draw.folder import DrawFolder as DrawFolder
    from diffmidi_core.draw.folder import PieceRecord as PieceRecord
    from diffmidi_core.draw.folder import StoredRequest as StoredRequest
    from diffmidi_core.files import read_json as read_json
    from diffmidi_core.files import whole_file as whole_file
    from diffmidi_core.judge.judged import Judged as Judged
    from diffmidi_core.judge.judged import StoredFigure as StoredFigure
    from diffmidi_core.layers import changed_options as changed_options
    from diffmidi_core.layers import flat as flat
    from diffmidi_core.music.clock import Tempo as Tempo
    from diffmidi_core.music.metre import Metre as Metre
    from diffmidi_core.music.metre import downbeat as downbeat
    from diffmidi_core.music.metre import metre_of as metre_of
    from diffmidi_core.music.metre import onset_phase as onset_phase
    from diffmidi_core.music.notes import Notes as Notes
    from diffmidi_core.music.notes import Score as Score
    from diffmidi_core.music.notes import notes_of as notes_of
    from diffmidi_core.music.notes import score_of as score_of
    from diffmidi_core.music.notes import without_twins as without_twins
    from diffmidi_core.music.pedal import sustained as sustained
    from diffmidi_core.music.reading import printable as printable
    from diffmidi_core.music.reading import read_midi as read_midi
    from diffmidi_core.music.reading import read_midi_bytes as read_midi_bytes
    from diffmidi_core.music.reading import read_midi_bytes_counted as read_midi_bytes_counted
    from diffmidi_core.music.reading import read_midi_counted as read_midi_counted
    from diffmidi_core.music.reading import write_midi as write_midi
    from diffmidi_core.music.tempo import microseconds as microseconds
    from diffmidi_core.music.timeline import MetreChange as MetreChange
    from diffmidi_core.music.timeline import Moved as Moved
    from diffmidi_core.music.timeline import Timeline as Timeline
    from diffmidi_core.music.timeline import TrackNames as TrackNames
    from diffmidi_core.pipeline import Pipeline as Pipeline
    from diffmidi_core.presets import departures as departures
    from diffmidi_core.train.overfitting import curves_part as curves_part

_LAZY = {
    "changed_options": "layers",
    "flat": "layers",
    "DrawFolder": "draw.folder",
    "PieceRecord": "draw.folder",
    "StoredRequest": "draw.folder",
    "Judged": "judge.judged",
    "StoredFigure": "judge.judged",
    "Backbone": "contracts.backbone",
    "Batch": "contracts.batch",
    "Canvas": "contracts.canvas",
    "Share": "contracts.batch",
    "RowDraws": "contracts.draws",
    "Grammar": "contracts.grammar",
    "Figure": "contracts.metric",
    "Metric": "contracts.metric",
    "Row": "contracts.metric",
    "Sample": "contracts.metric",
    "Summary": "contracts.metric",
    "TrainingMusic": "contracts.metric",
    "WindowBits": "contracts.metric",
    "Bound": "contracts.process",
    "Process": "contracts.process",
    "Renderer": "contracts.renderer",
    "Picture": "contracts.report",
    "Section": "contracts.report",
    "Table": "contracts.report",
    "Denoise": "contracts.sampler",
    "OnStep": "contracts.sampler",
    "Sampled": "contracts.sampler",
    "Sampler": "contracts.sampler",
    "MAX_BETA": "contracts.schedule",
    "NoiseSchedule": "contracts.schedule",
    "Piece": "contracts.source",
    "Source": "contracts.source",
    "SPECIALS": "contracts.tokenizer",
    "Encoded": "contracts.tokenizer",
    "Ids": "contracts.tokenizer",
    "Role": "contracts.tokenizer",
    "Tokenizer": "contracts.tokenizer",
    "AutoregressiveProcess": "diffusion.autoregressive_process",
    "draw_uniform": "diffusion.categorical",
    "exact": "diffusion.categorical",
    "nucleus": "diffusion.categorical",
    "restricted": "diffusion.categorical",
    "GaussianDiffusion": "diffusion.gaussian_diffusion",
    "normal_kl": "diffusion.kl",
    "GaussianLevels": "diffusion.levels",
    "MaskedDiffusion": "diffusion.masked_diffusion",
    "Neighbours": "diffusion.neighbours",
    "ReverseStep": "diffusion.steps",
    "ddim_steps": "diffusion.steps",
    "ddpm_steps": "diffusion.steps",
    "dpmpp_steps": "diffusion.steps",
    "draw_noise": "diffusion.steps",
    "heun_corrections": "diffusion.steps",
    "posterior_mean": "diffusion.steps",
    "predicted_noise": "diffusion.steps",
    "q_sample": "diffusion.steps",
    "Support": "diffusion.support",
    "Corruption": "diffusion.corruption",
    "spread_times": "diffusion.times",
    "uniform_levels": "diffusion.times",
    "TokenDiffusion": "diffusion.token_diffusion",
    "TokenHead": "diffusion.token_head",
    "time_embedding": "diffusion.time_embedding",
    "curves_part": "train.overfitting",
    "read_json": "files",
    "whole_file": "files",
    "Tempo": "music.clock",
    "Metre": "music.metre",
    "downbeat": "music.metre",
    "metre_of": "music.metre",
    "onset_phase": "music.metre",
    "Notes": "music.notes",
    "Score": "music.notes",
    "notes_of": "music.notes",
    "score_of": "music.notes",
    "without_twins": "music.notes",
    "sustained": "music.pedal",
    "printable": "music.reading",
    "read_midi": "music.reading",
    "read_midi_bytes": "music.reading",
    "read_midi_bytes_counted": "music.reading",
    "read_midi_counted": "music.reading",
    "write_midi": "music.reading",
    "microseconds": "music.tempo",
    "MetreChange": "music.timeline",
    "Moved": "music.timeline",
    "Timeline": "music.timeline",
    "TrackNames": "music.timeline",
    "Pipeline": "pipeline",
    "departures": "presets",
}

__all__ = [
    "Declaration",
    "DiffmidiError",
    "Field",
    "Options",
    "RefusedError",
    "UsageError",
    "UserPath",
    "hookimpl",
    *_LAZY,
]


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module 'diffmidi_core.api' has no attribute '{name}'")
    return getattr(importlib.import_module(f"diffmidi_core.{_LAZY[name]}"), name)
