"""`diffmidi` as one of several ranks that talk by gloo: two of them can share a card, which NCCL refuses."""

from accelerate import PartialState

from diffmidi_core.cli import main
from diffmidi_core.machine.ranks import on_cpu

PartialState(cpu=on_cpu(), backend="gloo")
main()
