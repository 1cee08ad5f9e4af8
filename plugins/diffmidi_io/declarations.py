"""What the built-in sources and renderers offer. Light: nothing heavy is imported here."""

from __future__ import annotations

from typing import Literal

from diffmidi.api import Declaration, Field, Options, SourceDeclaration, UserPath


class FolderOptions(Options):
    """Options of `folder`."""

    pattern: str = Field(
        "*", min_length=1, description="which files, by their path inside the folder: *bach*, train/*, *.kar"
    )
    hidden: bool = Field(False, description="look at names that begin with a dot, too")


class ParquetOptions(Options):
    """Options of `parquet`."""

    column: str | None = Field(
        None, description="the column that holds the music; null: the only one that can, or the one with a usual name"
    )


class HubOptions(ParquetOptions):
    """Options of `hub`."""

    split: str = Field("train", min_length=1, description="which part of the data set: train, train+test, train[:10%]")
    config: str | None = Field(
        None, description="which of the data set's configurations; null: the only or default one"
    )
    revision: str | None = Field(None, description="branch, tag or commit of the data set; null: main, as it is today")


class SoundOptions(Options):
    """Options of what makes sound."""

    soundfont: UserPath | None = Field(
        None, description="path of a SoundFont (.sf2); null: the General MIDI one that comes with pretty_midi"
    )
    peak: float = Field(-1.0, ge=-40, le=0, description="loudness: the level of the loudest sample, in dBFS")
    ending: Literal["tail", "bar"] = Field(
        "tail",
        description="where it ends: tail, when the last notes have rung; bar, at the bar line after the last note, so "
        "that it loops",
    )


class PianoRollOptions(Options):
    """Options of `pianoroll`."""

    dpi: int = Field(150, ge=50, le=300, description="pixels per inch")
    height: float = Field(5.0, ge=3, le=30, description="height in inches")
    max_width: float = Field(24.0, ge=8, le=100, description="width in inches that long music is squeezed into")


class WaveformOptions(SoundOptions):
    """Options of `waveform`."""

    dpi: int = Field(150, ge=50, le=300, description="pixels per inch")
    width: float = Field(12.0, ge=4, le=60, description="width in inches")
    height: float = Field(3.0, ge=2, le=20, description="height in inches")


class ChoralesOptions(Options):
    """Options of `chorales`."""

    parts: bool = Field(False, description="each part is a track of its own, soprano first; else all are one track")


folder = SourceDeclaration(
    summary="every MIDI file below a folder (--data FOLDER), or one MIDI file",
    implementation="diffmidi_io.folder:Folder",
    options=FolderOptions,
    takes=("*/", "*.mid", "*.midi", "*.kar", "*.rmi"),
)
chorales = SourceDeclaration(
    summary="the 410 pieces by Bach, most of them four-part chorales, that come with music21",
    implementation="diffmidi_io.chorales:Chorales",
    options=ChoralesOptions,
    takes=("",),
)
parquet = SourceDeclaration(
    summary="rows of a Parquet file, or of a folder of them, that hold MIDI files or notes (--data FILE.parquet)",
    implementation="diffmidi_io.parquet:Parquet",
    options=ParquetOptions,
    takes=("*.parquet",),
)
hub = SourceDeclaration(
    summary="rows of a data set on the Hugging Face hub that hold MIDI files or notes (--data hub:NAME)",
    implementation="diffmidi_io.hub:Hub",
    options=HubOptions,
    takes=("hub:*",),
)
midi = Declaration(summary="standard MIDI file (.mid)", implementation="diffmidi_io.midi:Midi")
wav = Declaration(
    summary="sound through a SoundFont (.wav, 48 kHz stereo)",
    implementation="diffmidi_io.sound:Wav",
    options=SoundOptions,
)
flac = Declaration(
    summary="the same sound in half the room, without loss (.flac)",
    implementation="diffmidi_io.flac:Flac",
    options=SoundOptions,
)
pianoroll = Declaration(
    summary="picture of the notes: pitch over bars and seconds, velocity or tracks as colours (.roll.png)",
    implementation="diffmidi_io.pianoroll:PianoRoll",
    options=PianoRollOptions,
    tiny={"dpi": 50, "height": 3, "max_width": 8},
)
waveform = Declaration(
    summary="picture of the sound: level over seconds (.wave.png)",
    implementation="diffmidi_io.waveform:Waveform",
    options=WaveformOptions,
    tiny={"dpi": 50, "width": 4, "height": 2},
)
