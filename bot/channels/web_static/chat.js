// The chat page. The server decides what is said; this page shows it, and sees to it that what the person did arrives.

import {
  PHOTOS_LIMIT, base, botBubble, choiceButtons, close, currentLanguage, el, find, icon, limit, markState, open, ownBubble,
  prepareViewer, say, speak, textLimit, timeline,
} from "./view.js";
import { keptList, outbox } from "./outbox.js";
import { photoStore } from "./photos.js";

const name = "hoctap:" + base; // several people may sit in one browser: the demo
const log = timeline(find("log"));
const photos = photoStore(base, name, limit, currentLanguage, say);
const queue = outbox(base, name + ":queue", photos.keyOf, {
  state: (item, state) => mark(item, state),
  acknowledged,
  refused,
  photoRefused: (item, local, sentence) => {
    photos.remove(local);
    mark(item, "failed", sentence);
  },
  changed: refresh,
});

const seen = new Set(); // numbers of the lines shown
const own = new Map(); // event id → entry of an own bubble
let last = 0; // the highest line number seen
let current = null; // {number, id, screen, entry}: the open screen, the only one with live buttons
let known = false; // whether the server knows this browser
let online = navigator.onLine !== false;

// -------------------------------------------------------------------------------------------- what comes in

function receive(line) {
  if (seen.has(line.id)) return;
  seen.add(line.id);
  last = Math.max(last, line.id);
  if (line.dir === "in") receiveOwn(line);
  else receiveScreen(line);
}

function receiveScreen({ id, at, body: screen }) {
  const when = new Date(at);
  if (screen.language !== currentLanguage()) speak(screen.language);
  const entry = { key: id, at: when, node: botBubble(screen, when, command, offered) };
  if (screen.number) {
    if (current && id < current.id) entry.node.classList.add("past");
    else {
      // The same screen again (with a line of help, or sent twice) stands once: where it was said last.
      if (current && current.number === screen.number) log.remove(current.entry);
      else if (current) current.entry.node.classList.add("past");
      current = { number: screen.number, id, screen, entry };
    }
  }
  log.place(entry);
}

function receiveOwn({ id, at, body, event }) {
  const mine = event && own.get(event);
  if (mine) {
    mine.key = id;
    const shown = mine.node.querySelector(".bubble .text");
    if (shown && body.text && shown.textContent !== body.text) shown.textContent = body.text; // as it is kept
    log.place(mine);
    markState(mine.node, "sent");
  } else if (body.text || (body.pictures && body.pictures.length)) {
    const when = new Date(at);
    const entry = { key: id, at: when, node: ownBubble(body, when) };
    if (event) own.set(event, entry);
    log.place(entry);
  }
}

// --------------------------------------------------------------------------------------- what the person does

function press(choice, label) {
  if (!current || answering()) return;
  act({ kind: "pressed", screen: current.number, choice, label });
}

/** A button of a notice: it stands beside the open screen, and means the same wherever the chat is. */
function offered(choice, label) {
  if (queue.all().some((item) => item.kind === "pressed")) return;
  act({ kind: "pressed", screen: current ? current.number : null, choice, label });
}

function typed(text) {
  act({ kind: "typed", screen: current ? current.number : null, text, label: text });
}

function command(text) {
  typed(text);
}

/** Show it at once, keep it, send it. */
function act(what, urls) {
  const item = queue.add(what, { asked: Boolean(current && current.screen.input === "secret") });
  showPending(item, urls);
  refresh();
  toNewest();
}

let pendingKey = Number.MAX_SAFE_INTEGER / 2; // beyond every line's number, in the order of doing

async function showPending(item, urls) {
  if (item.kind === "opened" || own.has(item.id)) return;
  const at = new Date(item.at);
  const entry = { key: (pendingKey += 1), at, node: ownBubble({ text: item.label, pictures: (urls || []).map((url) => ({ url })) }, at) };
  own.set(item.id, entry);
  log.place(entry);
  markState(entry.node, "sending");
  if (item.photos && !urls) {
    // After a reload the pictures are still in the browser's store.
    const again = await Promise.all(item.photos.map((photo) => photos.urlOf(photo.local)));
    const pictures = again.filter(Boolean).map((url) => ({ url }));
    entry.node.querySelector(".bubble").replaceWith(ownBubble({ text: item.label, pictures }, at).querySelector(".bubble"));
  }
}

function mark(item, state, sentence) {
  const entry = own.get(item.id);
  const busy = state === "busy"; // the server is there, but has had too much of us at once
  if (entry) markState(entry.node, busy ? "waiting" : state, busy ? say("busy") : sentence);
  if (state === "waiting") online = false;
  refresh();
}

function acknowledged(item, messages) {
  const following = nearNewest();
  online = true;
  const mine = own.get(item.id);
  if (mine) {
    const first = messages.length ? Math.min(...messages.map((line) => line.id)) : last + 1;
    if (mine.key > first) mine.key = first - 0.5; // until its own line comes by the stream
    log.place(mine);
    markState(mine.node, "sent");
  }
  messages.forEach(receive);
  if (messages.some((line) => !line.id)) clearTray(); // a farewell: it is in no history, for there is none any more
  for (const photo of item.photos || []) photos.remove(photo.local);
  if (!known) {
    known = true;
    connect();
  }
  refresh();
  if (following || mine) toNewest();
}

function refused(item) {
  const entry = own.get(item.id);
  const told = entry && entry.node.querySelector(".state.failed");
  if (entry && !told) markState(entry.node, "failed");
  const text = item.secret ? "" : item.text || item.caption;
  if (text && !input.value) input.value = text; // so that nobody has to write it again
  for (const photo of item.photos || []) photos.remove(photo.local);
  refresh();
}

/** Whether an answer to the open screen is on its way. */
const answering = () => queue.all().some((item) => item.kind === "pressed" && item.screen === current.number);

// ------------------------------------------------------------------------------------------- what is drawn

let drawn = ""; // which screen the dock shows

function refresh() {
  drawDock();
  drawStatus();
  drawComposer();
}

function drawDock() {
  const dock = find("dock");
  const screen = current && current.screen;
  const photo = Boolean(screen && screen.input === "photo");
  const wanted = current ? `${current.id} ${currentLanguage()}` : "";
  if (wanted !== drawn) {
    const focused = dock.contains(document.activeElement);
    drawn = wanted;
    dock.textContent = "";
    if (photo) {
      dock.append(el("button", { type: "button", class: "choice photo wide", onclick: choosePhotos }, icon("camera"), el("span", { text: say("takePhoto") })));
    }
    if (screen) dock.append(...choiceButtons(screen.choices || [], press));
    dock.hidden = !dock.children.length;
    if (focused && !dock.hidden) dock.focus({ preventScroll: true }); // whoever goes by keyboard goes on from here
  }
  if (!current) return;
  const pressed = queue.all().find((item) => item.kind === "pressed" && item.screen === current.number);
  dock.classList.toggle("busy", Boolean(pressed));
  for (const button of dock.querySelectorAll("[data-id]")) {
    // Not "disabled": the focus would fall off the button.
    button.setAttribute("aria-disabled", String(Boolean(pressed)));
    button.classList.toggle("chosen", Boolean(pressed) && pressed.choice === button.dataset.id);
  }
}

let slow = 0;

function drawStatus() {
  const unsent = queue.all().length;
  const status = find("status");
  clearTimeout(slow);
  const show = (key, state, fields) => {
    const text = say(key, fields);
    if (status.textContent !== text) status.textContent = text;
    document.documentElement.dataset.state = state;
  };
  const writing = (on) => {
    if (find("writing").hidden !== on) return;
    find("writing").hidden = !on;
    if (on && nearNewest()) toNewest();
  };
  if (!online) {
    writing(false);
    show(unsent ? "offlineKept" : "offline", "offline", { count: unsent });
  } else if (unsent) {
    slow = setTimeout(() => {
      show("sending", "sending");
      writing(true);
    }, 500);
  } else {
    writing(false);
    show(known ? "ready" : "connecting", known ? "ready" : "connecting");
  }
}

const KEYBOARDS = { year: "numeric", tel: "tel", secret: "numeric" };
const FILLS = { name: "name", tel: "tel", year: "bday-year" };
const HINTS = { year: "placeholderYear", tel: "placeholderTel", name: "placeholderName", photo: "placeholderPhoto" };

const input = find("input");

function drawComposer() {
  const kind = current ? current.screen.input : "none";
  const ready = tray.filter((photo) => photo.state !== "refused").length;
  input.setAttribute("inputmode", KEYBOARDS[kind] || "text");
  input.setAttribute("autocomplete", FILLS[kind] || "off");
  input.setAttribute("autocapitalize", kind === "name" ? "words" : "sentences");
  const hint = say(ready ? "placeholderCaption" : HINTS[kind] || "placeholder");
  input.placeholder = hint;
  input.setAttribute("aria-label", hint);
  find("send-word").textContent = ready ? say("sendPhotos", { count: ready }) : "";
  find("send").classList.toggle("idle", !ready && !input.value.trim());
  find("composer").classList.toggle("with-photos", ready > 0);
  input.style.height = "auto";
  input.style.height = Math.min(input.scrollHeight + 2, 160) + "px";
}

// ------------------------------------------------------------------------------------------- where one reads

const scroll = find("scroll");
let resting = 0; // where the page was last scrolled to for the reader

const nearNewest = () => scroll.scrollTop >= resting - 80 || bottomGap() < 80;
const bottomGap = () => scroll.scrollHeight - scroll.clientHeight - scroll.scrollTop;

/** Show the end; of a screen longer than the window its beginning, with one's own answer above it; a notice whole. */
function toNewest() {
  const entry = log.entries[log.entries.length - 1];
  if (!entry) return;
  const noticed = entry.node.classList.contains("notice");
  const at = log.entries.indexOf(current && !noticed ? current.entry : entry);
  const before = log.entries[at - 1];
  const top = (node) => node.getBoundingClientRect().top - scroll.getBoundingClientRect().top + scroll.scrollTop;
  const bottom = scroll.scrollHeight - scroll.clientHeight;
  let anchor = bottom;
  if (at >= 0 && at >= log.entries.length - 2) {
    const withAnswer = before && before.node.classList.contains("me") && before.node.offsetHeight < scroll.clientHeight / 4;
    anchor = top((withAnswer ? before : log.entries[at]).node) - 12;
  }
  resting = Math.max(0, Math.min(bottom, anchor));
  scroll.scrollTop = resting;
  find("newest").hidden = true;
}

/** Do something that may add lines, and stay at the end if the reader was there. */
function following(action) {
  const near = nearNewest();
  const before = last;
  action();
  refresh();
  if (near) toNewest();
  else if (last > before) find("newest").hidden = false;
}

scroll.addEventListener("scroll", () => {
  if (bottomGap() < 40) find("newest").hidden = true;
}, { passive: true });
find("newest").addEventListener("click", toNewest);
new ResizeObserver(() => {
  // A picture arrived or the keyboard opened: stay where one was, unless the reader went elsewhere meanwhile.
  if (Math.abs(scroll.scrollTop - resting) < 80) toNewest();
}).observe(find("column"));
new ResizeObserver(() => {
  if (Math.abs(scroll.scrollTop - resting) < 400) toNewest();
}).observe(scroll);

// ----------------------------------------------------------------------------------------------- the line

let stream = null;
let watchdog = 0;
let retry = 0;

function connect() {
  clearTimeout(retry);
  if (stream) stream.close();
  stream = new EventSource(`${base}/stream?after=${last}`);
  const alive = () => {
    clearTimeout(watchdog);
    watchdog = setTimeout(connect, 45000); // the server pings every 15 s; silence means a dead line
    if (!online) {
      online = true;
      queue.hurry();
      refresh();
    }
  };
  stream.onopen = alive;
  stream.addEventListener("ping", alive);
  stream.onmessage = (event) => {
    alive();
    following(() => receive(JSON.parse(event.data)));
  };
  stream.onerror = () => {
    online = false;
    refresh();
    if (stream.readyState === EventSource.CLOSED) retry = setTimeout(sync, 5000);
  };
}

/** Ask for what was missed; used at the start and whenever the page is looked at again. */
async function sync() {
  try {
    const answer = await fetch(`${base}/history?after=${last}`, { credentials: "same-origin" });
    if (!answer.ok) throw new TypeError(String(answer.status));
    const { known: stillKnown, messages } = await answer.json();
    if (known && !stillKnown) {
      clearTray();
      location.reload(); // left in another tab
      return true;
    }
    online = true;
    following(() => messages.forEach(receive));
    known = stillKnown;
    if (known && (!stream || stream.readyState !== EventSource.OPEN)) connect();
    return true;
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof SyntaxError)) throw error;
    online = false;
    refresh();
    clearTimeout(retry);
    retry = setTimeout(sync, 5000);
    return false;
  }
}

function lookAgain() {
  if (!started) return;
  queue.hurry();
  sync();
}

let rest = 0;
document.addEventListener("visibilitychange", () => {
  clearTimeout(rest);
  if (!document.hidden) lookAgain();
  else {
    rest = setTimeout(() => {
      clearTimeout(watchdog);
      if (stream) stream.close(); // a page nobody looks at needs no line
    }, 60000);
  }
});
window.addEventListener("online", lookAgain);
window.addEventListener("focus", lookAgain);
window.addEventListener("pageshow", (event) => event.persisted && lookAgain());
window.addEventListener("offline", () => {
  online = false;
  refresh();
});

// ------------------------------------------------------------------------------------------------- photos

const draft = keptList(name + ":tray");
let tray = []; // {local, url, state: "uploading"|"done"|"waiting"|"refused", node}

const choosePhotos = () => find("file").click();

async function addPhotos(files) {
  for (const file of files) {
    if (tray.length >= PHOTOS_LIMIT) {
      trayWord(say("tooMany", { count: PHOTOS_LIMIT }));
      break;
    }
    try {
      const photo = await photos.add(file);
      putInTray(photo);
    } catch (error) {
      if (!error.permanent) throw error;
      trayWord(error.sentence);
    }
  }
}

function putInTray(photo) {
  tray.push(photo);
  const remove = el("button", { type: "button", class: "remove", "aria-label": say("removePhoto"), onclick: () => dropFromTray(photo) }, icon("close"));
  photo.bar = el("span", { class: "share", role: "progressbar", "aria-label": say("uploading"), "aria-valuemin": 0, "aria-valuemax": 100 }, el("span"));
  photo.again = el("button", { type: "button", class: "again", text: say("again"), hidden: true, onclick: () => uploadFromTray(photo) });
  photo.image = el("img", { src: photo.url, alt: `${say("photo")} ${tray.length}` });
  photo.image.addEventListener("error", () => {
    photo.undrawn = true;
    photo.node.classList.add("undrawn");
    drawFromServer(photo);
  });
  photo.node = el("li", {}, photo.image, photo.bar, photo.again, remove);
  find("tray-list").append(photo.node);
  trayChanged();
  uploadFromTray(photo);
  toNewest();
}

/** What no browser draws (PDF, mostly HEIC) is shown as the server made it, once it is there. */
function drawFromServer(photo) {
  if (!photo.undrawn || !photo.keys || photo.image.src.startsWith("http")) return;
  photo.url = `${base}/picture/${photo.keys[0]}?w=480`;
  photo.image.src = photo.url;
  photo.node.classList.remove("undrawn");
}

async function uploadFromTray(photo) {
  const state = (value) => {
    photo.state = value;
    photo.node.dataset.state = value;
    photo.again.hidden = value !== "waiting";
    drawTray();
    refresh();
  };
  state("uploading");
  try {
    photo.keys = await photos.keyOf(photo.local, (share) => {
      photo.bar.setAttribute("aria-valuenow", String(Math.round(share * 100)));
      photo.bar.firstChild.style.width = Math.round(share * 100) + "%";
    });
    drawFromServer(photo);
    state("done");
  } catch (error) {
    if (error.permanent === undefined) throw error;
    if (!tray.includes(photo)) return;
    if (error.permanent) {
      photo.sentence = error.sentence;
      photos.remove(photo.local);
      state("refused");
      return;
    }
    state("waiting");
    if (error.unknown) queue.add({ kind: "opened", screen: null, payload: "" });
    setTimeout(() => tray.includes(photo) && photo.state === "waiting" && uploadFromTray(photo), 8000);
  }
}

function dropFromTray(photo) {
  tray = tray.filter((other) => other !== photo);
  photo.node.remove();
  photos.remove(photo.local);
  trayWord("");
  trayChanged();
  input.focus({ preventScroll: true });
}

function clearTray() {
  for (const photo of tray) {
    photo.node.remove();
    photos.remove(photo.local);
  }
  tray = [];
  trayWord("");
  trayChanged();
}

let passing = ""; // said once about a file that did not even come into the tray

function trayWord(text) {
  passing = text;
  drawTray();
  if (text) setTimeout(() => passing === text && trayWord(""), 15000);
}

/** What is wrong stays written as long as it is. */
function drawTray() {
  const bad = tray.find((photo) => photo.state === "refused");
  const waiting = tray.some((photo) => photo.state === "waiting");
  const text = (bad && bad.sentence) || passing || (waiting ? say("uploadWaiting") : "");
  if (find("tray-word").textContent !== text) find("tray-word").textContent = text;
  find("tray").hidden = !tray.length && !text;
}

function trayChanged() {
  draft.write(tray.map((photo) => photo.local));
  drawTray();
  refresh();
}

async function restoreTray() {
  for (const local of draft.read()) {
    const url = await photos.urlOf(local);
    if (url) putInTray({ local, url });
  }
}

find("file").addEventListener("change", async (event) => {
  const files = [...event.target.files];
  event.target.value = "";
  await addPhotos(files);
});
find("photo").addEventListener("click", choosePhotos);
document.addEventListener("paste", (event) => {
  const files = [...((event.clipboardData && event.clipboardData.files) || [])];
  if (!files.length) return;
  event.preventDefault();
  addPhotos(files);
});

let dragging = 0;
const carriesFiles = (event) => event.dataTransfer && [...event.dataTransfer.types].includes("Files");
const showDrop = (depth) => {
  dragging = Math.max(0, depth);
  find("drop").hidden = !dragging;
};
document.addEventListener("dragenter", (event) => carriesFiles(event) && showDrop(dragging + 1));
document.addEventListener("dragleave", (event) => carriesFiles(event) && showDrop(dragging - 1));
document.addEventListener("dragover", (event) => carriesFiles(event) && event.preventDefault());
document.addEventListener("drop", (event) => {
  if (!carriesFiles(event)) return;
  event.preventDefault();
  showDrop(0);
  addPhotos([...event.dataTransfer.files]);
});

// ----------------------------------------------------------------------------------------------- writing

input.maxLength = textLimit;
input.addEventListener("input", drawComposer);
input.addEventListener("keydown", (event) => {
  // While an input method still composes (Telex, VNI), Enter belongs to it.
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing && event.keyCode !== 229) {
    event.preventDefault();
    submit();
  }
});
find("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
});

function submit() {
  const text = input.value.trim();
  const chosen = tray.filter((photo) => photo.state !== "refused");
  if (!chosen.length && !text) {
    input.focus();
    return;
  }
  input.value = "";
  if (chosen.length) {
    for (const photo of tray) photo.node.remove();
    tray = [];
    trayWord("");
    trayChanged();
    const kept = chosen.map(({ local }) => ({ local, key: null }));
    act({ kind: "sent", screen: current ? current.number : null, caption: text, label: text, photos: kept }, chosen.map((photo) => photo.url));
  } else typed(text);
}

// A digit presses the choice of that number, unless one is writing.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || !/^\d$/.test(event.key)) return;
  if (event.target.closest("textarea, input, dialog")) return;
  const button = find("dock").querySelector(`[data-n="${event.key}"]`);
  if (button) button.click();
});

// -------------------------------------------------------------------------------------------------- menu

function showMenu(on) {
  find("menu").hidden = !on;
  find("more-button").setAttribute("aria-expanded", String(on));
}

function setLarge(on) {
  document.documentElement.classList.toggle("large", on);
  for (const id of ["larger", "menu-larger"]) find(id).setAttribute("aria-pressed", String(on));
  try {
    localStorage.setItem("hoctap:large", on ? "1" : "");
  } catch (error) {
    console.warn("not kept", error.name);
  }
  requestAnimationFrame(() => {
    drawComposer();
    toNewest();
  });
}

const isLarge = () => document.documentElement.classList.contains("large");

find("larger").addEventListener("click", () => setLarge(!isLarge()));
find("more-button").addEventListener("click", () => showMenu(find("menu").hidden));
find("menu").addEventListener("click", () => showMenu(false));
find("menu-larger").addEventListener("click", () => setLarge(!isLarge()));
find("menu-help").addEventListener("click", () => command("/help"));
find("menu-language").addEventListener("click", () => command("/ngonngu"));
find("menu-leave").addEventListener("click", () => {
  const unsent = queue.all().length + tray.length;
  find("confirm-text").textContent = say("leaveAsk") + (unsent ? "\n\n" + say("leaveUnsent", { count: unsent }) : "");
  open(find("confirm"));
});
find("confirm-no").addEventListener("click", () => close(find("confirm")));
find("confirm-yes").addEventListener("click", leave);
document.addEventListener("click", (event) => {
  if (!event.target.closest("#menu, #more-button")) showMenu(false);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !find("menu").hidden) {
    showMenu(false);
    find("more-button").focus();
  }
});

async function leave() {
  let left = false;
  try {
    left = (await fetch(`${base}/leave`, { method: "POST", credentials: "same-origin" })).ok;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
  if (!left) {
    find("confirm-text").textContent = say("leaveFailed");
    return;
  }
  queue.clear();
  draft.write([]);
  await photos.clear();
  location.replace(base);
}

// ------------------------------------------------------------------------------------------------- start

let started = false;

/** The payload of the link that opened the page; it leaves the address bar, so that a reload does not open it again. */
function payloadOfLink() {
  const fields = new URLSearchParams(location.hash.slice(1));
  const found = { payload: fields.get("q"), once: fields.get("once") };
  if (location.hash) history.replaceState(null, "", location.pathname + location.search);
  return found;
}

function openWith(payload) {
  if (queue.all().some((item) => item.kind === "opened" && item.payload === payload)) return;
  queue.add({ kind: "opened", screen: null, payload });
}

async function start() {
  speak("vi");
  prepareViewer();
  let large = false;
  try {
    large = Boolean(localStorage.getItem("hoctap:large"));
  } catch (error) {
    console.warn("not kept", error.name);
  }
  setLarge(large);
  const { payload, once } = payloadOfLink();
  if (payload) openWith(payload); // kept before anything can fail
  const waiting = queue.all().flatMap((item) => (item.photos || []).map((photo) => photo.local));
  photos.sweep(new Set([...waiting, ...draft.read()]));
  for (let wait = 1; !(await sync()); wait = Math.min(wait * 2, 15)) {
    await new Promise((resolve) => setTimeout(resolve, wait * 1000));
  }
  queue.all().forEach((item) => showPending(item));
  if (!payload && !current) openWith(once || "");
  started = true;
  queue.hurry();
  restoreTray();
  refresh();
  toNewest();
}

window.addEventListener("hashchange", () => {
  const { payload } = payloadOfLink();
  if (payload) openWith(payload);
});
start();
