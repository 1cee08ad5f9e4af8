"""The built-in noise schedules."""

from diffmidi.api import Declaration

sqrt = Declaration(
    summary="Diffusion-LM's: noise rises fast at first, as words forgive much of it",
    implementation="diffmidi_schedules.schedules:Sqrt",
)

linear = Declaration(
    summary="DDPM's: betas evenly spaced",
    implementation="diffmidi_schedules.schedules:Linear",
)

cosine = Declaration(
    summary="Nichol and Dhariwal's: slow at both ends",
    implementation="diffmidi_schedules.schedules:Cosine",
)

loglinear = Declaration(
    summary="MDLM's: signal falls evenly, which is how masked processes are trained",
    implementation="diffmidi_schedules.schedules:LogLinear",
)
