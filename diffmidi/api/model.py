"""Offering a trained model: a package that brings one, which people take by its name.

A model is no class: an entry point names a package, and the folder `model/` in it is what `diffmidi export` wrote.

    acme_songs/__init__.py          may be empty: nothing of the package is ever imported
    acme_songs/model/               diffmidi export RUN --to acme_songs/model --license cc0-1.0 --name songs --half
    pyproject.toml                  [project.entry-points."diffmidi.models"]
                                    songs = "acme_songs"

Once the package is installed, `diffmidi models` lists it, with the line, the version and the licence of the package's
metadata, and its name is taken wherever a run or an exported folder is: `diffmidi sample songs --bars 8`,
`Pipeline.from_pretrained("songs")`. A folder of that name goes before it, and `acme-songs:songs` is it where two
packages offer one name. Put the card, README.md, in your own words; the files that config.json lists stay as they are.

The data files must be in the wheel: hatchling takes them with the package, setuptools by `package-data`.

Checks of the conformance kit, besides the one on the summary: check_found_without_import, check_folder_is_whole,
check_size, check_card_says_licence_and_data, check_opens, check_draws_without_faults.
"""

from diffmidi_core.saved.installed import InstalledModel, installed_models

__all__ = ["InstalledModel", "installed_models"]
