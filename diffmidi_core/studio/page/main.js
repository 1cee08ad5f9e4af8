// The studio's page: what is open, what is heard, what is asked for, put together.

import { ask, follow, get, post, upload } from "./api.js";
import { Form, fromNothing, showLabels } from "./form.js";
import * as files from "./files.js";
import { listen } from "./keys.js";
import { Music, clock, counted } from "./music.js";
import { Brush } from "./paint.js";
import { Player } from "./player.js";
import { Roll } from "./roll.js";
import { parse } from "./regions.js";
import { showRecent } from "./start.js";
import { Takes } from "./takes.js";
import { bytes, complain, safely, say, terminal, working } from "./telling.js";
import { chips } from "./tracks.js";

const by = (id) => document.getElementById(id);
const TAB = String(Math.random()).slice(2, 14); // keeps what this tab shows from being emptied
const PLAN = 300; // milliseconds after the last change

let model = {};
let piece = null; // as the server tells it; null where music from nothing is looked at
let original = null; // its Music
let draws = []; // of this piece, the newest first
let chosen = null; // the address of a take
let busy = null; // {draw, end}: what is drawn for this tab
let planning = 0;
let choosing = 0;
let opening = 0;
const music = new Map(); // of takes

const roll = new Roll(by("roll"), by("map"));
const player = new Player({ moved, changed: transport });
const takes = new Takes(by("takes"), { hear: (take) => (take === chosen && player.playing ? player.pause() : choose(take, true)), keep: (take) => keep(take) });
const form = new Form({ changed: () => plan(), painted: (boxes) => paint(boxes) });
const brush = new Brush(roll, { changed: (boxes) => (paint(boxes), form.show(boxes)), placed: (seconds) => player.seek(seconds) });

// Opening

/** `#piece-1`, `#piece-1/infill-2.001`: a piece, or a draw of music from nothing, and the take that is looked at. */
function address() {
  const [of, take] = location.hash.slice(1).split("/");
  return { of, take };
}

function remember() {
  const of = piece ? piece.id : draws.length ? draws[0].id : "";
  const hash = of ? `#${of}${chosen ? `/${chosen}` : ""}` : "";
  if (location.hash !== hash) history.replaceState(null, "", location.pathname + location.search + hash);
}

async function begin() {
  await look();
  return route();
}

async function look() {
  const state = await get("/api/state");
  model = state.model || {};
  by("model").textContent = model.name ? `Model: ${model.name}` : "";
  form.allow(model.process);
  if (!document.querySelector(".labels").children.length) showLabels(model.labels);
  by("folder").textContent = `${bytes(state.bytes)} in ${state.folder}`;
  return state;
}

async function route() {
  const { of, take } = address();
  try {
    if (of.startsWith("piece-")) return await openPiece(of, take);
    if (of.startsWith("sample-")) return await openDraw(of, take);
  } catch (error) {
    complain(error);
  }
  return showStart();
}

async function showStart() {
  opening++;
  player.pause();
  [piece, original, chosen, draws] = [null, null, null, []];
  roll.music = null;
  by("start").hidden = false;
  by("studio").hidden = true;
  if (location.hash) history.replaceState(null, "", location.pathname + location.search);
  const state = await look();
  showRecent(state);
  resume(state.draws.filter((draw) => draw.request.command === "sample"));
}

async function openPiece(id, take = null) {
  const mine = ++opening;
  const told = await get(`/api/pieces/${id}?tab=${TAB}`);
  if (mine !== opening) return; // something else was opened meanwhile
  const boxes = piece?.id === id ? roll.boxes : [];
  const related = piece && (told.id === piece.id || told.parent === piece.id || piece.parent === told.id);
  if (!related) roll.music = null; // shown from its beginning
  [piece, original] = [told, new Music(told)];
  by("name").textContent = told.name;
  by("undo").disabled = !told.undo;
  by("redo").disabled = !told.redo;
  enter(`/api/pieces/${id}.wav`, boxes);
  const state = await look();
  if (mine !== opening) return;
  await gather(state.draws.filter((draw) => draw.request?.piece === id), take);
}

/** Takes of nothing: there is no original beside them. */
async function openDraw(id, take = null) {
  const mine = ++opening;
  const draw = await get(`/api/draws/${id}`);
  if (mine !== opening) return;
  if (draw.request?.piece) return openPiece(draw.request.piece, take);
  if (!draw.takes.length) throw new Error(draw.error || "This draw has no takes: write some music, or drop a file.");
  const first = take && draw.takes.includes(take) ? take : draw.takes[0];
  await fetchTake(first);
  if (mine !== opening) return;
  roll.music = null;
  [piece, original] = [null, null];
  by("name").textContent = "New music";
  by("undo").disabled = by("redo").disabled = true;
  enter(null, []);
  await gather([draw], first);
}

function enter(sound, boxes) {
  choosing++; // what was being chosen was of another piece
  player.pause();
  [chosen, draws] = [null, []];
  if (piece) remember();
  by("start").hidden = true;
  by("studio").hidden = false;
  takes.clear();
  player.load("a", sound);
  player.load("b", null);
  player.side = "a";
  player.seek(0);
  roll.resize();
  roll.active.clear();
  if (original) show(original);
  moved(0);
  paint(boxes);
  form.show(boxes);
}

/** Show draws and their takes, and go on listening to what is still being drawn. */
async function gather(found, take) {
  draws = [...found].reverse();
  const region = draws[0]?.request.region || [];
  if (piece && region.length && !roll.boxes.length) {
    paint(region.map(parse)); // what was painted last
    form.show(roll.boxes);
  }
  resume(found);
  refresh();
  const wanted = draws.flatMap((draw) => draw.takes);
  await choose(wanted.includes(take) ? take : null, false);
  await Promise.all(wanted.slice(0, 40).map((each) => fetchTake(each).catch(complain)));
}

async function fetchTake(id) {
  if (!music.has(id)) {
    const told = new Music(await get(`/api/takes/${id}`));
    told.alone = !id.match(/^(infill|vary|continue)/);
    if (told.alone) [told.isTake, told.notes.isNew] = [false, new Uint8Array(told.notes.count)];
    music.set(id, told);
    if (music.size > 60) music.delete(music.keys().next().value);
  }
  const known = music.get(id);
  takes.fill(id, known, roll);
  return known;
}

function show(found) {
  const stay = roll.music !== null;
  // Rows stay where they are while one goes to and fro between takes.
  const seen = [original, ...draws.flatMap((draw) => draw.takes.map((take) => music.get(take))), found].filter(Boolean);
  const range = [Math.min(...seen.map((each) => each.range[0])), Math.max(...seen.map((each) => each.range[1]))];
  for (const each of seen) each.range = range;
  chips(by("tracks"), found, roll);
  roll.show(found, stay);
  moved(player.seconds);
}

// Painting and asking

function paint(boxes) {
  roll.boxes = boxes;
  roll.touch();
}

/** What would be drawn; with `line`, also the command for it, where now that of the take stands. */
function plan(line = true) {
  clearTimeout(planning);
  by("plan").textContent = "";
  by("plan").classList.remove("wrong");
  by("generate").disabled = true;
  if (!piece) return void (by("plan").textContent = "Keep a take first: then paint in it.");
  if (form.command === "infill" && !form.boxes().length) return void (by("plan").textContent = "Paint a region first.");
  planning = setTimeout(async () => {
    const asked = form.request(piece.id);
    try {
      const told = await post("/api/plan", asked);
      if (told.error) throw new Error(told.error);
      by("plan").textContent = told.sentence;
      by("generate").disabled = Boolean(busy);
      if (line) terminal(told.command_line);
    } catch (error) {
      by("plan").textContent = error.message;
      by("plan").classList.add("wrong");
    }
  }, PLAN);
}

const generate = safely(async () => {
  if (busy || by("generate").disabled) return;
  const asked = piece ? form.request(piece.id) : fromNothing();
  await start(asked);
});

async function start(asked) {
  const told = await post("/api/draws", asked);
  terminal(told.command_line);
  const draw = { id: told.draw, request: asked, takes: [], state: "queued", command_line: told.command_line };
  if (asked.piece) draws.unshift(draw);
  form.fresh();
  attend(draw);
}

/** Go on listening to what was being drawn when the page was left. */
function resume(found) {
  const going = found.findLast((draw) => draw.state === "queued" || draw.state === "running");
  if (busy && (busy.draw.request.piece ?? null) !== (piece?.id ?? null)) rest(); // another piece's
  if (going && !busy) attend(draws.find((draw) => draw.id === going.id) || going);
}

function rest() {
  busy?.end();
  busy = null;
  working(false);
}

function attend(draw) {
  busy = { draw, end: () => {} };
  working(true, "Waiting for its turn …");
  say("Generating.");
  let spoken = 0;
  busy.end = follow(draw.id, safely(async (kind, told) => {
    if (busy?.draw !== draw) return;
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
      draws.includes(draw) || draws.unshift(draw);
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

const cancel = safely(async () => {
  if (busy) await ask("DELETE", `/api/draws/${busy.draw.id}`);
});

// Takes

const current = () => draws.find((draw) => draw.takes.includes(chosen)) || draws.find((draw) => draw.takes.length);

function refresh() {
  takes.show(draws.filter((draw) => draw.takes.length), current()?.id, chosen);
  by("no-takes").hidden = draws.some((draw) => draw.takes.length);
  const draw = current();
  if (draw?.command_line && !busy) terminal(draw.command_line);
  else if (!busy && !draw) terminal("");
  remember();
}

/** Look at and listen to a take, or with null the original; the clock goes on from where it is. */
const choose = safely(async (take, play) => {
  const mine = ++choosing;
  const found = take ? await fetchTake(take) : original;
  if (!found || mine !== choosing) return; // another was chosen meanwhile
  const again = take === chosen;
  chosen = take;
  if (take) {
    const was = { playing: player.playing, seconds: player.seconds };
    player.load("b", `/api/takes/${take}.wav`);
    if (player.side === "b" && !again) {
      player.seek(was.seconds);
      if (was.playing) player.play();
    }
    player.hear("b");
    if (play && !player.playing) player.seek(passage(found, player.seconds));
    if (play && !player.playing) player.play();
  } else {
    player.hear("a");
    if (play && !player.playing) player.play();
  }
  show(found);
  refresh();
  transport();
});

/** Where to begin to hear a take: a bar before the first new note, unless the playhead stands between it and the last. */
function passage(found, now) {
  const news = found.notes.begin.filter((_, i) => found.notes.isNew[i]);
  if (!news.length) return now;
  const before = Math.max(found.first, found.barAt(news[0]) - 1);
  const [begin] = found.timeOf(before, before);
  return now >= begin && now <= news.at(-1) ? now : begin;
}

const keep = safely(async (take) => {
  if (!take) throw new Error("No take is chosen: press 1 for the first one.");
  const told = await post(piece ? `/api/pieces/${piece.id}/keep` : `/api/takes/${take}/keep`, piece ? { take } : {});
  say("Kept. Go on from here.");
  await openPiece(told.piece);
});

const walk = safely(async (to) => {
  if (to) await openPiece(to);
});

/** The other side, from the same moment on. */
function flip() {
  if (!chosen || !original) return;
  sideOf(player.side === "a" ? "b" : "a");
}

function sideOf(side) {
  player.hear(side);
  show(side === "a" ? original : music.get(chosen));
  say(side === "a" ? "Original" : "Take");
}

// Playing

function moved(seconds) {
  by("time").textContent = roll.music ? `${clock(seconds)} / ${clock(roll.music.seconds)}` : "";
  roll.playhead = seconds;
  if (player.playing) roll.reveal(seconds);
  roll.touch();
}

function transport() {
  by("play").textContent = player.playing ? "Pause" : "Play";
  const number = current()?.takes.indexOf(chosen) + 1;
  by("side-b").textContent = chosen && number ? `Take ${number}` : "Take";
  for (const input of document.querySelectorAll("input[name=side]")) {
    input.checked = input.value === player.side;
    input.disabled = input.value === "a" ? !original : !chosen;
  }
  const heard = player.side === "b" ? `/api/takes/${chosen}` : piece ? `/api/pieces/${piece.id}` : "";
  for (const kind of ["mid", "wav"]) by(kind === "mid" ? "midi" : "wav").href = `${heard}.${kind}`;
  for (const kind of ["midi", "wav"]) by(kind).setAttribute("aria-label", `Download ${player.side === "b" ? "the take" : "the piece"} as ${by(kind).textContent}`);
  by("legend").hidden = !(roll.music?.isTake && player.side === "b");
  if (player.error) complain(player.error);
}

function toggle() {
  if (!roll.music) return;
  if (player.playing) player.pause();
  else player.play();
}

function bar(step) {
  if (!roll.music) return;
  const number = Math.max(roll.music.first, Math.min(roll.music.last, roll.music.barAt(player.seconds) + step));
  player.seek(roll.music.timeOf(number, number)[0]);
  roll.reveal(player.seconds);
}

// Files

const open = safely(async (file) => {
  if (!file) return;
  say(`Reading ${file.name}.`);
  const told = await upload(file);
  await openPiece(told.piece);
  say(`${piece.name} is open: ${counted(original.notes.count, "note")}, ${counted(original.bars.length, "bar")}.`);
});

// Wiring

/** Emptying takes a second press. */
function spare() {
  delete by("empty").dataset.sure;
  by("empty").textContent = "Empty";
}

const on = (id, call) => by(id).addEventListener("click", call);
on("begin", safely(showStart));
on("help", () => by("keys").showModal());
on("undo", () => walk(piece?.undo));
on("redo", () => walk(piece?.redo));
on("play", toggle);
on("in", () => roll.zoom(1.5));
on("out", () => roll.zoom(1 / 1.5));
on("empty", safely(async () => {
  if (!by("empty").dataset.sure) {
    by("empty").dataset.sure = "yes";
    by("empty").textContent = piece ? "Remove all but this piece?" : "Remove all?";
    setTimeout(spare, 5000);
    return;
  }
  spare();
  const told = await post("/api/empty", { open: piece ? [piece.id] : [] });
  say("Emptied: pieces that are open stay.");
  if (told.bytes !== undefined) await look();
  if (piece) await openPiece(piece.id);
  else await showStart();
}));
by("ask").addEventListener("submit", (event) => (event.preventDefault(), generate()));
by("nothing").addEventListener("submit", (event) => (event.preventDefault(), safely(() => start(fromNothing()))()));
for (const box of document.querySelectorAll(".working")) box.querySelector("button").addEventListener("click", cancel);
for (const input of document.querySelectorAll("input[name=side]")) input.addEventListener("change", () => sideOf(input.value));
by("command").querySelector("button").addEventListener("click", safely(async () => {
  await navigator.clipboard.writeText(by("command").querySelector("code").textContent);
  say("Copied.");
}));
addEventListener("hashchange", safely(route));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => takes.repaint());
files.listen(open, { dropping: by("dropping"), input: by("file"), buttons: [by("choose"), by("choose-start")] });
listen({
  escape: cancel,
  " ": toggle,
  0: () => choose(null, false),
  a: flip,
  g: generate,
  k: () => keep(chosen),
  z: () => walk(piece?.undo),
  Z: () => walk(piece?.redo),
  ",": () => bar(-1),
  ".": () => bar(1),
  "+": () => roll.zoom(1.5),
  "=": () => roll.zoom(1.5),
  "-": () => roll.zoom(1 / 1.5),
  "?": () => by("keys").showModal(),
  other: (event) => brush.key(event),
  take: (number) => {
    const wanted = current()?.takes[number - 1];
    if (wanted) choose(wanted, true);
  },
});
window.studio = { roll, player }; // for whoever measures
safely(begin)();
