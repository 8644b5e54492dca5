// The picture on the screen: the newest frame, its masks, and what the hand is at.

import { Labels } from "/page/labels.js";

const TAG = "600 15px system-ui, sans-serif";
const MARK_MS = 2500;

export class Picture {
  // `onDrawn`: called with the header of each frame that is on the screen.
  constructor(canvas, onDrawn) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { alpha: false });
    this.labels = new Labels();
    this.onDrawn = onDrawn;
    this.header = null;
    this.bitmap = null;
    this.masks = true;
    this.busy = false;
    this.next = null;
    this.hand = null; // what is being dragged or drawn, in source pixels
    this.cross = null; // where the keyboard points, in source pixels
    this.marks = new Map(); // number of a command -> where it points and what became of it
    new ResizeObserver(() => this.resize()).observe(canvas);
  }

  resize() {
    const scale = window.devicePixelRatio || 1;
    this.canvas.width = Math.max(1, Math.round(this.canvas.clientWidth * scale));
    this.canvas.height = Math.max(1, Math.round(this.canvas.clientHeight * scale));
    this.draw();
  }

  // Show a frame; one that comes while another is being decoded takes the place of a third.
  show(header, jpeg, runs) {
    this.next = { header, jpeg, runs };
    if (!this.busy) this.decode();
  }

  async decode() {
    this.busy = true;
    while (this.next) {
      const { header, jpeg, runs } = this.next;
      this.next = null;
      try {
        const bitmap = await createImageBitmap(new Blob([jpeg], { type: "image/jpeg" }),
          { imageOrientation: "none" });
        await new Promise(requestAnimationFrame);
        this.bitmap?.close();
        this.bitmap = bitmap;
        this.header = header;
        this.labels.take(header.labels, runs, header.objects);
        this.draw();
      } catch (error) {
        console.warn("a picture could not be read", error);
      }
      this.onDrawn(header);
    }
    this.busy = false;
  }

  // Where the frame lies on the canvas: left, top, and canvas pixels for each source pixel.
  get view() {
    const [width, height] = this.header ? this.header.size : [4, 3];
    const scale = Math.min(this.canvas.width / width, this.canvas.height / height);
    return {
      scale,
      left: (this.canvas.width - width * scale) / 2,
      top: (this.canvas.height - height * scale) / 2,
      width, height,
    };
  }

  // The source pixel (its centre is whole) under a place of the window, or null outside of it.
  toSource(clientX, clientY, inside = true) {
    if (!this.header) return null;
    const box = this.canvas.getBoundingClientRect(), view = this.view;
    const ratio = this.canvas.width / box.width;
    let x = ((clientX - box.left) * ratio - view.left) / view.scale - 0.5;
    let y = ((clientY - box.top) * ratio - view.top) / view.scale - 0.5;
    const isInside = x >= -0.5 && y >= -0.5 && x < view.width - 0.5 && y < view.height - 0.5;
    if (inside && !isInside) return null;
    x = Math.min(Math.max(x, -0.5), view.width - 0.501);
    y = Math.min(Math.max(y, -0.5), view.height - 0.501);
    return [Math.round(x * 10) / 10, Math.round(y * 10) / 10];
  }

  toCanvas([x, y]) {
    const view = this.view;
    return [view.left + (x + 0.5) * view.scale, view.top + (y + 0.5) * view.scale];
  }

  mark(number, at, colour) {
    this.marks.set(number, { at, colour, until: performance.now() + 60000 });
    this.draw();
  }

  settle(number, done) {
    const mark = this.marks.get(number);
    if (!mark) return;
    mark.colour = done ? "#2ee08a" : "#ff5a4d";
    mark.until = performance.now() + MARK_MS;
    setTimeout(() => this.draw(), MARK_MS + 50);
    this.draw();
  }

  draw() {
    const { context, canvas, header } = this;
    context.fillStyle = "#05070a";
    context.fillRect(0, 0, canvas.width, canvas.height);
    if (!header || !this.bitmap) return;
    const { left, top, scale, width, height } = this.view;
    context.drawImage(this.bitmap, left, top, width * scale, height * scale);
    if (this.masks && !this.labels.empty) {
      context.drawImage(this.labels.canvas, left, top, width * scale, height * scale);
    }
    if (this.masks) this.drawTags(header.objects);
    this.drawHand();
  }

  drawTags(objects) {
    const { context } = this, ratio = window.devicePixelRatio || 1, taken = [];
    let hidden = this.canvas.height - 6 * ratio;
    for (const each of objects) {
      const name = each.label ? `${each.id} ${each.label.slice(0, 24)}` : `${each.id}`;
      if (each.occluded) {
        const size = this.tagSize(`${name} hidden`, ratio);
        hidden -= size[1] + 3 * ratio;
        this.drawTag(`${name} hidden`, 6 * ratio, hidden, size, each.colour, 0.55);
        continue;
      }
      if (!each.at) continue;
      this.drawCentre(this.toCanvas(each.at), ratio);
      const text = `${name} ${each.iou === null ? "" : each.iou.toFixed(2)}`.trim();
      const size = this.tagSize(text, ratio);
      let [x, y] = this.toCanvas([each.box[0], each.box[1]]);
      x = Math.min(Math.max(0, x), this.canvas.width - size[0]);
      y = Math.max(0, y - size[1] - 2 * ratio);
      while (taken.some((other) => overlap(other, [x, y, ...size]))) y += size[1] + 1;
      taken.push([x, y, ...size]);
      this.drawTag(text, x, y, size, each.colour, 1);
    }
    context.globalAlpha = 1;
  }

  tagSize(text, ratio) {
    this.context.font = TAG.replace("15px", `${15 * ratio}px`);
    return [this.context.measureText(text).width + 12 * ratio, 22 * ratio];
  }

  drawTag(text, x, y, [width, height], colour, opacity) {
    const { context } = this;
    context.globalAlpha = opacity;
    context.fillStyle = colour;
    context.fillRect(x, y, width, height);
    context.globalAlpha = 1;
    context.fillStyle = opacity < 1 ? "#fafafa" : ink(colour);
    context.textBaseline = "middle";
    context.fillText(text, x + width / 2 - context.measureText(text).width / 2, y + height / 2);
  }

  drawCentre([x, y], ratio) {
    this.stroke("#141418", 4 * ratio, crossPath(x, y, 7 * ratio));
    this.stroke("#fafafa", 1.5 * ratio, crossPath(x, y, 6 * ratio));
  }

  drawHand() {
    const ratio = window.devicePixelRatio || 1;
    const now = performance.now();
    for (const [number, mark] of this.marks) {
      if (mark.until < now) this.marks.delete(number);
      else this.ring(this.toCanvas(mark.at), 9 * ratio, mark.colour, ratio);
    }
    if (this.hand?.box) {
      const [x0, y0] = this.toCanvas(this.hand.box.slice(0, 2));
      const [x1, y1] = this.toCanvas(this.hand.box.slice(2));
      const path = new Path2D();
      path.rect(Math.min(x0, x1), Math.min(y0, y1), Math.abs(x1 - x0), Math.abs(y1 - y0));
      this.stroke("#141418", 4 * ratio, path);
      this.stroke("#ffffff", 2 * ratio, path);
    }
    if (this.hand?.line) {
      const path = new Path2D();
      for (const point of this.hand.line) path.lineTo(...this.toCanvas(point));
      this.stroke("#141418", 7 * ratio, path);
      this.stroke("#ffffff", 4 * ratio, path);
    }
    if (this.cross && document.activeElement === this.canvas) {
      const path = crossPath(...this.toCanvas(this.cross), 22 * ratio);
      this.stroke("#141418", 5 * ratio, path);
      this.stroke("#ffffff", 2 * ratio, path);
    }
  }

  ring([x, y], radius, colour, ratio) {
    const path = new Path2D();
    path.arc(x, y, radius, 0, 2 * Math.PI);
    this.stroke("#141418", 5 * ratio, path);
    this.stroke(colour, 3 * ratio, path);
  }

  stroke(colour, width, path) {
    this.context.strokeStyle = colour;
    this.context.lineWidth = width;
    this.context.lineJoin = "round";
    this.context.stroke(path);
  }
}

function crossPath(x, y, size) {
  const path = new Path2D();
  path.moveTo(x - size, y);
  path.lineTo(x + size, y);
  path.moveTo(x, y - size);
  path.lineTo(x, y + size);
  return path;
}

function overlap(one, other) {
  return one[0] < other[0] + other[2] && other[0] < one[0] + one[2] &&
    one[1] < other[1] + other[3] && other[1] < one[1] + one[3];
}

function ink(colour) {
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  return 0.299 * red + 0.587 * green + 0.114 * blue > 120 ? "#141418" : "#fafafa";
}
