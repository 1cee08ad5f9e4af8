// Playing: the clock, and what can be pressed meanwhile.

import { current } from "./choosing.js";
import { clock } from "./music.js";
import { by, now, player, roll } from "./session.js";
import { complain } from "./telling.js";

export function moved(seconds) {
  by("time").textContent = roll.music ? `${clock(seconds)} / ${clock(roll.music.seconds)}` : "";
  roll.playhead = seconds;
  if (player.playing) roll.reveal(seconds);
  roll.touch();
}

export function transport() {
  by("play").textContent = player.playing ? "Pause" : "Play";
  const number = current()?.takes.indexOf(now.chosen) + 1;
  by("side-b").textContent = now.chosen && number ? `Take ${number}` : "Take";
  for (const input of document.querySelectorAll("input[name=side]")) {
    input.checked = input.value === player.side;
    input.disabled = input.value === "a" ? !now.original : !now.chosen;
  }
  const heard = player.side === "b" ? `/api/takes/${now.chosen}` : now.piece ? `/api/pieces/${now.piece.id}` : "";
  for (const kind of ["mid", "wav"]) by(kind === "mid" ? "midi" : "wav").href = `${heard}.${kind}`;
  for (const kind of ["midi", "wav"]) by(kind).setAttribute("aria-label", `Download ${player.side === "b" ? "the take" : "the piece"} as ${by(kind).textContent}`);
  by("legend").hidden = !(roll.music?.isTake && player.side === "b");
  if (player.error) complain(player.error);
}

export function toggle() {
  if (!roll.music) return;
  if (player.playing) player.pause();
  else player.play();
}

export function bar(step) {
  if (!roll.music) return;
  const number = Math.max(roll.music.first, Math.min(roll.music.last, roll.music.barAt(player.seconds) + step));
  player.seek(roll.music.timeOf(number, number)[0]);
  roll.reveal(player.seconds);
}
