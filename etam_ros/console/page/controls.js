// Buttons, keys and dialogs.

export const find = (id) => document.getElementById(id);

export class Controls {
  // `on`: a function for each of undo, pause, follow, masks, reset, next, rename, remove, play,
  // seek(by), only.
  constructor(on) {
    this.on = on;
    for (const name of ["undo", "pause", "follow", "masks", "reset", "play", "save"]) {
      find(name).addEventListener("click", () => on[name]());
    }
    find("keys").addEventListener("click", () => this.help());
    find("back").addEventListener("click", () => on.seek(-1));
    find("forth").addEventListener("click", () => on.seek(1));
    document.addEventListener("keydown", (event) => this.key(event));
  }

  get tool() {
    return document.querySelector("input[name=tool]:checked").value;
  }

  set tool(name) {
    document.querySelector(`input[name=tool][value=${name}]`).checked = true;
  }

  help() {
    find("help").showModal();
  }

  key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog[open]")) return;
    const typing = event.target.matches("input:not([type=radio]):not([type=checkbox]), select");
    const pressing = event.target.matches("button, input") && event.key === " ";
    if (typing || pressing) return;
    const on = this.on;
    const actions = {
      1: () => { this.tool = "point"; }, 2: () => { this.tool = "not"; },
      3: () => { this.tool = "box"; }, 4: () => { this.tool = "draw"; },
      d: () => { this.tool = "draw"; }, u: on.undo, p: on.pause, f: on.follow, m: on.masks,
      r: on.reset, n: on.next, e: on.rename, x: on.remove, delete: on.remove, h: () => this.help(),
      "?": () => this.help(), t: () => find("only").click(), " ": on.play,
      ",": () => on.seek(-1), ".": () => on.seek(1),
    };
    const action = actions[event.key.toLowerCase()];
    if (!action) return;
    event.preventDefault();
    action();
  }

  press(name, pressed, words) {
    const button = find(name);
    button.setAttribute("aria-pressed", String(pressed));
    if (words && button.textContent !== words) button.textContent = words;
  }

  // Ask for some text, or for consent where `text` is null; null where it is left.
  async question(words, text) {
    const dialog = find("ask"), input = find("said");
    find("question").textContent = words;
    input.hidden = text === null;
    input.value = text || "";
    dialog.returnValue = "no";
    dialog.showModal();
    if (text !== null) input.select();
    await new Promise((done) => dialog.addEventListener("close", done, { once: true }));
    return dialog.returnValue === "yes" ? input.value.trim() : null;
  }
}
