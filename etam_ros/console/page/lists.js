// The objects and the events beside the picture. Rows stay where they are while their words change.

const PERIOD_MS = 200;
const MOST_EVENTS = 50;

export class Objects {
  // `on`: select(id), rename(id, label), remove(id).
  constructor(list, count, on) {
    this.list = list;
    this.count = count;
    this.on = on;
    this.rows = new Map();
    this.shown = 0;
    this.objects = [];
    this.target = 0;
  }

  show(objects, target) {
    const ids = objects.map((each) => each.id).join();
    const isNew = ids !== this.ids || target !== this.target;
    const now = performance.now();
    this.objects = objects;
    this.target = target;
    if (!isNew && now - this.shown < PERIOD_MS) return;
    this.shown = now;
    this.ids = ids;
    this.count.textContent = objects.length;
    for (const [id, row] of this.rows) {
      if (!objects.some((each) => each.id === id)) {
        row.item.remove();
        this.rows.delete(id);
      }
    }
    for (const each of [...objects].sort((one, other) => one.id - other.id)) {
      const row = this.rows.get(each.id) || this.add(each);
      this.fill(row, each);
    }
  }

  add(each) {
    const item = document.createElement("li");
    const what = button("", "what"), rename = button("✎"), remove = button("✕");
    const swatch = span("swatch"), name = span("name"), how = span("how");
    swatch.style.background = each.colour;
    what.append(swatch, name, how);
    item.append(what, rename, remove);
    what.addEventListener("click", () => this.on.select(each.id));
    rename.addEventListener("click", () => this.on.rename(each.id));
    remove.addEventListener("click", () => this.on.remove(each.id));
    const later = [...this.rows.keys()].filter((id) => id > each.id);
    const after = later.length ? this.rows.get(Math.min(...later)).item : null;
    this.list.insertBefore(item, after);
    const row = { item, what, rename, remove, name, how };
    this.rows.set(each.id, row);
    return row;
  }

  fill(row, each) {
    const name = each.label ? `${each.id} ${each.label}` : `object ${each.id}`;
    set(row.name, name);
    set(row.how, howItIs(each));
    row.item.classList.toggle("occluded", each.occluded);
    row.item.classList.toggle("target", each.id === this.target);
    const pressed = String(each.id === this.target);
    if (row.what.getAttribute("aria-pressed") !== pressed) row.what.setAttribute("aria-pressed", pressed);
    if (row.named === name) return;
    row.named = name;
    row.what.title = `Select ${name} as target`;
    row.rename.setAttribute("aria-label", `Rename ${name}`);
    row.remove.setAttribute("aria-label", `Remove ${name}`);
  }

  label(id) {
    return this.objects.find((each) => each.id === id)?.label || "";
  }

  // The object after the target, by id; 0 where there is none.
  next() {
    const ids = this.objects.map((each) => each.id).sort((one, other) => one - other);
    return ids.find((id) => id > this.target) || ids[0] || 0;
  }
}

function howItIs(each) {
  const seen = each.occluded ? `hidden for ${each.unseen.toFixed(1)} s` :
    `visible ${Math.round(100 * (each.visibility || 0))} %, mask ${(each.iou || 0).toFixed(2)}`;
  if (each.position) {
    const [x, y, z] = each.position.map((value) => value.toFixed(2));
    return `${seen} · ${x} ${y} ${z} m`;
  }
  return each.at ? `${seen} · at ${Math.round(each.at[0])}, ${Math.round(each.at[1])}` : seen;
}

export class Events {
  constructor(list) {
    this.list = list;
  }

  clear(events) {
    this.list.replaceChildren();
    for (const each of events) this.add(each);
  }

  add(event) {
    const item = document.createElement("li"), time = document.createElement("time");
    time.textContent = new Date(event.at * 1000).toLocaleTimeString();
    item.append(time, event.words);
    this.list.prepend(item);
    while (this.list.children.length > MOST_EVENTS) this.list.lastChild.remove();
  }
}

function button(text, kind = "") {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.className = kind;
  return made;
}

function span(kind) {
  const made = document.createElement("span");
  made.className = kind;
  return made;
}

export function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
