"""How far is a folder of MIDI files that another system wrote from real music?"""

import diffmidi

figures = diffmidi.evaluate(samples="theirs", against="songs")
for name, figure in figures.items():
    if figure and figure.reference:
        print(f"{name}: {figure.value / figure.reference:.2f} times that of {figure.music}")
