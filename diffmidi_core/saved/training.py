"""Training: what a checkpoint holds, beside the tensors and the model, that training goes on from. Light."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class Began(_Stored):
    """What a run began from, where it did not begin from nothing.

    Attributes:
        run: the other run's folder.
        step: of its checkpoint.
        iterations: that its weights had been trained for by then, in that run and those before it.
        weights: their fingerprint.
    """

    run: str
    step: int = Field(ge=0)
    iterations: int = Field(ge=0)
    weights: str


class StoredBest(_Stored):
    """The best validation pass so far (train/overfitting.py)."""

    step: int = Field(ge=1)
    bound_bpw: float
    looks_since: int = Field(ge=0)
    error: float | None = Field(None, ge=0)


class Training(_Stored):
    """What training alone goes on from, beside the tensors.

    Attributes:
        data_fingerprint: of the token dataset.
        regular: saved at its time, not because it was the best or because training was stopped.
        best: None before the first validation pass.
        transpose: by how many semitones training windows are transposed at most, once that was decided.
        scaler: state of the gradient scaler of fp16.
        stateless: parameters that the optimiser has no state of, since they never had a gradient.
        began: None for a run that began from nothing.
    """

    data_fingerprint: str
    regular: bool
    best: StoredBest | None
    transpose: int
    scaler: dict[str, int | float] | None = None
    stateless: tuple[str, ...] = ()
    began: Began | None = None
