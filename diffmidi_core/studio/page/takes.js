// Takes as cards, one group a draw, the newest first.

import { counted } from "./music.js";

const COMMANDS = { infill: "Infill", vary: "Vary", continue: "Continue", sample: "From nothing" };

/** What a draw was asked for, in a line. */
export function drawn(draw) {
  const { command, region = [], except, locks = [], bars, strength, want = {}, seed } = draw.request || {};
  const told = [COMMANDS[command] || command];
  if (command === "continue" || command === "sample") told.push(counted(bars, "bar"));
  if (region.length) told.push(`${except ? "all but " : ""}${region.slice(0, 3).join("; ")}${region.length > 3 ? " …" : ""}`);
  if (command === "vary") told.push(`${Math.round(strength * 100)} % new`);
  if (locks.length) told.push(`keeps ${locks.join(", ")}`);
  told.push(...Object.entries(want).map(([label, value]) => `${label} ${value}`));
  if (seed !== undefined) told.push(`seed ${seed}`);
  return told.join(" · ");
}

/** Keeps the cards as the draws are: `music(take)` is known or null, `chosen` a take's address. */
export class Takes {
  constructor(place, { hear, keep }) {
    Object.assign(this, { place, hear, keep, cards: new Map(), groups: new Map() });
  }

  clear() {
    this.place.replaceChildren();
    this.cards.clear();
    this.groups.clear();
  }

  /** Draws, the newest first, each with its takes; keys 1 to 9 are those of `current`. */
  show(draws, current, chosen) {
    for (const draw of draws) {
      const group = this.groups.get(draw.id) || this.group(draw);
      group.title.textContent = drawn(draw) + (draw.state === "failed" ? " · failed" : draw.state === "cancelled" ? " · cancelled" : "");
      for (const take of draw.takes) if (!this.cards.has(take)) this.card(take, draw.takes.indexOf(take) + 1, group.list);
    }
    const order = draws.map((draw) => this.groups.get(draw.id).box);
    if (order.some((box, place) => this.place.children[place] !== box)) this.place.replaceChildren(...order);
    if (this.current !== current) for (const [id, group] of this.groups) group.box.open = id === current;
    this.current = current;
    const keyed = draws.find((draw) => draw.id === current)?.takes || [];
    for (const [take, card] of this.cards) {
      card.box.classList.toggle("chosen", take === chosen);
      card.choose.setAttribute("aria-pressed", take === chosen);
      const key = keyed.indexOf(take) + 1;
      card.key.hidden = !key || key > 9;
      card.key.textContent = key;
    }
  }

  group(draw) {
    const box = element("details", {});
    const title = element("summary", {});
    const list = element("div", { className: "takes" });
    box.append(title, list);
    const made = { box, title, list };
    this.groups.set(draw.id, made);
    return made;
  }

  card(take, number, list) {
    const box = element("article", { className: "take" });
    const choose = element("button", { type: "button" });
    const canvas = element("canvas", {});
    canvas.setAttribute("aria-hidden", "true");
    const line = element("span", {});
    const key = element("kbd", {});
    line.append(element("b", { textContent: `Take ${number}` }), key);
    const told = element("span", { className: "quiet", textContent: "…" });
    choose.append(canvas, line, told);
    choose.addEventListener("click", () => this.hear(take));
    const buttons = element("div", { className: "buttons" });
    const keep = element("button", { type: "button", className: "small", textContent: "Keep" });
    keep.setAttribute("aria-label", `Keep take ${number} and go on from it`);
    keep.addEventListener("click", () => this.keep(take));
    buttons.append(keep, download(take, "mid", number), download(take, "wav", number));
    box.append(choose, buttons);
    list.append(box);
    this.cards.set(take, { box, choose, canvas, told, key });
  }

  /** A take's notes have come. */
  fill(take, music, roll) {
    const card = this.cards.get(take);
    if (!card) return;
    const [news, gone] = music.counts;
    card.told.textContent = music.alone ? counted(news, "note") : `${counted(news, "new note")}, ${gone.toLocaleString("en")} removed`;
    card.paint = () => roll.small(card.canvas, music);
    card.paint();
  }

  repaint() {
    for (const card of this.cards.values()) card.paint?.();
  }
}

function download(take, suffix, number) {
  const link = element("a", { className: "button small", href: `/api/takes/${take}.${suffix}`, textContent: suffix === "mid" ? "MIDI" : "WAV" });
  link.download = "";
  link.setAttribute("aria-label", `Download take ${number} as ${link.textContent}`);
  return link;
}

export function element(name, properties) {
  return Object.assign(document.createElement(name), properties);
}
