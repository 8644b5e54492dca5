// The page: what comes over the link is shown, what the hand does is asked for.

import { Controls, find } from "/page/controls.js";
import { Link } from "/page/link.js";
import { Events, Objects, set } from "/page/lists.js";
import { Picture } from "/page/picture.js";
import { Pointing } from "/page/pointing.js";
import { Timeline } from "/page/timeline.js";

const RATE_OVER_MS = 2000;
const STALE_MS = 3000;
const WAITING = "#ffd23f";

let status = {};
let target = 0;
let connected = false;
let drawn = [];
const asked = new Map(); // number of a command -> what it was, in words

const picture = new Picture(find("picture"), (header) => {
  link.note("seen", header.n);
  drawn.push(performance.now());
  objects.show(header.objects, target);
  timeline.at(header);
});

const link = new Link({
  picture: (header, jpeg, runs) => picture.show(header, jpeg, runs),
  message: (message) => handlers[message.kind]?.(message),
  state: (words, isConnected) => {
    connected = isConnected;
    timeline.pending = 0;
    find("stage").dataset.connected = isConnected;
    if (!isConnected) set(find("state"), words);
    look();
  },
});

const objects = new Objects(find("objects"), find("count"), {
  select: (id) => ask("select", `selecting object ${id}`, { object: id === target ? 0 : id }),
  rename,
  remove: (id) => ask("remove", `removing object ${id}`, { object: id }),
});
const events = new Events(find("events"));
const timeline = new Timeline((frame) => ask("seek", `going to frame ${frame}`, { frame }));

const controls = new Controls({
  undo: () => ask("undo", "undoing the last click"),
  pause: () => { if (!find("pause").hidden) ask("pause", "", { on: !status.paused }); },
  follow: () => {
    if (status.follower) ask("follow", "", { on: !status.follower.on });
  },
  masks: () => {
    picture.masks = !picture.masks;
    controls.press("masks", picture.masks);
    picture.draw();
  },
  reset: async () => {
    if (await controls.question("Forget all objects?", null) !== null) ask("reset", "resetting");
  },
  next: () => ask("select", "selecting the next object", { object: objects.next() }),
  rename: () => withTarget(rename),
  remove: () => withTarget((id) => ask("remove", `removing object ${id}`, { object: id })),
  play: () => { if (status.mode === "recorded") ask("play", "", { on: !status.playing }); },
  seek: (by) => timeline.step(by),
  save: () => ask("save", "saving"),
});

new Pointing(picture, () => controls.tool, (what) => {
  const at = what.points ? what.points[0] : what.box.slice(0, 2);
  const more = { ...what };
  if (find("only").checked) {
    if (!target) return say("select a target first: click on it in the list, or press N", false);
    more.object = target;
  }
  const number = ask("point", what.box ? "box sent" : "click sent", more);
  if (number) picture.mark(number, at, WAITING);
});

const handlers = {
  answer: (message) => {
    asked.delete(message.n);
    timeline.answered(message.n);
    picture.settle(message.n, message.done);
    say(message.words, message.done);
  },
  event: (message) => events.add(message),
  late: (message) => set(find("late"), `${message.ms} ms`),
  channels: (message) => showChannels(message.names),
  channel: (message) => {
    find("channel").value = message.name;
    events.clear(message.events);
  },
  status: (message) => {
    status = message;
    target = message.selected || 0;
    set(find("state"), message.state || "–");
    controls.press("pause", Boolean(message.paused), message.paused ? "Resume" : "Pause");
    find("pause").hidden = message.mode === "recorded";
    const follower = message.follower;
    find("follow").hidden = !follower;
    find("follower").hidden = !follower;
    if (follower) {
      controls.press("follow", follower.on, follower.on ? "Stop follower" : "Start follower");
      set(find("follower"), `Follower: ${follower.state}`);
    }
    timeline.status(message);
    objects.show(objects.objects, target);
    look();
  },
};

function ask(what, words, more = {}) {
  const number = link.ask(what, more);
  if (!number) {
    say("not connected: nothing was sent", false);
    return 0;
  }
  asked.set(number, words);
  if (words) say(`${words} …`, null);
  return number;
}

function say(words, done) {
  const place = find("answer");
  place.className = done === null ? "" : done ? "good" : "bad";
  set(place, words);
}

async function rename(id) {
  const label = await controls.question(`New name of object ${id}`, objects.label(id));
  if (label) ask("rename", `renaming object ${id}`, { object: id, label });
}

function withTarget(action) {
  if (target) action(target);
  else say("select a target first: click on it in the list, or press N", false);
}

function showChannels(names) {
  const choice = find("channel");
  const before = choice.value;
  choice.replaceChildren(...(names.length ? names : ["looking for a tracker"]).map((name) => {
    const option = document.createElement("option");
    option.value = option.textContent = name;
    return option;
  }));
  choice.disabled = names.length < 2;
  if (names.includes(before)) choice.value = before;
}

find("channel").addEventListener("change", (event) => link.watch(event.target.value));

// What lies over the picture when it is not what it seems.
function look() {
  const now = performance.now();
  drawn = drawn.filter((time) => now - time < RATE_OVER_MS);
  set(find("rate"), `${(drawn.length * 1000 / RATE_OVER_MS).toFixed(1)} fps`);
  const stale = !drawn.length && status.mode !== "recorded";
  const words = !connected ? find("state").textContent :
    status.veil || (stale && !document.hidden ? "no images" : "");
  const veil = find("veil");
  veil.hidden = !words;
  set(veil, words);
}

setInterval(look, STALE_MS / 6);
