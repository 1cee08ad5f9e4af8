import diffmidi

small = {"backbone.size": "tiny", "evaluate.windows": 4, "evaluate.levels": 2, "prepare.heldout": 0.2}
run = diffmidi.run("songs", iterations=3, batch_size=4, no_renderer="all", no_hook="all", options=small)
pipeline = diffmidi.Pipeline.from_pretrained(run)
score = pipeline.sample(1, seed=1)[0]
score.dump_midi("new.mid")
print(type(diffmidi.read_midi("songs/tune.mid")) is diffmidi.Score)
figure = diffmidi.evaluate(run, no_hook="all")["bound_bpw"]
print(f"at most {figure.value:.3g} {figure.unit}")
