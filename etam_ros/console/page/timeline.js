// The place in a recording.

import { find } from "/page/controls.js";
import { set } from "/page/lists.js";

export class Timeline {
  // `onSeek(frame)`: somebody wants to see that frame; gives the number of what was asked.
  constructor(onSeek) {
    this.onSeek = onSeek;
    this.slider = find("frame");
    this.frame = 0;
    this.held = false;
    this.pending = 0; // what was asked last and is not answered: until then the slider is ahead
    this.recorded = false;
    this.slider.addEventListener("pointerdown", () => { this.held = true; });
    this.slider.addEventListener("change", () => {
      this.held = false;
      this.pending = onSeek(Number(this.slider.value));
    });
    this.slider.addEventListener("input", () => this.say(Number(this.slider.value)));
  }

  status(status) {
    this.recorded = status.mode === "recorded";
    find("timeline").hidden = !this.recorded;
    if (!this.recorded) return;
    const last = Math.max(0, status.frames - 1);
    if (Number(this.slider.max) !== last) this.slider.max = last;
    set(find("play"), status.playing ? "Stop" : "Play");
    set(find("save"), status.saving || "Save masks");
    find("save").disabled = Boolean(status.saving);
  }

  at(header) {
    if (!this.recorded || header.frame === undefined) return;
    this.frame = header.frame;
    if (this.held || this.pending) return;
    this.slider.value = header.frame;
    this.say(header.frame);
  }

  step(by) {
    if (!this.recorded) return;
    const from = this.pending ? Number(this.slider.value) : this.frame;
    const frame = Math.min(Math.max(from + by, 0), Number(this.slider.max));
    if (frame === from) return;
    this.slider.value = frame;
    this.say(frame);
    this.pending = this.onSeek(frame);
  }

  answered(number) {
    if (number === this.pending) this.pending = 0;
  }

  say(frame) {
    set(find("place"), `${frame} / ${this.slider.max}`);
  }
}
