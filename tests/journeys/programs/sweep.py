"""Two options, two values each, three seeds: is a difference larger than what seeds do?"""

from itertools import product

import diffmidi

runs = [
    diffmidi.run(
        "songs",
        f"runs/{layers}-{lr}-{seed}",
        config="quick.json",
        seed=seed,
        lr=lr,
        options={"backbone.layers": layers},
    )
    for layers, lr, seed in product((1, 2), (0.001, 0.003), range(3))
]
rows = diffmidi.compare(runs, figure="bound_bpw", md="table.md")
best = min(rows, key=lambda row: row["bound_bpw"])
print(f"the best of {len(rows)} runs is {best['run']}, one of {best['group']}")
