// Regions as boxes, and as text of the region language. A box is {time, pitch, track}; null says nothing.
// time is {unit: "bars", from, to} with both ends in it, or {unit: "seconds", from, to} up to its end; to may be null.

import { pitchName } from "./music.js";

const STEPS = { c: 0, d: 2, e: 4, f: 5, g: 7, a: 9, b: 11 };
const PITCH = "[A-Ga-g][#b♯♭]?-?\\d+|\\d+";
const seconds = (value) => String(Math.round(value * 1000) / 1000);

export function text(box) {
  if (box.raw !== undefined) return box.raw;
  const told = [];
  const range = (from, to, say = String) => (to === null ? `${say(from)}-` : from === to ? say(from) : `${say(from)}-${say(to)}`);
  if (box.time?.unit === "bars") told.push(`bars ${range(box.time.from, box.time.to)}`);
  if (box.time?.unit === "seconds") told.push(`seconds ${range(box.time.from, box.time.to, seconds)}`);
  if (box.pitch) told.push(`pitch ${range(box.pitch[0], box.pitch[1], pitchName)}`);
  if (box.track !== null) told.push(`track ${box.track}`);
  return told.join(", ");
}

/** A box of a text, as far as this page can paint it; what it cannot is left to the server as it stands. */
export function parse(line) {
  const box = { time: null, pitch: null, track: null };
  for (const part of line.split(",")) {
    const told = part.trim();
    let match;
    if ((match = /^bars?\s+(\d+)(?:\s*(-)\s*(\d+)?)?$/i.exec(told)) && !box.time) {
      const from = Number(match[1]);
      box.time = { unit: "bars", from, to: match[2] ? (match[3] ? Number(match[3]) : null) : from };
    } else if ((match = /^seconds?\s+(\d+(?:\.\d+)?)\s*-\s*(\d+(?:\.\d+)?)?$/i.exec(told)) && !box.time) {
      box.time = { unit: "seconds", from: Number(match[1]), to: match[2] ? Number(match[2]) : null };
    } else if ((match = new RegExp(`^pitch(?:es)?\\s+(${PITCH})(?:\\s*-\\s*(${PITCH}))?$`, "i").exec(told)) && !box.pitch) {
      const low = pitchOf(match[1]);
      box.pitch = [low, match[2] ? pitchOf(match[2]) : low];
    } else if ((match = /^tracks?\s+(.+)$/i.exec(told)) && box.track === null) {
      box.track = match[1].trim();
    } else {
      return { raw: line.trim() };
    }
  }
  return box;
}

function pitchOf(name) {
  if (/^\d+$/.test(name)) return Number(name);
  const [, step, altered, octave] = /^([a-g])([#b♯♭]?)(-?\d+)$/i.exec(name);
  return STEPS[step.toLowerCase()] + (altered === "" ? 0 : "#♯".includes(altered) ? 1 : -1) + 12 * (Number(octave) + 1);
}

/** From when until when a box is, in seconds. */
export function span(box, music) {
  if (!box.time) return [0, music.seconds];
  if (box.time.unit === "bars") return music.timeOf(box.time.from, box.time.to);
  return [box.time.from, box.time.to ?? music.seconds];
}

/** The numbers of the tracks that a box is in. */
function tracksOf(box, music) {
  const melodic = music.tracks.filter((track) => !track.drums);
  if (box.track === null) return melodic.map((track) => String(track.number));
  const named = melodic.filter((track) => String(track.number) === box.track);
  const found = named.length ? named : melodic.filter((track) => track.name.trim().toLowerCase() === box.track.toLowerCase());
  return found.map((track) => String(track.number));
}

/** Boxes and one more: those that are in it go, and those that continue it in time become one with it. */
export function add(boxes, box, music) {
  let one = box;
  const others = [];
  for (const each of boxes) {
    const joined = each.raw === undefined && join(each, one, music);
    if (joined) one = joined;
    else if (each.raw !== undefined || !within(each, one, music)) others.push(each);
  }
  return [...others, one];
}

function join(a, b, music) {
  if (a.track !== b.track || String(a.pitch) !== String(b.pitch)) return null;
  if (!a.time || !b.time) return { ...a, time: null };
  if (a.time.unit !== b.time.unit) return null;
  const step = a.time.unit === "bars" ? 1 : 0;
  const end = (time) => time.to ?? (step ? music.last : music.seconds);
  const [x, y] = a.time.from <= b.time.from ? [a.time, b.time] : [b.time, a.time];
  if (y.from > end(x) + step) return null;
  return { ...a, time: { unit: x.unit, from: x.from, to: end(y) > end(x) ? y.to : x.to } };
}

function within(a, b, music) {
  const [[a0, a1], [b0, b1]] = [span(a, music), span(b, music)];
  const [p, q] = [a.pitch || [0, 127], b.pitch || [0, 127]];
  const outer = tracksOf(b, music);
  return a0 >= b0 && a1 <= b1 && p[0] >= q[0] && p[1] <= q[1] && tracksOf(a, music).every((track) => outer.includes(track));
}

/** Boxes without what is in another one. */
export function less(boxes, cut, music) {
  return boxes.flatMap((box) => (box.raw === undefined ? cutOne(box, cut, music) : [box]));
}

function cutOne(box, cut, music) {
  const [a, b] = [span(box, music), span(cut, music)];
  const [p, q] = [box.pitch || [0, 127], cut.pitch || [0, 127]];
  const [own, theirs] = [tracksOf(box, music), tracksOf(cut, music)];
  const shared = own.filter((track) => theirs.includes(track));
  if (b[0] >= a[1] || b[1] <= a[0] || q[0] > p[1] || q[1] < p[0] || !shared.length) return [box];
  const left = own.filter((track) => !theirs.includes(track)).map((track) => ({ ...box, track }));
  const stays = shared.length === own.length ? [box.track] : shared;
  const bars = [box, cut].every((each) => each.time?.unit !== "seconds");
  const numbers = (each) => [each.time?.from ?? music.first, each.time ? each.time.to ?? music.last : music.last];
  const between = (from, to) => ({ unit: bars ? "bars" : "seconds", from, to });
  for (const track of stays) {
    const one = { ...box, track };
    let middle;
    if (bars) {
      const [[f, l], [cf, cl]] = [numbers(box), numbers(cut)];
      if (cf > f) left.push({ ...one, time: between(f, cf - 1) });
      if (cl < l) left.push({ ...one, time: between(cl + 1, l) });
      middle = cf <= f && cl >= l ? box.time : between(Math.max(f, cf), Math.min(l, cl));
    } else {
      if (b[0] > a[0]) left.push({ ...one, time: between(a[0], b[0]) });
      if (b[1] < a[1]) left.push({ ...one, time: between(b[1], a[1]) });
      middle = between(Math.max(a[0], b[0]), Math.min(a[1], b[1]));
    }
    if (q[0] > p[0]) left.push({ ...one, time: middle, pitch: [p[0], q[0] - 1] });
    if (q[1] < p[1]) left.push({ ...one, time: middle, pitch: [q[1] + 1, p[1]] });
  }
  return left;
}

/** A box moved by `bars` (a box of seconds: by beats) and `rows`, or with `extend` its far end alone. */
export function moved(box, bars, rows, extend, music) {
  const made = { ...box };
  if (bars && box.time?.unit !== "seconds") {
    const from = box.time?.from ?? music.first;
    const to = box.time ? box.time.to ?? music.last : music.last;
    const far = Math.min(music.last, Math.max(extend ? from : to - from + music.first, to + bars));
    made.time = { unit: "bars", from: extend ? from : far - (to - from), to: far };
  } else if (bars) {
    const beat = (music.beats[1] ?? 0.5) - (music.beats[0] ?? 0);
    const [from, to] = span(box, music);
    const far = Math.min(music.seconds, Math.max(extend ? from + beat / 4 : to - from, to + bars * beat));
    made.time = { unit: "seconds", from: extend ? from : far - (to - from), to: far };
  }
  if (rows) {
    const [low, high] = box.pitch || middleOctave(music);
    const far = Math.min(127, Math.max(extend ? low : high - low, high + rows));
    made.pitch = box.pitch ? [extend ? low : far - (high - low), far] : [low, high];
  }
  return made;
}

function middleOctave(music) {
  const middle = (music.range[0] + music.range[1]) >> 1;
  return [middle - 6, middle + 5];
}
