// The live connection: it comes back by itself, and says so.

const FIRST_WAIT_MS = 400;
const LONGEST_WAIT_MS = 5000;
const SILENCE_MS = 8000;
const HEADER_BYTES = 4;

export class Link {
  // `on`: picture(header, jpeg, runs), message(object), state(words, connected).
  constructor(on) {
    this.on = on;
    this.number = 0;
    this.wait = FIRST_WAIT_MS;
    this.socket = null;
    this.heard = 0;
    this.wanted = "";
    setInterval(() => this.check(), 2000);
    this.open();
  }

  open() {
    const secure = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${secure}://${location.host}/live`);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    let opened = false;
    socket.onopen = () => {
      opened = true;
      this.wait = FIRST_WAIT_MS;
      this.heard = performance.now();
      this.on.state("connected", true);
      if (this.wanted) this.watch(this.wanted);
    };
    socket.onmessage = (event) => {
      this.heard = performance.now();
      if (typeof event.data === "string") this.on.message(JSON.parse(event.data));
      else this.takePicture(event.data);
    };
    socket.onclose = (event) => {
      if (this.socket !== socket) return;
      this.on.state(event.reason || "connection lost, reconnecting", false);
      if (!opened) this.askWhy();
      setTimeout(() => this.open(), this.wait);
      this.wait = Math.min(LONGEST_WAIT_MS, this.wait * 1.6);
    };
  }

  // A refused connection has no words; the page at the same address does.
  async askWhy() {
    try {
      const answer = await fetch("/", { cache: "no-store" });
      if (answer.status === 401) this.on.state("restarted: open its new link", false);
    } catch {
      this.on.state("no answer, reconnecting", false);
    }
  }

  check() {
    if (!this.connected) return;
    if (document.hidden) this.heard = performance.now(); // timers hardly run then
    else if (performance.now() - this.heard > SILENCE_MS) this.socket.close();
    else this.note("ping", 1);
  }

  get connected() {
    return this.socket !== null && this.socket.readyState === WebSocket.OPEN;
  }

  takePicture(buffer) {
    const length = new DataView(buffer).getUint32(0);
    const text = new TextDecoder().decode(new Uint8Array(buffer, HEADER_BYTES, length));
    const header = JSON.parse(text);
    const start = HEADER_BYTES + length;
    const jpeg = new Uint8Array(buffer, start, header.jpeg);
    this.on.picture(header, jpeg, buffer.slice(start + header.jpeg));
  }

  note(what, n, more = {}) {
    if (this.connected) this.socket.send(JSON.stringify({ do: what, n, ...more }));
  }

  watch(name) {
    this.wanted = name;
    this.note("watch", 0, { name });
  }

  // Ask for something; the number by which its answer is known, 0 without a connection.
  ask(what, more = {}) {
    if (!this.connected) return 0;
    this.number += 1;
    this.socket.send(JSON.stringify({ do: what, n: this.number, ...more }));
    return this.number;
  }
}
