// The piano roll: tiles of notes that are drawn once, over them what moves (region, playhead), and a map of the whole.

import { pitchName } from "./music.js";
import { span } from "./regions.js";

export const LEFT = 44; // the keyboard
export const TOP = 24; // the bar numbers
const TILE = 512;
const MOST_TILES = 24;
const ALPHA = [0.55, 0.7, 0.85, 1]; // of velocities, soft to loud
const BLACK = [1, 3, 6, 8, 10];
const LEAST_BAR = 34; // pixels between two numbers
const NAMES = ["paper", "card", "ink", "quiet", "accent", "second", "track0", "track1", "track2", "row", "beat", "bar", "edge", "line"];

export class Roll {
  constructor(box, map) {
    this.box = box;
    [this.base, this.over] = box.querySelectorAll("canvas");
    this.map = map;
    this.music = null;
    this.view = { from: 0, scale: 60 }; // seconds, pixels a second
    this.boxes = [];
    this.painted = null; // {box, how} while somebody paints
    this.active = new Set(); // places of tracks
    this.playhead = null;
    this.tiles = new Map();
    this.frames = 0; // drawn so far, for whoever measures
    new ResizeObserver(() => this.resize()).observe(box);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.recolour());
    this.recolour();
    this.resize();
  }

  recolour() {
    const style = getComputedStyle(document.documentElement);
    this.colours = Object.fromEntries(NAMES.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
    this.redraw();
  }

  resize() {
    this.ratio = Math.min(2, devicePixelRatio || 1);
    const { clientWidth: width, clientHeight: height } = this.box;
    [this.width, this.height] = [Math.max(width, LEFT + 10), Math.max(height, TOP + 10)];
    for (const canvas of [this.base, this.over]) size(canvas, this.width, this.height, this.ratio);
    size(this.map, Math.max(this.map.clientWidth, 10), Math.max(this.map.clientHeight, 10), this.ratio);
    if (this.music) this.move(this.view.from, this.view.scale);
    this.redraw();
    this.draw(); // a canvas is blank once it has another size
  }

  /** Show other music; the passage stays where `stay`. */
  show(music, stay = false) {
    this.music = music;
    if (!stay) {
      const bars = music.bars[Math.min(this.width < 600 ? 5 : 15, music.bars.length - 1)];
      this.view = { from: 0, scale: (this.width - LEFT) / Math.max(bars ? bars[2] : music.seconds, 0.5) };
    }
    this.move(this.view.from, this.view.scale);
    this.redraw();
  }

  /** Draw the notes anew; `touch` draws only what moves. */
  redraw() {
    this.tiles.clear();
    this.picture = null;
    this.stale = true;
    this.touch();
  }

  touch() {
    this.pending ??= requestAnimationFrame(() => {
      this.pending = null;
      this.draw();
    });
  }

  // Where things are

  get rows() {
    return this.music.range[1] - this.music.range[0] + 1;
  }

  get row() {
    return (this.height - TOP) / this.rows;
  }

  x(seconds) {
    return LEFT + (seconds - this.view.from) * this.view.scale;
  }

  y(pitch) {
    return TOP + (this.music.range[1] - pitch) * this.row;
  }

  seconds(x) {
    return Math.min(Math.max(this.view.from + (x - LEFT) / this.view.scale, 0), this.music.seconds - 1e-6);
  }

  pitch(y) {
    const [low, high] = this.music.range;
    return Math.min(high, Math.max(low, high - Math.floor((y - TOP) / this.row)));
  }

  /** Show the passage from a time on, at so many pixels a second. */
  move(from, scale = this.view.scale) {
    const room = this.width - LEFT;
    const least = room / this.music.seconds;
    const clipped = Math.min(Math.max(scale, least), Math.max(least, 600));
    const begin = Math.max(0, Math.min(from, this.music.seconds - room / clipped));
    if (begin === this.view.from && clipped === this.view.scale) return;
    if (clipped !== this.view.scale) this.tiles.clear();
    this.view = { from: begin, scale: clipped };
    this.stale = true;
    this.touch();
  }

  zoom(factor, x = LEFT + (this.width - LEFT) / 2) {
    const held = this.view.from + (x - LEFT) / this.view.scale;
    const scale = this.view.scale * factor;
    this.move(held - (x - LEFT) / scale, scale);
  }

  /** Turn the page where a time is out of sight. */
  reveal(from, to = from) {
    const room = (this.width - LEFT) / this.view.scale;
    if (from < this.view.from || to > this.view.from + room * 0.98) this.move(from - room * 0.08);
  }

  // Drawing

  draw() {
    if (!this.music || !this.box.clientWidth) return;
    this.frames++;
    if (this.stale) this.drawBase();
    this.stale = false;
    this.drawOver();
    this.drawMap();
  }

  drawBase() {
    const context = this.base.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = this.colours.card;
    context.fillRect(0, 0, this.base.width, this.base.height);
    const { from, scale } = this.view;
    const left = from * scale;
    for (let number = Math.floor(left / TILE); number * TILE < left + this.width - LEFT; number++) {
      const at = Math.round((LEFT + number * TILE - left) * this.ratio);
      context.drawImage(this.tile(number), at, Math.round(TOP * this.ratio));
    }
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    this.drawRuler(context);
    this.drawKeys(context);
  }

  /** So many pixels of the roll on a canvas of their own, kept until something else is to be seen. */
  tile(number) {
    const known = this.tiles.get(number);
    if (known) return known;
    const canvas = document.createElement("canvas");
    size(canvas, TILE, this.height - TOP, this.ratio);
    const context = canvas.getContext("2d");
    context.scale(this.ratio, this.ratio);
    const from = (number * TILE) / this.view.scale;
    const to = from + TILE / this.view.scale;
    const at = (seconds) => (seconds - from) * this.view.scale;
    this.drawPaper(context, at, from, to);
    this.drawNotes(context, this.music, { from, to, at, y: (pitch) => this.y(pitch) - TOP, row: this.row });
    this.tiles.set(number, canvas);
    if (this.tiles.size > MOST_TILES) this.tiles.delete(this.tiles.keys().next().value);
    return canvas;
  }

  drawPaper(context, at, from, to) {
    const { music, colours, row } = this;
    const height = this.height - TOP;
    context.fillStyle = colours.card;
    context.fillRect(0, 0, TILE, height);
    context.fillStyle = colours.row;
    const [low, high] = music.range;
    for (let pitch = low; pitch <= high; pitch++) {
      if (BLACK.includes(pitch % 12)) context.fillRect(0, (high - pitch) * row, TILE, row);
    }
    context.fillStyle = colours.line;
    for (let pitch = low + 1; pitch <= high; pitch++) {
      if (pitch % 12 === 0) context.fillRect(0, (high - pitch + 1) * row - 0.5, TILE, 1);
    }
    const lines = (times, apart, colour) => {
      context.fillStyle = colour;
      let last = -Infinity;
      for (const time of times) {
        if (time < from - 1) continue;
        if (time > to) break;
        const x = Math.round(at(time));
        if (x - last < apart) continue;
        context.fillRect(x, 0, 1, height);
        last = x;
      }
    };
    const beat = music.beats.length > 1 ? (music.seconds / music.beats.length) * this.view.scale : 0;
    if (beat >= 6) lines(music.beats, 4, colours.beat);
    lines(music.bars.map((bar) => bar[1]), 3, colours.bar);
  }

  /** Notes of a passage; of a take, those that are kept stand back, and those that went are outlines. */
  drawNotes(context, music, { from, to, at, y, row, small = false }) {
    const { colours } = this;
    const height = Math.max(1.5, row - (row > 4 ? 1 : 0));
    const inset = (row - height) / 2;
    const box = (notes, i) => {
      const x = at(notes.begin[i]);
      return [x, y(notes.pitch[i]) + inset, Math.max(1.5, at(notes.end[i]) - x - (small ? 0 : 0.7)), height];
    };
    context.strokeStyle = colours.edge;
    context.lineWidth = 1;
    context.setLineDash([2, 2]);
    context.globalAlpha = 0.8;
    music.removed.each(from, to, (i) => {
      const [a, b, c, d] = box(music.removed, i);
      context.strokeRect(a + 0.5, b + 0.5, Math.max(1, c - 1), Math.max(1, d - 1));
    });
    context.setLineDash([]);
    const news = [];
    const shown = !small && this.active.size ? this.active : null;
    music.notes.each(from, to, (i) => {
      const colour = music.colour[music.notes.track[i]];
      if (colour < 0) return;
      if (music.notes.isNew[i]) return void news.push(i);
      const faint = music.isTake ? 0.5 : shown && !shown.has(music.notes.track[i]) ? 0.25 : 1;
      context.globalAlpha = ALPHA[music.notes.shade[i]] * faint;
      context.fillStyle = colours[`track${colour}`];
      context.fillRect(...box(music.notes, i));
    });
    context.globalAlpha = 1;
    context.fillStyle = colours.second;
    for (const i of news) context.fillRect(...box(music.notes, i));
  }

  drawRuler(context) {
    const { music, colours } = this;
    context.fillStyle = colours.card;
    context.fillRect(0, 0, this.width, TOP);
    context.fillStyle = colours.bar;
    context.fillRect(0, TOP - 1, this.width, 1);
    context.font = "12px system-ui, sans-serif";
    context.textBaseline = "middle";
    const wide = music.bars.length ? (music.seconds / music.bars.length) * this.view.scale : LEAST_BAR;
    const every = [1, 2, 4, 8, 16, 32, 64, 128, 256].find((each) => each * wide >= LEAST_BAR) || 512;
    for (const [number, begin] of music.bars) {
      const x = this.x(begin);
      if (x > this.width) break;
      if (x < LEFT - 1 || ((number - 1) % every && number !== music.first)) continue;
      context.fillStyle = colours.bar;
      context.fillRect(Math.round(x), 6, 1, TOP - 6);
      context.fillStyle = colours.quiet;
      context.fillText(number, x + 5, TOP / 2 + 1);
    }
  }

  drawKeys(context) {
    const { colours, row } = this;
    const [low, high] = this.music.range;
    context.fillStyle = colours.card;
    context.fillRect(0, 0, LEFT, TOP);
    context.fillStyle = "#fdfdfd";
    context.fillRect(0, TOP, LEFT, this.height);
    context.font = `${Math.min(11, Math.max(9, row + 2))}px system-ui, sans-serif`;
    for (let pitch = low; pitch <= high; pitch++) {
      const y = (high - pitch) * row + TOP;
      const black = BLACK.includes(pitch % 12);
      context.fillStyle = black ? "#2a2e39" : "#c3c8d3";
      if (black) context.fillRect(0, y, LEFT * 0.6, row);
      else if (pitch % 12 === 0 || pitch % 12 === 5) context.fillRect(0, y + row - 0.5, LEFT - 1, 0.5);
      if (black) context.fillRect(0, y + row / 2 - 0.25, LEFT - 1, 0.5);
    }
    context.fillStyle = "#2a2e39";
    context.textAlign = "right";
    for (let pitch = low; pitch <= high; pitch++) {
      if (pitch % 12 === 0) context.fillText(pitchName(pitch), LEFT - 4, this.y(pitch) + row / 2);
    }
    context.textAlign = "left";
    context.fillStyle = colours.bar;
    context.fillRect(LEFT - 1, 0, 1, this.height);
  }

  /** The rectangle of a box, in pixels. */
  rectangle(box) {
    const [from, to] = span(box, this.music);
    const [low, high] = box.pitch || this.music.range;
    const [left, right] = [Math.max(LEFT, this.x(from)), Math.max(LEFT, this.x(to))];
    const top = Math.max(TOP, this.y(high));
    return [left, top, Math.max(0, right - left), Math.max(0, Math.min(this.height, this.y(low) + this.row) - top)];
  }

  drawOver() {
    const context = this.over.getContext("2d");
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    const painted = new Set(); // one rectangle for a passage in several tracks
    const paint = (box, colour) => {
      if (box.raw !== undefined) return;
      const [x, y, width, height] = this.rectangle(box);
      const key = String([x, y, width, height]);
      if (painted.has(key)) return;
      painted.add(key);
      if (!width || x > this.width) return;
      context.fillStyle = context.strokeStyle = colour;
      context.globalAlpha = this.music.isTake ? 0.08 : 0.16; // new notes keep their colour
      context.fillRect(x, y, width, height);
      context.globalAlpha = 0.5;
      context.fillRect(x, TOP - 4, width, 4);
      context.globalAlpha = 1;
      const frame = () => context.strokeRect(x + 1, y + 1, Math.max(0, width - 2), Math.max(0, height - 2));
      [context.strokeStyle, context.lineWidth] = [this.colours.card, 4]; // apart from any notes below it
      frame();
      [context.strokeStyle, context.lineWidth] = [colour, 2];
      frame();
    };
    const whole = this.painted?.how === "new" ? [] : this.boxes;
    for (const box of whole) paint(box, this.colours.accent);
    if (this.painted) paint(this.painted.box, this.painted.how === "less" ? this.colours.edge : this.colours.accent);
    if (this.playhead !== null) {
      const x = Math.round(this.x(this.playhead));
      if (x >= LEFT && x <= this.width) {
        context.fillStyle = this.colours.ink;
        context.fillRect(x, 0, 1.5, this.height);
        context.beginPath();
        context.moveTo(x - 5, 0);
        context.lineTo(x + 6.5, 0);
        context.lineTo(x + 0.75, 9);
        context.fill();
      }
    }
  }

  drawMap() {
    const [width, height] = [this.map.width / this.ratio, this.map.height / this.ratio];
    const { music, colours } = this;
    const scale = width / music.seconds;
    if (!this.picture) {
      this.picture = document.createElement("canvas");
      size(this.picture, width, height, this.ratio);
      const own = this.picture.getContext("2d");
      own.scale(this.ratio, this.ratio);
      const row = (height - 6) / this.rows;
      const y = (pitch) => 3 + (music.range[1] - pitch) * row;
      this.drawNotes(own, music, { from: 0, to: music.seconds, at: (seconds) => seconds * scale, y, row, small: true });
    }
    const context = this.map.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = colours.paper;
    context.fillRect(0, 0, this.map.width, this.map.height);
    context.drawImage(this.picture, 0, 0);
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.fillStyle = context.strokeStyle = colours.accent;
    context.globalAlpha = 0.25;
    const spans = new Set(this.boxes.filter((box) => box.raw === undefined).map((box) => span(box, music).join()));
    for (const each of spans) {
      const [from, to] = each.split(",").map(Number);
      context.fillRect(from * scale, 0, Math.max(1, (to - from) * scale), height);
    }
    context.globalAlpha = 1;
    const room = ((this.width - LEFT) / this.view.scale) * scale;
    if (room < width - 1) {
      context.lineWidth = 1.5;
      context.strokeRect(this.view.from * scale + 0.75, 0.75, Math.max(6, room - 1.5), height - 1.5);
    }
    if (this.playhead !== null) {
      context.fillStyle = colours.ink;
      context.fillRect(this.playhead * scale, 0, 1, height);
    }
  }

  /** A small picture of where a take differs from its piece, with a bar on both sides. */
  small(canvas, music) {
    let [from, to, low, high] = [Infinity, 0, 128, -1];
    const measure = (notes, only) => {
      for (let i = 0; i < notes.count; i++) {
        if ((only && !notes.isNew[i]) || music.colour[notes.track[i]] < 0) continue;
        [from, to] = [Math.min(from, notes.begin[i]), Math.max(to, notes.end[i])];
      }
    };
    measure(music.notes, true);
    measure(music.removed, false);
    if (from > to) [from, to] = [0, music.seconds];
    const [first, last] = [music.barAt(from) - 1, music.barAt(Math.max(from, to - 1e-3)) + 1];
    [from, to] = [music.timeOf(first, last)[0], Math.min(music.seconds, music.timeOf(first, last)[1])];
    const frame = (notes) => notes.each(from, to, (i) => {
      if (music.colour[notes.track[i]] < 0) return;
      [low, high] = [Math.min(low, notes.pitch[i]), Math.max(high, notes.pitch[i])];
    });
    frame(music.notes);
    frame(music.removed);
    if (high < 0) [low, high] = music.range;
    const [width, height] = [canvas.clientWidth || 240, canvas.clientHeight || 72];
    size(canvas, width, height, this.ratio);
    const context = canvas.getContext("2d");
    context.scale(this.ratio, this.ratio);
    const row = Math.min(8, (height - 6) / (high - low + 1));
    const top = (height - row * (high - low + 1)) / 2;
    const at = (seconds) => ((seconds - from) / Math.max(0.1, to - from)) * width;
    context.fillStyle = this.colours.bar;
    for (const [, begin] of music.bars) if (begin > from && begin < to) context.fillRect(at(begin), 0, 0.7, height);
    this.drawNotes(context, music, { from, to, at, y: (pitch) => top + (high - pitch) * row, row, small: true });
  }

}

function size(canvas, width, height, ratio) {
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
}
