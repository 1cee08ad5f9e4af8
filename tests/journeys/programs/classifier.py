"""A model that was told no labels is led to one by a classifier that is trained after it."""

import sys

import diffmidi

model = sys.argv[1]
classifier = diffmidi.train_classifier(model, "register", iterations=4, batch_size=4)
pipeline = diffmidi.Pipeline.from_pretrained(model)
for number, piece in enumerate(
    pipeline.sample(2, classifiers=[classifier], want={"register": "high"}, guidance=2), start=1
):
    piece.save(f"high {number}.mid")
