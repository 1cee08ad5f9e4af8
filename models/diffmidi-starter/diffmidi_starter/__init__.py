"""A trained model for diffmidi: all of it is in the folder `model/`, and nothing here is ever run."""
