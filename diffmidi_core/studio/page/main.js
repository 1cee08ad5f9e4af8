// The studio's page: everything that can be pressed, dropped or typed, and what it does.

import { post, upload } from "./api.js";
import { cancel, generate, start } from "./asking.js";
import { choose, current, flip, keep, sideOf, walk } from "./choosing.js";
import * as files from "./files.js";
import { fromNothing } from "./form.js";
import { listen } from "./keys.js";
import { counted } from "./music.js";
import { begin, look, openPiece, route, showStart } from "./opening.js";
import { bar, toggle } from "./playing.js";
import { brush, by, now, player, roll, takes } from "./session.js";
import { safely, say } from "./telling.js";

const open = safely(async (file) => {
  if (!file) return;
  say(`Reading ${file.name}.`);
  const told = await upload(file);
  await openPiece(told.piece);
  say(`${now.piece.name} is open: ${counted(now.original.notes.count, "note")}, ${counted(now.original.bars.length, "bar")}.`);
});

/** Emptying takes a second press. */
function spare() {
  delete by("empty").dataset.sure;
  by("empty").textContent = "Empty";
}

const on = (id, call) => by(id).addEventListener("click", call);
on("begin", safely(showStart));
on("help", () => by("keys").showModal());
on("undo", () => walk(now.piece?.undo));
on("redo", () => walk(now.piece?.redo));
on("play", toggle);
on("in", () => roll.zoom(1.5));
on("out", () => roll.zoom(1 / 1.5));
on("empty", safely(async () => {
  if (!by("empty").dataset.sure) {
    by("empty").dataset.sure = "yes";
    by("empty").textContent = now.piece ? "Remove all but this piece?" : "Remove all?";
    setTimeout(spare, 5000);
    return;
  }
  spare();
  const told = await post("/api/empty", { open: now.piece ? [now.piece.id] : [] });
  say("Emptied: pieces that are open stay.");
  if (told.bytes !== undefined) await look();
  if (now.piece) await openPiece(now.piece.id);
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
  k: () => keep(now.chosen),
  z: () => walk(now.piece?.undo),
  Z: () => walk(now.piece?.redo),
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
