// What the page's modules share: what is open, what is looked at, and the views of it.

import { plan, paint } from "./asking.js";
import { choose, keep } from "./choosing.js";
import { Form } from "./form.js";
import { Brush } from "./paint.js";
import { Player } from "./player.js";
import { moved, transport } from "./playing.js";
import { Roll } from "./roll.js";
import { Takes } from "./takes.js";

export const by = (id) => document.getElementById(id);

export const now = {
  model: {},
  piece: null, // as the server tells it; null where music from nothing is looked at
  original: null, // its Music
  draws: [], // of this piece, the newest first
  chosen: null, // the address of a take
  choosing: 0, // how often one was chosen
  busy: null, // {draw, end}: what is drawn for this tab
};
export const music = new Map(); // of takes

export const roll = new Roll(by("roll"), by("map"));
export const player = new Player({ moved, changed: transport });
export const takes = new Takes(by("takes"), { hear: (take) => (take === now.chosen && player.playing ? player.pause() : choose(take, true)), keep: (take) => keep(take) });
export const form = new Form({ changed: () => plan(), painted: (boxes) => paint(boxes) });
export const brush = new Brush(roll, { changed: (boxes) => (paint(boxes), form.show(boxes)), placed: (seconds) => player.seek(seconds) });
