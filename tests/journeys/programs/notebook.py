# %% A part of one's own, in a cell
import diffmidi
from diffmidi.api.schedule import NoiseSchedule


class Slope(NoiseSchedule):
    def alpha_bar(self, t):
        return (1 - t) ** 2


# %% Train
run = diffmidi.run("songs", config="quick.json", schedule=Slope)

# %% Look and listen
pieces = diffmidi.Pipeline.from_pretrained(run).sample(2, steps=3, length="2 bars")
pieces

# %% Keep one
pieces[0].save("kept.mid")
diffmidi.read_midi("kept.mid").roll()
