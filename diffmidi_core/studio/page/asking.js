// Painting and asking: what would be drawn, and what is being drawn.

import { ask, follow, post } from "./api.js";
import { choose, fetchTake, refresh } from "./choosing.js";
import { fromNothing } from "./form.js";
import { counted } from "./music.js";
import { look, openDraw } from "./opening.js";
import { by, form, now, roll } from "./session.js";
import { complain, safely, say, terminal, working } from "./telling.js";

const PLAN = 300; // milliseconds after the last change
let planning = 0;

export function paint(boxes) {
  roll.boxes = boxes;
  roll.touch();
}

/** What would be drawn; with `line`, also the command for it, where now that of the take stands. */
export function plan(line = true) {
  clearTimeout(planning);
  by("plan").textContent = "";
  by("plan").classList.remove("wrong");
  by("generate").disabled = true;
  if (!now.piece) return void (by("plan").textContent = "Keep a take first: then paint in it.");
  if (form.command === "infill" && !form.boxes().length) return void (by("plan").textContent = "Paint a region first.");
  planning = setTimeout(async () => {
    const asked = form.request(now.piece.id);
    try {
      const told = await post("/api/plan", asked);
      if (told.error) throw new Error(told.error);
      by("plan").textContent = told.sentence;
      by("generate").disabled = Boolean(now.busy);
      if (line) terminal(told.command_line);
    } catch (error) {
      by("plan").textContent = error.message;
      by("plan").classList.add("wrong");
    }
  }, PLAN);
}

export const generate = safely(async () => {
  if (now.busy || by("generate").disabled) return;
  const asked = now.piece ? form.request(now.piece.id) : fromNothing();
  await start(asked);
});

export async function start(asked) {
  const told = await post("/api/draws", asked);
  terminal(told.command_line);
  const draw = { id: told.draw, request: asked, takes: [], state: "queued", command_line: told.command_line };
  if (asked.piece) now.draws.unshift(draw);
  form.fresh();
  attend(draw);
}

/** Go on listening to what was being drawn when the page was left. */
export function resume(found) {
  const going = found.findLast((draw) => draw.state === "queued" || draw.state === "running");
  if (now.busy && (now.busy.draw.request.piece ?? null) !== (now.piece?.id ?? null)) rest(); // another piece's
  if (going && !now.busy) attend(now.draws.find((draw) => draw.id === going.id) || going);
}

function rest() {
  now.busy?.end();
  now.busy = null;
  working(false);
}

function attend(draw) {
  now.busy = { draw, end: () => {} };
  working(true, "Waiting for its turn …");
  say("Generating.");
  let spoken = 0;
  now.busy.end = follow(draw.id, safely(async (kind, told) => {
    if (now.busy?.draw !== draw) return;
    if (kind === "progress") {
      draw.state = "running";
      working(true, told.sentence || "Writing …", told.total ? told.done / told.total : null);
      if (Date.now() - spoken > 5000) say(told.sentence || "Writing.");
      if (Date.now() - spoken > 5000) spoken = Date.now();
    } else if (kind === "warned") {
      complain(told.sentence);
    } else if (kind === "take") {
      if (draw.takes.includes(told.take)) return;
      draw.takes.push(told.take);
      say(`Take ${draw.takes.length} is there.`);
      if (!draw.request.piece) return;
      now.draws.includes(draw) || now.draws.unshift(draw);
      refresh();
      await fetchTake(told.take);
      if (draw.takes.length === 1) await choose(told.take, false);
    } else {
      draw.state = kind;
      rest();
      refresh();
      plan(false);
      const count = counted(draw.takes.length, "take");
      say(kind === "done" ? `Done: ${count}.` : kind === "cancelled" ? "Cancelled." : told.error);
      if (kind === "failed") complain(told.error);
      if (!draw.request.piece && draw.takes.length) await openDraw(draw.id);
      else await look();
    }
  }));
}

export const cancel = safely(async () => {
  if (now.busy) await ask("DELETE", `/api/draws/${now.busy.draw.id}`);
});
