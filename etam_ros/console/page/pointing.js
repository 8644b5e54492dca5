// Mouse, pen, finger and keyboard on the picture become points, boxes and lines in source pixels.

const DRAG_PX = 8;
const LONG_PRESS_MS = 550;
const MOST_POINTS = 8;
const STEP_PX = 16; // of the screen

export class Pointing {
  // `tool`: what a click means now. `onPoint({ points | box, label })`: something was pointed at.
  constructor(picture, tool, onPoint) {
    this.picture = picture;
    this.tool = tool;
    this.onPoint = onPoint;
    this.pressed = null;
    const canvas = picture.canvas;
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", (event) => this.up(event));
    canvas.addEventListener("pointercancel", () => this.cancel());
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("blur", () => picture.draw());
  }

  down(event) {
    if (this.pressed || event.button > 2 || event.button === 1) return this.cancel();
    const at = this.picture.toSource(event.clientX, event.clientY);
    if (!at) return;
    event.preventDefault();
    this.picture.canvas.focus({ preventScroll: true });
    this.picture.cross = null;
    this.picture.canvas.setPointerCapture(event.pointerId);
    const right = event.button === 2 || event.shiftKey;
    // The frame on the screen when the hand goes down is the one that is meant.
    const stamp = this.picture.header.stamp;
    this.pressed = { id: event.pointerId, at, from: [event.clientX, event.clientY], right, stamp,
      line: [at], dragged: false };
    if (event.pointerType !== "mouse" && this.tool() !== "draw") {
      this.pressed.timer = setTimeout(() => this.longPress(), LONG_PRESS_MS);
    }
  }

  move(event) {
    const pressed = this.pressed;
    if (!pressed || pressed.id !== event.pointerId) return;
    const [x, y] = pressed.from;
    if (!pressed.dragged && Math.hypot(event.clientX - x, event.clientY - y) < DRAG_PX) return;
    pressed.dragged = true;
    clearTimeout(pressed.timer);
    const at = this.picture.toSource(event.clientX, event.clientY, false);
    if (this.tool() === "draw" || pressed.right || this.tool() === "not") {
      pressed.line.push(at);
      this.picture.hand = { line: pressed.line };
    } else {
      this.picture.hand = { box: [...pressed.at, ...at] };
    }
    this.picture.draw();
  }

  up(event) {
    const pressed = this.pressed;
    if (!pressed || pressed.id !== event.pointerId) return;
    const hand = this.picture.hand;
    this.cancel();
    const label = pressed.right || this.tool() === "not" ? 0 : 1;
    if (hand?.box) this.send({ box: hand.box, label: 1 }, pressed.stamp);
    else this.send({ points: spread(pressed.line), label }, pressed.stamp);
  }

  longPress() {
    const pressed = this.pressed;
    this.cancel();
    navigator.vibrate?.(30);
    this.send({ points: [pressed.at], label: 0 }, pressed.stamp);
  }

  cancel() {
    if (this.pressed) clearTimeout(this.pressed.timer);
    this.pressed = null;
    this.picture.hand = null;
    this.picture.draw();
  }

  send(what, stamp) {
    const box = what.box;
    if (box && (Math.abs(box[0] - box[2]) < 1 || Math.abs(box[1] - box[3]) < 1)) return;
    this.onPoint({ ...what, stamp });
  }

  key(event) {
    const picture = this.picture;
    const key = event.key.toLowerCase();
    const isOurs = key.startsWith("arrow") || ["enter", "b", "escape"].includes(key);
    if (!isOurs || !picture.header || event.altKey || event.metaKey) return;
    const [width, height] = picture.header.size;
    picture.cross ??= [Math.floor(width / 2), Math.floor(height / 2)];
    const step = event.ctrlKey ? 1 :
      Math.max(1, Math.round(STEP_PX * (window.devicePixelRatio || 1) / picture.view.scale));
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step],
      ArrowDown: [0, step] };
    if (event.key in moves) {
      const [dx, dy] = moves[event.key], [x, y] = picture.cross;
      picture.cross = [clamp(x + dx, width), clamp(y + dy, height)];
      if (this.corner) picture.hand = { box: [...this.corner, ...picture.cross] };
    } else if (event.key === "Enter" && this.corner) {
      this.endBox();
    } else if (event.key === "Enter") {
      const label = event.shiftKey || this.tool() === "not" ? 0 : 1;
      this.send({ points: [picture.cross], label }, picture.header.stamp);
    } else if (key === "b" && !event.ctrlKey) {
      if (this.corner) this.endBox();
      else this.corner = picture.cross;
    } else if (event.key === "Escape") {
      this.corner = null;
      this.cancel();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    picture.draw();
  }

  endBox() {
    const box = [...this.corner, ...this.picture.cross];
    this.corner = null;
    this.cancel();
    this.send({ box, label: 1 }, this.picture.header.stamp);
  }
}

const clamp = (value, size) => Math.min(Math.max(value, 0), size - 1);

// At most so many points of a line, evenly spread.
function spread(line) {
  const count = Math.min(line.length, MOST_POINTS);
  if (count < 2) return line.slice(0, 1);
  return Array.from({ length: count }, (_, index) =>
    line[Math.round(index * (line.length - 1) / (count - 1))]);
}
