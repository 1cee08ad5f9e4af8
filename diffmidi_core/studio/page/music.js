// A piece as columns: what the roll draws and the brush asks.

const SHADES = 4; // of velocity, as in the report
const NAMES = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"];

/** 60 is C4. */
export const pitchName = (pitch) => `${NAMES[pitch % 12]}${Math.floor(pitch / 12) - 1}`;
export const counted = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
export const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

const BLOCK = 128;

/** Notes by onset; blocks of them know when the last of theirs ends, so that a passage costs about what it holds. */
export class Notes {
  constructor(rows, marked = []) {
    const order = rows.map((_, place) => place).sort((a, b) => rows[a][2] - rows[b][2]);
    const news = new Set(marked);
    this.count = rows.length;
    this.track = Uint16Array.from(order, (i) => rows[i][0]);
    this.pitch = Uint8Array.from(order, (i) => rows[i][1]);
    this.begin = Float64Array.from(order, (i) => rows[i][2]);
    this.end = Float64Array.from(order, (i) => rows[i][3]);
    this.shade = Uint8Array.from(order, (i) => Math.min(SHADES - 1, (rows[i][4] * SHADES) >> 7));
    this.isNew = Uint8Array.from(order, (i) => (news.has(i) ? 1 : 0));
    this.ends = new Float64Array(Math.ceil(this.count / BLOCK));
    for (let i = 0; i < this.count; i++) this.ends[(i / BLOCK) | 0] = Math.max(this.ends[(i / BLOCK) | 0], this.end[i]);
  }

  /** Every note that sounds between two times. */
  each(from, to, call) {
    for (let block = 0; block < this.ends.length; block++) {
      const first = block * BLOCK;
      if (this.begin[first] > to) return;
      if (this.ends[block] < from) continue;
      const last = Math.min(this.count, first + BLOCK);
      for (let i = first; i < last && this.begin[i] <= to; i++) if (this.end[i] >= from) call(i);
    }
  }
}

export class Music {
  constructor(told) {
    Object.assign(this, { id: told.id, name: told.name, tracks: told.tracks, bars: told.bars, beats: told.beats });
    this.notes = new Notes(told.notes, told.new);
    this.removed = new Notes(told.removed || []);
    this.isTake = told.new !== undefined;
    this.counts = [told.new?.length || 0, told.removed?.length || 0];
    this.seconds = Math.max(told.seconds, this.bars.length ? this.bars.at(-1)[2] : 0, 0.1);
    this.first = this.bars.length ? this.bars[0][0] : 1;
    this.last = this.bars.length ? this.bars.at(-1)[0] : 1;
    let place = 0; // drums have no colour: they are heard, not shown
    this.colour = this.tracks.map((track) => (track.drums ? -1 : place++ % 3));
    this.range = this.rangeOf();
  }

  /** The lowest and highest row: what is played and a little around it. */
  rangeOf() {
    let [low, high] = [128, -1];
    for (const notes of [this.notes, this.removed]) {
      for (let i = 0; i < notes.count; i++) {
        if (this.colour[notes.track[i]] < 0) continue;
        low = Math.min(low, notes.pitch[i]);
        high = Math.max(high, notes.pitch[i]);
      }
    }
    if (high < 0) [low, high] = [60, 71];
    const missing = Math.max(4, 25 - (high - low + 1));
    return [Math.max(0, low - (missing >> 1)), Math.min(127, high + ((missing + 1) >> 1))];
  }

  /** The number of the bar at a time. */
  barAt(seconds) {
    let [from, to] = [0, this.bars.length - 1];
    while (from < to) {
      const middle = (from + to + 1) >> 1;
      if (this.bars[middle][1] <= seconds + 1e-9) from = middle;
      else to = middle - 1;
    }
    return this.bars.length ? this.bars[from][0] : 1;
  }

  /** From when until when bars last; an end of null is the piece's. */
  timeOf(first, last) {
    const at = (number) => this.bars[Math.min(Math.max(number - this.first, 0), this.bars.length - 1)];
    if (!this.bars.length) return [0, this.seconds];
    return [at(first)[1], last === null ? this.seconds : at(last)[2]];
  }

  /** The note at a time and a pitch, the shortest where several sound; -1 where none does. */
  noteAt(seconds, pitch, slack = 0) {
    const { notes } = this;
    let found = -1;
    notes.each(seconds - slack, seconds + slack, (i) => {
      if (notes.pitch[i] !== pitch || this.colour[notes.track[i]] < 0) return;
      if (found < 0 || notes.end[i] - notes.begin[i] < notes.end[found] - notes.begin[found]) found = i;
    });
    return found;
  }
}
