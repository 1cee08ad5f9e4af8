import diffmidi
from diffmidi.api.schedule import NoiseSchedule


class Slope(NoiseSchedule):
    def alpha_bar(self, t):
        return (1 - t) ** 2


run = diffmidi.run("songs", "runs/slope", config="quick.json", schedule=Slope)
diffmidi.Pipeline.from_pretrained(run).sample()[0].save("new.mid")
