// What the page draws: bubbles, choices, pictures. Text only ever goes in as text nodes; nothing here is parsed as HTML.

const setup = JSON.parse(document.getElementById("setup").textContent);
export const { base, limit, text: textLimit } = setup;
export const PHOTOS_LIMIT = 10;
export const find = (id) => document.getElementById(id);

// ------------------------------------------------------------------------------------------------ words

let language = "vi";

/** The page's own words, in the language of the last screen. */
export function say(key, fields = {}) {
  const sentence = setup.sentences[language][key];
  return sentence.replace(/\{(\w+)\}/g, (whole, name) => (name in fields ? String(fields[name]) : whole));
}

export const currentLanguage = () => language;

/** Put the page into a language; what it says already is said anew. */
export function speak(wanted) {
  language = setup.sentences[wanted] ? wanted : "vi";
  document.documentElement.lang = language;
  document.title = say("title");
  for (const node of document.querySelectorAll("[data-t]")) node.textContent = say(node.dataset.t);
  for (const node of document.querySelectorAll("[data-label]")) {
    node.setAttribute("aria-label", say(node.dataset.label));
    if (node.tagName === "BUTTON") node.title = say(node.dataset.label);
  }
}

const ZONE = "Asia/Ho_Chi_Minh";
const clock = new Intl.DateTimeFormat("en-GB", { timeZone: ZONE, hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const date = new Intl.DateTimeFormat("en-GB", { timeZone: ZONE, day: "2-digit", month: "2-digit", year: "numeric" });

const timeOf = (at) => clock.format(at).replace(/^0(?=\d)/, "");

function dayOf(at) {
  const text = date.format(at);
  if (text === date.format(new Date())) return say("today");
  if (text === date.format(new Date(Date.now() - 86400000))) return say("yesterday");
  return text;
}

// --------------------------------------------------------------------------------------------- elements

export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "text") node.textContent = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter(Boolean));
  return node;
}

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", "#i-" + name);
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

const hiddenWord = (text) => el("span", { class: "hidden-word", text });

/** Text with its links, commands and telephone numbers made pressable. */
function pressable(text, onCommand) {
  const parts = [];
  const pattern = /https?:\/\/[^\s<>"]+|(^|[\s(“"])(\/[a-z]{2,20})(?![\w/])|\b(?:HS|TL|DV)(?:[ -][0-9A-Z]{1,5}){2,5}(?![\wÀ-ỹ-])|\b0\d{2,3}[ .]?\d{3}[ .]?\d{3,4}(?!\d)/g;
  let end = 0;
  for (let found = pattern.exec(text); found; found = pattern.exec(text)) {
    const before = found[1] || "";
    let word = found[0].slice(before.length);
    if (word.startsWith("http")) word = word.replace(/[.,;:)”"]+$/, "");
    parts.push(text.slice(end, found.index) + before);
    if (found[2]) parts.push(el("button", { type: "button", class: "command", text: word, onclick: () => onCommand(word) }));
    else if (word.startsWith("http")) {
      parts.push(el("a", { href: word, target: "_blank", rel: "noopener noreferrer", text: word }));
    } else if (/^[A-Z]/.test(word)) parts.push(el("span", { class: "code", text: word }));
    else parts.push(el("a", { href: "tel:" + word.replace(/\D/g, ""), text: word }));
    end = found.index + before.length + word.length;
  }
  parts.push(text.slice(end));
  return parts.filter((part) => part !== "");
}

// ---------------------------------------------------------------------------------------------- bubbles

function meta(at) {
  return el("p", { class: "meta" }, el("time", { datetime: at.toISOString(), text: timeOf(at) }));
}

const LONG_TITLE = 40; // characters; the official name of an indicator has up to 130

/** What the bot says. `screen` is a screen as the server encodes it; a notice carries its own buttons. */
export function botBubble(screen, at, onCommand, onPress) {
  const bubble = el("div", { class: "bubble" }, hiddenWord(say("bot") + ": "));
  if (screen.note) bubble.append(el("p", { class: "note" }, ...pressable(screen.note, onCommand)));
  if (screen.progress) bubble.append(progressBar(...screen.progress, !screen.title));
  if (screen.title) {
    bubble.append(el("h2", { class: screen.title.length > LONG_TITLE ? "title long" : "title", text: screen.title }));
  }
  if (screen.text) bubble.append(el("p", { class: "text" }, ...pressable(screen.text, onCommand)));
  if (screen.pictures) bubble.append(pictureList(screen.pictures, screen.input === "photo" ? "few" : "read"));
  for (const [name, type, content, key] of screen.documents || []) {
    if (key && !content) { // kept for a day only
      bubble.append(el("p", { class: "text", text: say("fileOver", { file: name }) }));
      continue;
    }
    const label = el("span", {}, el("b", { text: name }), el("small", { text: say("save") }));
    bubble.append(el("button", { type: "button", class: "file", onclick: () => saveAs(name, type, content) }, icon("save"), label));
  }
  if (!screen.number && screen.choices) {
    const offers = screen.choices.map(([id, label, role]) => el("button", {
      type: "button", class: "choice " + role, onclick: () => onPress(id, label),
    }, el("span", { text: label })));
    bubble.append(el("div", { class: "offers", role: "group", "aria-label": say("choices") }, ...offers));
  }
  return el("div", { class: screen.number ? "message bot" : "message bot notice" }, bubble, meta(at));
}

/** What the person said: a text, pictures, or both. Local pictures come as {url}. */
export function ownBubble(body, at) {
  const bubble = el("div", { class: "bubble" }, hiddenWord(say("you") + ": "));
  if (body.pictures && body.pictures.length) bubble.append(pictureList(body.pictures, "few"));
  if (body.text) bubble.append(el("p", { class: "text", text: body.text }));
  return el("div", { class: "message me" }, bubble, meta(at));
}

/** Under an own bubble: on its way, sent, waiting for the network, or refused with a reason. */
export function markState(node, state, sentence = "") {
  const line = node.querySelector(".meta");
  const old = line.querySelector(".state");
  if (old) old.remove();
  const names = { sending: "clock", waiting: "clock", sent: "check", failed: "alert" };
  const mark = el("span", { class: "state " + state }, icon(names[state]));
  const word = sentence || say(state);
  mark.append(state === "waiting" || state === "failed" ? el("span", { text: word }) : hiddenWord(word));
  line.append(mark);
}

/** `counted`: no title says "Câu 3/10". */
function progressBar(done, total, counted) {
  const label = say("progress", { done, total });
  const fill = el("span");
  fill.style.width = Math.round((100 * Math.min(done, total)) / Math.max(1, total)) + "%";
  const bar = el("div", {
    class: "track", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": total, "aria-valuenow": done,
    "aria-valuetext": label, "aria-label": label,
  }, fill);
  return el("div", { class: "progress" }, bar, counted && el("span", { class: "count", "aria-hidden": "true", text: `${done}/${total}` }));
}

/** `how`: "read", each as wide as the bubble, one under another; "few", small, for whoever took them. */
function pictureList(pictures, how) {
  const shown = pictures.map((picture) => {
    if (!Array.isArray(picture)) return { small: picture.url, full: picture.url, caption: "" };
    const [key, caption] = picture;
    const address = `${base}/picture/${encodeURIComponent(key)}`;
    return { small: address + (how === "few" ? "?w=480" : "?w=1080"), full: address, caption };
  });
  const list = el("div", { class: `pictures ${how}${shown.length > 1 ? " many" : ""}` });
  shown.forEach((picture, n) => {
    const name = picture.caption || `${say("photo")} ${n + 1}`;
    const image = el("img", { src: picture.small, alt: name, loading: "lazy", decoding: "async" });
    const button = el("button", {
      type: "button", class: "picture", "aria-label": `${say("enlarge")}: ${name}`, onclick: () => enlarge(shown, n),
    }, image);
    list.append(el("figure", {}, button, picture.caption && el("figcaption", { text: picture.caption })));
  });
  return list;
}

function saveAs(name, type, content) {
  const url = URL.createObjectURL(new Blob([content], { type }));
  const link = el("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}

// ---------------------------------------------------------------------------------------------- the log

/** The bubbles in the order of their keys: a line's number, or beyond every number while it is not sent. */
export function timeline(log) {
  const entries = [];

  function place(entry) {
    const old = entries.indexOf(entry);
    if (old >= 0) entries.splice(old, 1);
    let n = entries.length;
    while (n > 0 && entries[n - 1].key > entry.key) n -= 1;
    const after = entries[n] ? entries[n].node : null;
    entries.splice(n, 0, entry);
    // A node that already stands right is left alone, or a screen reader would read it out again.
    if (entry.node.parentNode !== log || entry.node.nextSibling !== after) log.insertBefore(entry.node, after);
    days();
  }

  function remove(entry) {
    entries.splice(entries.indexOf(entry), 1);
    entry.node.remove();
    days();
  }

  function days() {
    let last = "";
    for (const entry of entries) {
      const day = dayOf(entry.at);
      if (day === last) delete entry.node.dataset.day;
      else entry.node.dataset.day = day;
      last = day;
    }
  }

  return { place, remove, entries };
}

/** The buttons of the open screen. Numbers are those that the conversation understands when typed: "back" is 0. */
export function choiceButtons(choices, onPress) {
  let n = 0;
  const buttons = choices.map(([id, label, role]) => {
    const number = id === "back" ? 0 : (n += 1);
    return el("button", { type: "button", class: "choice " + role, "data-id": id, "data-n": number, onclick: () => onPress(id, label) },
      number < 10 && el("kbd", { "aria-hidden": "true", text: number }), el("span", { text: label }));
  });
  const small = (role) => role === "quiet" || role === "danger";
  for (let start = 0; start < choices.length;) {
    let end = start;
    while (end < choices.length && small(choices[end][2]) === small(choices[start][2])) end += 1;
    const wide = choices.slice(start, end).some(([, label]) => label.length > 15);
    const odd = (end - start) % 2 === 1;
    for (let at = start; at < end; at += 1) {
      if (wide || (odd && at === end - 1)) buttons[at].classList.add("wide");
    }
    start = end;
  }
  return buttons;
}

// ------------------------------------------------------------------------------------- pictures enlarged

let gallery = [];
let place = 0;

function enlarge(pictures, n) {
  gallery = pictures;
  open(find("viewer"));
  turnTo(n);
}

function turnTo(n) {
  place = (n + gallery.length) % gallery.length;
  const { full, caption } = gallery[place];
  const image = find("viewer-image");
  zoom(false);
  image.src = full;
  image.alt = caption || `${say("photo")} ${place + 1}`;
  find("viewer-caption").textContent = [gallery.length > 1 ? `${place + 1}/${gallery.length}` : "", caption].filter(Boolean).join(" · ");
  find("viewer-previous").hidden = find("viewer-next").hidden = gallery.length < 2;
}

function zoom(large, event) {
  const stage = find("viewer-stage");
  const image = find("viewer-image");
  const box = image.getBoundingClientRect();
  const [x, y] = event ? [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height] : [0.5, 0.5];
  // Twice the width of the window, or every point of the photo on the screen's own points: what shows more.
  const fitted = box.width;
  stage.classList.toggle("large", large);
  image.style.width = large ? Math.max(2 * fitted, image.naturalWidth / (window.devicePixelRatio || 1)) + "px" : "";
  find("viewer-zoom").setAttribute("aria-pressed", String(large));
  if (large) stage.scrollTo(x * image.offsetWidth - stage.clientWidth / 2, y * image.offsetHeight - stage.clientHeight / 2);
}

export function open(dialog) {
  if (dialog.showModal) dialog.showModal();
  else dialog.setAttribute("open", "");
}

export function close(dialog) {
  if (dialog.close) dialog.close();
  else dialog.removeAttribute("open");
}

export function prepareViewer() {
  const viewer = find("viewer");
  const isLarge = () => find("viewer-stage").classList.contains("large");
  find("viewer-close").addEventListener("click", () => close(viewer));
  find("viewer-previous").addEventListener("click", () => turnTo(place - 1));
  find("viewer-next").addEventListener("click", () => turnTo(place + 1));
  find("viewer-zoom").addEventListener("click", () => zoom(!isLarge()));
  find("viewer-image").addEventListener("click", (event) => zoom(!isLarge(), event));
  viewer.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft" && !isLarge()) turnTo(place - 1);
    if (event.key === "ArrowRight" && !isLarge()) turnTo(place + 1);
  });
  viewer.addEventListener("close", () => find("viewer-image").removeAttribute("src"));
}
