"""Declarations of processes and samplers whose mathematics is wrong."""

from __future__ import annotations

from dataclasses import replace

from diffmidi.api import Options, SamplerDeclaration
from diffmidi_core.registry import find
from diffmidi_uniform_noise.declarations import AncestralOptions, uniform

OF = {
    "Halved": "masked",
    "HalvedGaussian": "gaussian",
    "HalvedLeftToRight": "autoregressive",
    "Thousandth": "masked",
    "InNats": "uniform",
    "NotScaledByLevels": "uniform",
    "FewAreNotScaled": "masked",
    "WrongLevels": "uniform",
    "ForgetsNoise": "uniform",
    "NoPrior": "uniform",
    "SwappedPosterior": "gaussian",
    "PriorOfTheFirst": "gaussian",
    "OtherEvidence": "gaussian",
    "SeesTheTokens": "masked",
    "SeesTheNext": "autoregressive",
    "SeesAllThatFollows": "autoregressive",
    "NegatedLoss": "masked",
    "NegatedGaussian": "gaussian",
    "TeachesNothing": "masked",
    "TeachesOthers": "uniform",
    "WrongOracle": "masked",
    "UnsureOracle": "masked",
    "OtherOracle": "gaussian",
    "LessNoise": "masked",
}


def __getattr__(name):
    """The declaration of a wrong part, by its class."""
    if name in OF:
        honest = uniform if OF[name] == "uniform" else find("process", OF[name]).load()
        return replace(honest, implementation=f"wrong_processes:{name}", summary="wrong mathematics")
    if name in SAMPLERS:
        family, steps = SAMPLERS[name]
        options = AncestralOptions if family == "uniform" else Options
        return SamplerDeclaration("wrong", f"wrong_samplers:{name}", options, family=family, step_per_token=steps)
    raise AttributeError(name)


SAMPLERS = {
    "TakesArgmax": ("masked", False),
    "TakesArgmaxFromLeft": ("autoregressive", True),
    "TooCold": ("masked", False),
    "Flat": ("masked", False),
    "IgnoresSteps": ("masked", False),
    "OneStep": ("masked", False),
    "AsksTwice": ("gaussian", False),
    "WrongPosterior": ("uniform", False),
    "ForgetsTheNoise": ("uniform", False),
    "SwappedMean": ("gaussian", False),
    "ByPlaceInTheBatch": ("masked", False),
    "MixesWhenThereAreMore": ("masked", False),
    "ForgetsLabels": ("masked", False),
    "ForgetsSets": ("masked", False),
    "FillsHolesAnew": ("masked", False),
    "Illegal": ("masked", False),
}
