// Masks: from runs of equal pixels to a picture of tints and outlines.

const OPACITY = 0.45;

// A colour as a pixel of ImageData has it, in the byte order of every machine that has browsers.
function pixel(red, green, blue, opacity) {
  return ((Math.round(opacity * 255) << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

function channels(colour) {
  return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
}

const brighter = (channel) => channel + Math.trunc((255 - channel) / 3);

export class Labels {
  constructor() {
    this.canvas = document.createElement("canvas");
    this.context = this.canvas.getContext("2d");
    this.size = [0, 0];
    this.empty = true;
  }

  // `runs`: lengths as uint16, then slots as uint8; slot 1 is the first of `objects`.
  take(size, runs, objects) {
    if (!size) {
      this.clear();
      return;
    }
    this.fit(size);
    const count = runs.byteLength / 3;
    const lengths = new Uint16Array(runs.slice(0, 2 * count));
    const slots = new Uint8Array(runs, 2 * count, count);
    const tints = [0], edges = [0];
    for (const each of objects) {
      const colour = channels(each.colour);
      tints.push(pixel(...colour, OPACITY));
      edges.push(pixel(...colour.map(brighter), 1));
    }
    if (count === 1 && slots[0] === 0) {
      this.clear();
      return;
    }
    this.paint(lengths, slots, tints, edges);
  }

  fit(size) {
    if (size[0] === this.size[0] && size[1] === this.size[1]) return;
    this.size = size;
    [this.canvas.width, this.canvas.height] = size;
    this.image = this.context.createImageData(size[0], size[1]);
    this.pixels = new Uint32Array(this.image.data.buffer);
    this.slots = new Uint8Array(size[0] * size[1]);
  }

  paint(lengths, slots, tints, edges) {
    const map = this.slots, pixels = this.pixels, width = this.size[0];
    let at = 0;
    for (let run = 0; run < lengths.length; run++) {
      map.fill(slots[run], at, at + lengths[run]);
      pixels.fill(tints[slots[run]], at, at + lengths[run]);
      at += lengths[run];
    }
    at = 0;
    for (let run = 0; run < lengths.length; run++) {
      const slot = slots[run], end = at + lengths[run];
      if (slot) this.outline(map, pixels, at, end, slot, width, edges[slot]);
      at = end;
    }
    this.context.putImageData(this.image, 0, 0);
    this.empty = false;
  }

  // Pixels of one run whose neighbour two pixels on belongs to something else.
  outline(map, pixels, start, end, slot, width, edge) {
    const far = 2 * width;
    for (let at = start; at < end; at++) {
      if (map[at - far] !== slot || map[at + far] !== slot || map[at - 2] !== slot ||
          map[at + 2] !== slot) pixels[at] = edge;
    }
  }

  clear() {
    if (this.empty) return;
    this.pixels.fill(0);
    this.slots.fill(0);
    this.context.putImageData(this.image, 0, 0);
    this.empty = true;
  }
}
