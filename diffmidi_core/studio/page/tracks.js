// Tracks as chips: which of them are painted in.

import { counted } from "./music.js";
import { element } from "./takes.js";

/** Show the tracks of other music; which are on stays where they are as many as before. */
export function chips(place, music, roll) {
  const { tracks } = music;
  if (place.children.length === tracks.length && roll.active.size) return;
  const melodic = [...tracks.keys()].filter((at) => !tracks[at].drums);
  roll.active = new Set(melodic);
  const refresh = () => {
    for (const at of melodic) place.children[at].firstChild.setAttribute("aria-pressed", roll.active.has(at));
    roll.redraw();
  };
  const made = tracks.map((track, at) => {
    const name = track.name || (track.drums ? "Drums" : `Track ${track.number}`);
    const chip = element("button", { type: "button", className: `chip c${music.colour[at]}`, disabled: track.drums });
    chip.append(element("span", { textContent: name }));
    chip.title = track.drums ? "Drums are heard and always kept" : `${name}, ${counted(track.notes, "note")}: paint in it, or not`;
    chip.addEventListener("click", () => {
      if (!roll.active.delete(at)) roll.active.add(at);
      if (!roll.active.size) roll.active = new Set(melodic); // in none is in all
      refresh();
    });
    const line = element("li", {});
    line.append(chip);
    return line;
  });
  place.replaceChildren(...made);
  refresh();
}
