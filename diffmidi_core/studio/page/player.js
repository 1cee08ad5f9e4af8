// Two sounds, the original and a take, one of which is heard; what sounds is the clock.

export class Player {
  /** `moved(seconds)` is called at every frame while it plays; `changed()` when it starts, stops or says no. */
  constructor({ moved, changed }) {
    Object.assign(this, { moved, changed, side: "a", at: 0, error: "" });
    this.sounds = { a: new Audio(), b: new Audio() };
    for (const [side, sound] of Object.entries(this.sounds)) {
      sound.preload = "none";
      sound.addEventListener("ended", () => side === this.side && this.stop(0));
      sound.addEventListener("error", () => side === this.side && sound.hasAttribute("src") && this.fail());
      sound.addEventListener("loadedmetadata", () => {
        if (sound.target !== undefined) sound.currentTime = Math.min(sound.target, sound.duration);
        sound.target = undefined;
      });
    }
  }

  get sound() {
    return this.sounds[this.side];
  }

  get playing() {
    return !this.sound.paused;
  }

  get seconds() {
    return this.sound.target ?? (this.sound.readyState ? this.sound.currentTime : this.at);
  }

  /** What a side plays; null: nothing. */
  load(side, address) {
    const sound = this.sounds[side];
    if ((sound.getAttribute("src") ?? null) === address) return;
    sound.pause();
    if (address === null) {
      sound.removeAttribute("src");
      sound.load();
    } else {
      sound.src = address;
    }
  }

  /** Hear the other side from the same moment on. */
  hear(side) {
    if (side === this.side) return;
    const { playing, seconds } = this;
    this.sound.pause();
    this.side = side;
    this.seek(seconds);
    if (playing) this.play();
    else this.changed();
  }

  seek(seconds) {
    this.at = Math.max(0, seconds);
    if (this.sound.readyState) this.sound.currentTime = this.at;
    else this.sound.target = this.at;
    this.moved(this.at);
  }

  play() {
    this.error = "";
    const { sound } = this;
    sound.play().then(() => this.tick(), (error) => error.name !== "AbortError" && this.fail());
    this.changed();
  }

  pause() {
    this.stop(this.seconds);
  }

  stop(at) {
    this.sound.pause();
    this.seek(at);
    this.changed();
  }

  fail() {
    this.error = "This sound cannot be played: download it as MIDI, or look into the terminal for why.";
    this.changed();
  }

  tick() {
    if (this.ticking) return;
    const frame = () => {
      this.at = this.seconds;
      this.moved(this.at);
      this.ticking = this.playing && requestAnimationFrame(frame);
      if (!this.ticking) this.changed();
    };
    this.ticking = requestAnimationFrame(frame);
    this.changed();
  }
}
