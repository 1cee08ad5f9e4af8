"""The Hugging Face Hub: fetching a model, and publishing one."""

from __future__ import annotations

import re
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from diffmidi_core.draw.model import CONFIG, TOKENIZER, VOCAB, WEIGHTS
from diffmidi_core.errors import DiffmidiError, UsageError
from diffmidi_core.saved.folder import RunFolder
from diffmidi_core.saved.manifest import Tell, Which, is_run

_NAME = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)


def fetch(name: str, revision: str | None = None) -> Path:
    """Where a copy of the model "user/name" lies, fetched from the Hub where it is not in its cache yet."""
    from huggingface_hub import HfApi

    if not _NAME.fullmatch(name):
        raise UsageError(f"there is no folder {name}, and a model on the Hub has a name such as user/name.")
    with _in_one_sentence(f"{name} cannot be fetched", "and there is no folder of that name here"):
        files = [CONFIG, WEIGHTS, VOCAB, f"{TOKENIZER}/*"]
        return Path(HfApi().snapshot_download(name, revision=revision, allow_patterns=files))


def publish(
    folder: Path,
    name: str,
    *,
    which: Which = None,
    private: bool = False,
    license: str | None = None,
    tell: Tell = warnings.warn,
) -> str:
    """Publish a run, which is exported for it, or an exported folder; return the model's address.

    Of an exported folder only what `export` wrote is published, whatever else has come to lie in it, and no link.
    `private` decides for a model that is new there. Raises DiffmidiError in one sentence, whatever the Hub says.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"a model on the Hub has a name such as user/name (given: {name!r}).")
    if (folder / WEIGHTS).is_file() and not is_run(folder):
        if which is not None or license is not None:
            raise UsageError(f"{folder} is exported already, card and all: push the run, or edit its README.md.")
        return _push(folder, name, private)

    from diffmidi_core.publish.export import export

    run = RunFolder.open(folder)
    with tempfile.TemporaryDirectory() as temporary:
        to = Path(temporary) / "model"
        return _push(export(run, to, which=which, license=license, name=name, tell=tell), name, private)


def _push(folder: Path, name: str, private: bool) -> str:
    from huggingface_hub import CommitOperationAdd, HfApi

    from diffmidi_core.publish.export import written_files

    files = written_files(folder)
    api = HfApi(library_name="diffmidi")
    with _in_one_sentence(f"{name} cannot be published", "so nothing was"):
        url = api.create_repo(name, private=private, exist_ok=True)
        added = [CommitOperationAdd(path_in_repo=file, path_or_fileobj=folder / file) for file in files]
        api.create_commit(name, added, commit_message="Model trained with diffmidi")
    return str(url)


@contextmanager
def _in_one_sentence(what: str, then: str) -> Iterator[None]:
    """Whatever huggingface_hub and the network below it raise, in one sentence."""
    from huggingface_hub import constants, errors

    try:
        yield
    except errors.GatedRepoError as error:
        raise DiffmidiError(f"{what}: its owner wants to be asked first, at {constants.ENDPOINT}.") from error
    except errors.RevisionNotFoundError as error:
        raise DiffmidiError(f"{what}: {constants.ENDPOINT} has the model, and no such revision of it.") from error
    except errors.EntryNotFoundError as error:
        raise DiffmidiError(f"{what}: {constants.ENDPOINT} cannot be reached, and no copy is in the cache.") from error
    except errors.RepositoryNotFoundError as error:
        raise DiffmidiError(
            f"{what}: {constants.ENDPOINT} has no such model or hides it from you, {then}; a private one needs "
            "`hf auth login`."
        ) from error
    except Exception as error:
        code = getattr(getattr(error, "response", None), "status_code", None)
        if code in (401, 403) or isinstance(error, errors.LocalTokenNotFoundError):
            raise DiffmidiError(
                f"{what}: {constants.ENDPOINT} does not let you. Log in with `hf auth login`, with a token that may "
                "write there."
            ) from error
        told = " ".join(str(error).split())[:200] or type(error).__name__
        raise DiffmidiError(f"{what}: {constants.ENDPOINT} could not be used ({told}).") from error
