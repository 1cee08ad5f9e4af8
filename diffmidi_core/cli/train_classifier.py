"""`diffmidi train-classifier`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from diffmidi_core.cli.options import CHECKPOINT, CLASSIFIER, collect, next_step, open_session, settings
from diffmidi_core.cli.paths import UserPath
from diffmidi_core.errors import UsageError
from diffmidi_core.numbers import counted
from diffmidi_core.wording import printable

if TYPE_CHECKING:
    from diffmidi_core.machine.session import Session
    from diffmidi_core.saved.manifest import Which


@click.command("train-classifier")
@click.argument("run", type=UserPath(), metavar="RUN")
@click.option(
    "--label", metavar="NAME", help="The label it tells: key, density, ...; a column of prepare.labels; folder."
)
@click.option("--out", type=UserPath(), help="Folder of the new run (default: runs/RUN-LABEL-N).")
@click.option("--resume", is_flag=True, help="RUN is a classifier: go on from its newest checkpoint.")
@CHECKPOINT
@settings(CLASSIFIER)
def command(
    run: Path,
    label: str | None,
    out: Path | None,
    resume: bool,
    checkpoint: Which,
    assignments: tuple[str, ...],
    **given: Any,
) -> Path:
    """Train a classifier that leads the drawing of RUN's model to what it was not trained to be asked for.

    It learns to tell a label of RUN's music at every level of the model's noise, in a run of its own, and is followed
    by `diffmidi sample RUN --classifier CLASSIFIER --want LABEL=VALUE --guidance 2`. The model itself is not changed.
    """
    flags = collect(given, assignments, CLASSIFIER)
    if resume:
        if label or out or checkpoint is not None:
            raise UsageError("--resume takes the classifier's own run: leave out --label, --out and --checkpoint.")
        session = _resumed(run, flags, assignments)
    elif label is None:
        raise UsageError(
            f"--label NAME says what the classifier is to tell, such as key, or a label of {run}'s pieces."
        )
    else:
        session = _begun(run, checkpoint, label, out, flags, assignments)

    from diffmidi_core.machine.build import check_parts
    from diffmidi_core.machine.stop import interruptible
    from diffmidi_core.train.classifying import tell_accuracy
    from diffmidi_core.train.whole import train

    check_parts(("hook", part) for part in session.config.hooks)
    path, of = session.folder.path, session.config.classifier
    assert of is not None
    go_on = f"Stopped. What was done is kept. Go on with: diffmidi train-classifier {path} --resume"
    with interruptible(lambda: go_on):
        train(session, resume=resume)
        found = tell_accuracy(session)
    next_step(_table(found))
    next_step(f"Wrote {path}")
    next_step(
        f"To follow it: diffmidi sample {of.model} --checkpoint {of.step} --classifier {path} --want "
        f"{printable(of.label)}=VALUE --guidance 2; `diffmidi labels {path}` lists the values"
    )
    return path


def _resumed(run: Path, flags: Mapping[str, Any], assignments: tuple[str, ...]) -> Session:
    session = open_session(run, flags, assignments, CLASSIFIER)
    if session.config.classifier is None:
        raise UsageError(f"{run} is a model and no classifier: go on with it by `diffmidi train {run} --resume`.")
    return session


def _begun(
    run: Path, which: Which, label: str, out: Path | None, flags: Mapping[str, Any], assignments: tuple[str, ...]
) -> Session:
    """A session on a new run, begun once everything that can be refused has been."""
    import shutil

    from diffmidi_core.classifiers import ClassifierOf
    from diffmidi_core.cli.options import warned
    from diffmidi_core.config import resolve
    from diffmidi_core.registry import find
    from diffmidi_core.saved.classifiers import FAMILIES, check_no_classifier
    from diffmidi_core.saved.folder import RunFolder
    from diffmidi_core.saved.manifest import read_model
    from diffmidi_core.sections import ConditionConfig, TrainConfig

    model = RunFolder.open(run)
    manifest = read_model(model.path, which, warned)
    check_no_classifier(manifest, run)
    process = find("process", manifest.process.spec)
    if process.process().family not in FAMILIES:
        raise UsageError(
            f"{run} is a model of process '{process.name}', whose drawing no classifier can lead: train one with "
            "--process masked or gaussian."
        )
    of = ClassifierOf(label=label, model=str(model.path), step=manifest.step, weights=manifest.weights)
    before = model.config()
    tree = before.model_dump(mode="json") | {
        "classifier": of.model_dump(mode="json"),
        "train": TrainConfig(batch_size=before.train.batch_size, draw=0).model_dump(mode="json"),
        "condition": ConditionConfig(labels=label, dropped=0).model_dump(mode="json"),
    }
    tree.pop("origin")
    config = resolve(tree, flags, assignments, kinds=CLASSIFIER.kinds)

    from diffmidi_core.data.told import check_label
    from diffmidi_core.machine.ranks import done_by_main
    from diffmidi_core.machine.run_log import kept
    from diffmidi_core.machine.session import Session
    from diffmidi_core.saved.lock import hold

    check_label(label, model.data, Session(model, config).tokenizer, length=config.length, bars=config.bars)
    name = f"{model.path.resolve().name}-{''.join(char if char.isalnum() else '-' for char in label)}"
    folder = RunFolder(done_by_main(lambda: RunFolder.claim(out, config, name).path))
    click.get_current_context().with_resource(hold(folder.path, "train-classifier"))

    def begin() -> None:
        folder.begin(config)
        if not folder.data.exists():
            shutil.copytree(model.data, folder.data)
        folder.note(data_fingerprint=model.facts().get("data_fingerprint"))

    done_by_main(begin)
    click.get_current_context().with_resource(kept(folder.path))
    return Session(folder, config)


def _table(found: Mapping[str, Any]) -> str:
    """Accuracy by level of noise, as text."""

    def share(figure: Mapping[str, float]) -> str:
        return f"{figure['value']:4.0%} ({figure['low']:.0%} to {figure['high']:.0%})" if figure else "-"

    splits = ("validation", "test")
    lines = [f"How often it tells {printable(found['label'])} (95 % intervals, by pieces):"]
    counts = [
        f"{counted(found[name]['windows'], 'window')} of {counted(found[name]['pieces'], 'piece')}" for name in splits
    ]
    heads = [f"{name} ({count})" for name, count in zip(splits, counts, strict=True)]
    lines.append(f"  {'noise':24} {heads[0]:36} {heads[1]}")
    for number, level in enumerate(found["levels"]):
        shares = [share(found[name]["accuracy"][number]) for name in splits]
        lines.append(f"  {level:<24.0%} {shares[0]:36} {shares[1]}")
    shares = [share(found[name]["commonest"]) for name in splits]
    lines.append(f"  {'always the commonest':24} {shares[0]:36} {shares[1]}")
    return "\n".join(lines)
