// Opening: a piece, or takes of nothing, by the page's address.

import { get } from "./api.js";
import { paint, resume } from "./asking.js";
import { choose, fetchTake, refresh, show } from "./choosing.js";
import { showLabels } from "./form.js";
import { Music } from "./music.js";
import { moved } from "./playing.js";
import { parse } from "./regions.js";
import { by, form, now, player, roll, takes } from "./session.js";
import { showRecent } from "./start.js";
import { bytes, complain } from "./telling.js";

const TAB = String(Math.random()).slice(2, 14); // keeps what this tab shows from being emptied
let opening = 0;

/** `#piece-1`, `#piece-1/infill-2.001`: a piece, or a draw of music from nothing, and the take that is looked at. */
function address() {
  const [of, take] = location.hash.slice(1).split("/");
  return { of, take };
}

export function remember() {
  const of = now.piece ? now.piece.id : now.draws.length ? now.draws[0].id : "";
  const hash = of ? `#${of}${now.chosen ? `/${now.chosen}` : ""}` : "";
  if (location.hash !== hash) history.replaceState(null, "", location.pathname + location.search + hash);
}

export async function begin() {
  await look();
  return route();
}

export async function look() {
  const state = await get("/api/state");
  now.model = state.model || {};
  by("model").textContent = now.model.name ? `Model: ${now.model.name}` : "";
  form.allow(now.model.process);
  if (!document.querySelector(".labels").children.length) showLabels(now.model.labels);
  by("folder").textContent = `${bytes(state.bytes)} in ${state.folder}`;
  return state;
}

export async function route() {
  const { of, take } = address();
  try {
    if (of.startsWith("piece-")) return await openPiece(of, take);
    if (of.startsWith("sample-")) return await openDraw(of, take);
  } catch (error) {
    complain(error);
  }
  return showStart();
}

export async function showStart() {
  opening++;
  player.pause();
  [now.piece, now.original, now.chosen, now.draws] = [null, null, null, []];
  roll.music = null;
  by("start").hidden = false;
  by("studio").hidden = true;
  if (location.hash) history.replaceState(null, "", location.pathname + location.search);
  const state = await look();
  showRecent(state);
  resume(state.draws.filter((draw) => draw.request.command === "sample"));
}

export async function openPiece(id, take = null) {
  const mine = ++opening;
  const told = await get(`/api/pieces/${id}?tab=${TAB}`);
  if (mine !== opening) return; // something else was opened meanwhile
  const boxes = now.piece?.id === id ? roll.boxes : [];
  const related = now.piece && (told.id === now.piece.id || told.parent === now.piece.id || now.piece.parent === told.id);
  if (!related) roll.music = null; // shown from its beginning
  [now.piece, now.original] = [told, new Music(told)];
  by("name").textContent = told.name;
  by("undo").disabled = !told.undo;
  by("redo").disabled = !told.redo;
  enter(`/api/pieces/${id}.wav`, boxes);
  const state = await look();
  if (mine !== opening) return;
  await gather(state.draws.filter((draw) => draw.request?.piece === id), take);
}

/** Takes of nothing: there is no original beside them. */
export async function openDraw(id, take = null) {
  const mine = ++opening;
  const draw = await get(`/api/draws/${id}`);
  if (mine !== opening) return;
  if (draw.request?.piece) return openPiece(draw.request.piece, take);
  if (!draw.takes.length) throw new Error(draw.error || "This draw has no takes: write some music, or drop a file.");
  const first = take && draw.takes.includes(take) ? take : draw.takes[0];
  await fetchTake(first);
  if (mine !== opening) return;
  roll.music = null;
  [now.piece, now.original] = [null, null];
  by("name").textContent = "New music";
  by("undo").disabled = by("redo").disabled = true;
  enter(null, []);
  await gather([draw], first);
}

function enter(sound, boxes) {
  now.choosing++; // what was being chosen was of another piece
  player.pause();
  [now.chosen, now.draws] = [null, []];
  if (now.piece) remember();
  by("start").hidden = true;
  by("studio").hidden = false;
  takes.clear();
  player.load("a", sound);
  player.load("b", null);
  player.side = "a";
  player.seek(0);
  roll.resize();
  roll.active.clear();
  if (now.original) show(now.original);
  moved(0);
  paint(boxes);
  form.show(boxes);
}

/** Show draws and their takes, and go on listening to what is still being drawn. */
async function gather(found, take) {
  now.draws = [...found].reverse();
  const region = now.draws[0]?.request.region || [];
  if (now.piece && region.length && !roll.boxes.length) {
    paint(region.map(parse)); // what was painted last
    form.show(roll.boxes);
  }
  resume(found);
  refresh();
  const wanted = now.draws.flatMap((draw) => draw.takes);
  await choose(wanted.includes(take) ? take : null, false);
  await Promise.all(wanted.slice(0, 40).map((each) => fetchTake(each).catch(complain)));
}
