// What one can go on with: the newest pieces, and music from nothing of which no take was kept.

import { counted } from "./music.js";
import { element } from "./takes.js";

const MOST = 8;

export function showRecent({ pieces, draws }) {
  const box = document.getElementById("recent");
  const known = pieces.map((piece) => entry(piece.id, piece.name, piece.parent ? `kept, ${when(piece.at)}` : when(piece.at)));
  const written = draws.filter((draw) => draw.request.command === "sample" && draw.takes.length);
  const fresh = written.map((draw) => entry(draw.id, `From nothing: ${counted(draw.takes.length, "take")}`, when(draw.at)));
  box.querySelector("ul").replaceChildren(...known.slice(-MOST).reverse(), ...fresh.slice(-MOST / 2).reverse());
  box.hidden = !known.length && !fresh.length;
}

function entry(of, name, note) {
  const line = element("li", {});
  const link = element("a", { href: `#${of}`, textContent: name });
  link.append(element("span", { textContent: note }));
  line.append(link);
  return line;
}

const when = (at) => (at ? new Date(at).toLocaleString([], { dateStyle: "medium", timeStyle: "short" }) : "");
