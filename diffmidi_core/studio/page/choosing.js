// Choosing among takes: which is looked at and heard, and kept.

import { get, post } from "./api.js";
import { Music } from "./music.js";
import { openPiece, remember } from "./opening.js";
import { moved, transport } from "./playing.js";
import { by, music, now, player, roll, takes } from "./session.js";
import { safely, say, terminal } from "./telling.js";
import { chips } from "./tracks.js";

export function current() {
  return now.draws.find((draw) => draw.takes.includes(now.chosen)) || now.draws.find((draw) => draw.takes.length);
}

export async function fetchTake(id) {
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

export function show(found) {
  const stay = roll.music !== null;
  // Rows stay where they are while one goes to and fro between takes.
  const seen = [now.original, ...now.draws.flatMap((draw) => draw.takes.map((take) => music.get(take))), found].filter(Boolean);
  const range = [Math.min(...seen.map((each) => each.range[0])), Math.max(...seen.map((each) => each.range[1]))];
  for (const each of seen) each.range = range;
  chips(by("tracks"), found, roll);
  roll.show(found, stay);
  moved(player.seconds);
}

export function refresh() {
  takes.show(now.draws.filter((draw) => draw.takes.length), current()?.id, now.chosen);
  by("no-takes").hidden = now.draws.some((draw) => draw.takes.length);
  const draw = current();
  if (draw?.command_line && !now.busy) terminal(draw.command_line);
  else if (!now.busy && !draw) terminal("");
  remember();
}

/** Look at and listen to a take, or with null the original; the clock goes on from where it is. */
export const choose = safely(async (take, play) => {
  const mine = ++now.choosing;
  const found = take ? await fetchTake(take) : now.original;
  if (!found || mine !== now.choosing) return; // another was chosen meanwhile
  const again = take === now.chosen;
  now.chosen = take;
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

export const keep = safely(async (take) => {
  if (!take) throw new Error("No take is chosen: press 1 for the first one.");
  const told = await post(now.piece ? `/api/pieces/${now.piece.id}/keep` : `/api/takes/${take}/keep`, now.piece ? { take } : {});
  say("Kept. Go on from here.");
  await openPiece(told.piece);
});

export const walk = safely(async (to) => {
  if (to) await openPiece(to);
});

/** The other side, from the same moment on. */
export function flip() {
  if (!now.chosen || !now.original) return;
  sideOf(player.side === "a" ? "b" : "a");
}

export function sideOf(side) {
  player.hear(side);
  show(side === "a" ? now.original : music.get(now.chosen));
  say(side === "a" ? "Original" : "Take");
}
