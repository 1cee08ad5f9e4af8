"""The built-in diffusion processes."""

from typing import Literal, Self

from pydantic import model_validator

from diffmidi.api import Field, Options, ProcessDeclaration


class GaussianOptions(Options):
    """What can be set for `gaussian`. The defaults are Diffusion-LM as published."""

    steps: int = Field(2000, ge=2, description="T, the number of noise levels")
    dim: int = Field(32, ge=1, description="D, the dimension of the token embeddings")
    init_std: float = Field(1.0, gt=0, description="standard deviation of the embeddings before training")
    start_std: float | None = Field(
        None,
        gt=0,
        description="noise put on an embedding to make x_start; None: that of the first level, √(1 - alpha_bar_0)",
    )
    time_width: int = Field(128, ge=2, description="width of the sinusoid of the time")
    typed: bool = Field(
        False, description="leave tokens out that the tokenizer's grammar has no place for, in every softmax"
    )
    objective: Literal["mse", "anchor", "cross_entropy"] = Field(
        "mse",
        description="what is learned: 'mse', x0_hat near x_start; 'anchor', that and the tokens of x0_hat (Difformer); "
        "'cross_entropy', the tokens alone, x0_hat then being their mean embedding (CDCD's score interpolation)",
    )
    output_prior: bool = Field(
        False,
        description="multiply the prediction of a token by what x_t itself tells of it (Plaid); needs cross_entropy",
    )
    seen: Literal["noisy", "posterior"] = Field(
        "noisy",
        description="what the network is shown of each token: 'noisy', x_t; 'posterior', the mean embedding under what "
        "x_t itself tells of the token, all tokens that may stand there being as likely before (as Bayesian flows do)",
    )
    self_conditioning: bool = Field(
        False,
        description="the network is also shown its own last estimate (Analog Bits); every other row is trained so",
    )
    sphere: bool = Field(
        False, description="embeddings are normalised to length √D, so that they cannot collapse or grow"
    )
    noise_scale: float = Field(
        1.0, gt=0, description="noise is this much larger beside the embeddings (which are divided by it): Difformer"
    )
    times: Literal["uniform", "importance", "warp"] = Field(
        "uniform",
        description="how training draws t, by the loss over t that it learns: 'importance', in proportion to the loss, "
        "weighted so that the mean stays; 'warp', so that the loss is linear in the time drawn (CDCD's time warping)",
    )
    bound_prediction: Literal["posterior", "mean", "raw"] = Field(
        "posterior",
        description="what the bound judges: 'raw', x0_hat itself; 'mean', the mean embedding under p(w | x0_hat); "
        "'posterior', the same with what x_t says of the tokens by Bayes' rule; with an output prior, x0_hat",
    )

    neighbours: int = Field(
        0,
        ge=0,
        description="positions on either side that a convolution mixes in before the backbone; 0: none",
    )

    notes: bool = Field(
        False,
        description="a note is one position of the backbone, where the tokenizer writes all notes with as many tokens; "
        "else a token is",
    )

    @model_validator(mode="after")
    def _prior_on_words(self) -> Self:
        if self.output_prior and self.objective != "cross_entropy":
            raise ValueError(f"output_prior needs objective=cross_entropy, not {self.objective}")
        return self


gaussian = ProcessDeclaration(
    summary="Diffusion-LM: normal noise on learned token embeddings",
    implementation="diffmidi_processes.gaussian:Gaussian",
    options=GaussianOptions,
    tiny={"steps": 20, "dim": 32, "time_width": 16},
    family="gaussian",
    goes_with={"sampler": "ddpm", "schedule": "sqrt"},
)


class MaskedOptions(Options):
    """What can be set for `masked`."""

    typed: bool = Field(
        True, description="leave tokens out that the tokenizer's grammar has no place for, in training and sampling"
    )
    tied: bool = Field(False, description="the output head's matrix is that of the token embeddings")
    init_std: float = Field(
        0.2,
        gt=0,
        description="standard deviation of the embeddings before training; at BERT's 0.02 the first steps of a large "
        "learning rate wipe out what tells tokens apart",
    )
    neighbours: int = Field(
        8,
        ge=0,
        description="positions on either side that a convolution mixes in before the backbone; 0: none",
    )
    notes: bool = Field(
        True,
        description="a note is one position of the backbone, where the tokenizer writes all notes with as many tokens; "
        "else a token is",
    )
    order: Literal["bars", "none"] = Field(
        "bars",
        description="with a tokenizer that plans bars: 'bars', bar by bar, the counts of a bar before its notes; "
        "'none', all counts before all notes",
    )
    given: float = Field(
        0.25,
        ge=0,
        lt=1,
        description="with such a tokenizer: the share of training windows of which some bars or a track are given, as "
        "when a hole is filled",
    )
    time: bool = Field(
        False, description="tell the network the share of tokens hidden, which it could count, as it sees them"
    )
    time_width: int = Field(128, ge=2, description="width of the sinusoid of that share")


masked = ProcessDeclaration(
    summary="masked diffusion (MDLM, MD4): tokens hidden one by one, and a network that says them",
    implementation="diffmidi_processes.masked:Masked",
    options=MaskedOptions,
    tiny={"time_width": 16},
    family="masked",
    goes_with={"sampler": "confidence", "schedule": "loglinear"},
    plans=True,
    pairs="plan",
)


class AutoregressiveOptions(Options):
    """What can be set for `autoregressive`."""

    typed: bool = Field(
        True, description="leave tokens out that the tokenizer's grammar does not let follow, in training and sampling"
    )
    tied: bool = Field(True, description="the output head's matrix is that of the token embeddings")
    init_std: float = Field(0.02, gt=0, description="standard deviation of the embeddings before training, as in BERT")
    neighbours: int = Field(
        8, ge=0, description="positions before each that a convolution mixes in before the backbone; 0: none"
    )
    notes: bool = Field(
        True,
        description="a note is one position of the backbone, where the tokenizer writes all notes with as many tokens, "
        "and its tokens are drawn in turn by a small head; else a token is",
    )


autoregressive = ProcessDeclaration(
    summary="no diffusion, but what to measure it against: each token given those before it, with exact likelihood",
    implementation="diffmidi_processes.autoregressive:Autoregressive",
    options=AutoregressiveOptions,
    family="autoregressive",
    goes_with={"sampler": "autoregressive"},
    plans=True,
    pairs="always",
)
