// Painting: mouse, pen, fingers and arrow keys on the roll become boxes.

import { LEFT, TOP } from "./roll.js";
import { add, less, moved, span } from "./regions.js";

const CLICK = 4; // pixels that a click may wander

export class Brush {
  /** `changed(boxes)` hears of new boxes, `placed(seconds)` of where to play from. */
  constructor(roll, { changed, placed }) {
    Object.assign(this, { roll, changed, placed, fingers: new Map(), from: null });
    const { box, map } = roll;
    box.addEventListener("pointerdown", (event) => this.press(event));
    box.addEventListener("pointermove", (event) => this.drag(event));
    box.addEventListener("pointerup", (event) => this.release(event));
    box.addEventListener("pointercancel", (event) => this.cancel(event));
    box.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    box.addEventListener("keydown", (event) => this.key(event));
    for (const kind of ["pointerdown", "pointermove"]) map.addEventListener(kind, (event) => this.jump(event));
  }

  get tool() {
    return document.querySelector("input[name=tool]:checked").value;
  }

  how(event) {
    if (event.shiftKey) return "add";
    return event.altKey ? "less" : document.querySelector("input[name=how]:checked").value;
  }

  place(event) {
    const { left, top } = this.roll.box.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  }

  press(event) {
    if (!this.roll.music || event.button > 0) return;
    this.roll.box.setPointerCapture(event.pointerId);
    this.fingers.set(event.pointerId, this.place(event));
    if (this.fingers.size > 1) return this.stop();
    const at = this.place(event);
    const where = at.x < LEFT ? "band" : at.y < TOP ? "bars" : this.tool;
    this.from = { ...at, where, how: this.how(event), moved: false };
    this.preview(at);
  }

  drag(event) {
    if (!this.fingers.has(event.pointerId)) return;
    const before = new Map(this.fingers);
    this.fingers.set(event.pointerId, this.place(event));
    if (this.fingers.size > 1) return this.pinch(before);
    if (!this.from) return;
    const at = this.place(event);
    this.from.moved ||= Math.hypot(at.x - this.from.x, at.y - this.from.y) > CLICK;
    if (at.x > this.roll.width - 12) this.roll.move(this.roll.view.from + 12 / this.roll.view.scale);
    if (this.from.moved && at.x < LEFT && this.from.where !== "band") this.roll.move(this.roll.view.from - 12 / this.roll.view.scale);
    this.preview(at);
  }

  release(event) {
    this.fingers.delete(event.pointerId);
    if (!this.from) return;
    const { from } = this;
    const made = this.shape(this.place(event));
    this.stop();
    if (!from.moved && from.x >= LEFT && from.where === "bars") {
      const bar = this.roll.music.barAt(this.roll.seconds(from.x));
      this.placed(this.roll.music.timeOf(bar, bar)[0]);
    }
    if (made.length) this.apply(made, from.how);
  }

  cancel(event) {
    this.fingers.delete(event.pointerId);
    this.stop();
  }

  stop() {
    this.from = null;
    this.roll.painted = null;
    this.roll.touch();
  }

  preview(at) {
    const [box] = this.shape(at);
    this.roll.painted = box ? { box, how: this.from.how } : null;
    this.roll.touch();
  }

  /** The boxes, one for each track where only some are painted in, of a drag from where it began. */
  shape(to) {
    const { roll, from } = this;
    const { music } = roll;
    const times = [roll.seconds(from.x), roll.seconds(Math.max(to.x, LEFT))].sort((a, b) => a - b);
    const pitches = [roll.pitch(from.y), roll.pitch(Math.max(to.y, TOP))].sort((a, b) => a - b);
    const bars = { unit: "bars", from: music.barAt(times[0]), to: music.barAt(times[1]) };
    if (from.where === "notes" && !from.moved) return this.note(from);
    const seconds = { unit: "seconds", from: round(times[0]), to: round(times[1]) };
    if (from.where === "notes" && seconds.to <= seconds.from) return [];
    const time = { band: null, notes: seconds, bars, box: bars }[from.where];
    return this.tracked({ time, pitch: from.where === "bars" ? null : pitches, track: null });
  }

  note(at) {
    const { music } = this.roll;
    const i = music.noteAt(this.roll.seconds(at.x), this.roll.pitch(at.y), 3 / this.roll.view.scale);
    if (i < 0) return [];
    const { notes, tracks } = music;
    const begin = Math.floor(notes.begin[i] * 1000) / 1000; // never behind its onset
    const time = { unit: "seconds", from: begin, to: Math.max(begin + 0.002, Math.floor(notes.end[i] * 1000) / 1000) };
    const melodic = tracks.filter((track) => !track.drums);
    const track = melodic.length > 1 ? String(tracks[notes.track[i]].number) : null;
    return [{ time, pitch: [notes.pitch[i], notes.pitch[i]], track }];
  }

  tracked(box) {
    const { tracks } = this.roll.music;
    const melodic = tracks.map((track, place) => ({ ...track, place })).filter((track) => !track.drums);
    const on = melodic.filter((track) => this.roll.active.has(track.place));
    if (on.length === melodic.length || !on.length) return [box];
    return on.map((track) => ({ ...box, track: String(track.number) }));
  }

  apply(made, how) {
    const { music } = this.roll;
    let boxes = how === "new" ? [] : this.roll.boxes;
    for (const box of made) boxes = how === "less" ? less(boxes, box, music) : add(boxes, box, music);
    this.changed(boxes);
  }

  pinch(before) {
    const [a, b] = [...this.fingers.values()];
    const [c, d] = [...before.values()];
    const far = (p, q) => Math.max(20, Math.abs(p.x - q.x));
    this.roll.zoom(far(a, b) / far(c, d), (a.x + b.x) / 2);
    this.roll.move(this.roll.view.from - (a.x + b.x - c.x - d.x) / 2 / this.roll.view.scale);
  }

  wheel(event) {
    if (!this.roll.music) return;
    const sideways = event.shiftKey ? event.deltaX || event.deltaY : event.deltaX;
    if (event.ctrlKey || event.metaKey) this.roll.zoom(Math.exp(-event.deltaY / 300), this.place(event).x);
    else if (sideways) this.roll.move(this.roll.view.from + sideways / this.roll.view.scale);
    else return;
    event.preventDefault();
  }

  jump(event) {
    if (!this.roll.music || !event.buttons) return;
    const { left, width } = this.roll.map.getBoundingClientRect();
    const room = (this.roll.width - LEFT) / this.roll.view.scale;
    this.roll.move(((event.clientX - left) / width) * this.roll.music.seconds - room / 2);
  }

  /** Arrow keys move the box that was painted last, and with shift its far end. */
  key(event) {
    const { roll } = this;
    if (!roll.music || event.ctrlKey || event.metaKey || event.altKey) return;
    const bars = { ArrowLeft: -1, ArrowRight: 1, PageUp: -4, PageDown: 4, Home: -1e4, End: 1e4 }[event.key] || 0;
    const rows = { ArrowUp: 1, ArrowDown: -1 }[event.key] || 0;
    if (event.key === "Delete" || event.key === "Backspace") this.changed([]);
    else if (event.key === "n") this.another();
    else if (bars || rows) this.shift(bars, rows, event.shiftKey);
    else return;
    event.preventDefault();
  }

  shift(bars, rows, extend) {
    const { roll } = this;
    const last = roll.boxes.findLastIndex((box) => box.raw === undefined);
    const made = last < 0 ? this.begin() : moved(roll.boxes[last], bars, rows, extend, roll.music);
    this.changed(last < 0 ? [...roll.boxes, made] : roll.boxes.with(last, made));
    roll.reveal(...span(made, roll.music));
  }

  begin() {
    const { roll } = this;
    const from = roll.music.barAt(roll.playhead ?? roll.view.from);
    return this.tracked({ time: { unit: "bars", from, to: from }, pitch: null, track: null })[0];
  }

  /** One box more, behind the last. */
  another() {
    const { roll } = this;
    const last = roll.boxes.findLast((box) => box.raw === undefined);
    const from = last ? Math.min(roll.music.last, roll.music.barAt(span(last, roll.music)[1] - 1e-3) + 2) : null;
    this.changed([...roll.boxes, from === null ? this.begin() : { ...last, time: { unit: "bars", from, to: from } }]);
  }
}

const round = (seconds) => Math.round(seconds * 100) / 100;
