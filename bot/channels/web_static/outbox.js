// What the person did and the server has not acknowledged. It outlives a reload, a lost network and a closed page; acts are
// sent strictly one after another, each under an id made here, so that sending one twice has one effect.

const PAUSES = [1, 2, 4, 8, 15, 30]; // seconds between tries

export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const NUMBER = /\d(?:[\s.,/_·\-\u00ad\u200b-\u200f\u2010-\u2015\u202a-\u202e\u2060-\u2064\u2212\ufeff]{0,3}\d){11,}/g; // an id number, or what looks like one: the server looks closer
const SLIP = /\d(?:[\s.,/_·\-\u00ad\u200b-\u200f\u2010-\u2015\u202a-\u202e\u2060-\u2064\u2212\ufeff]{0,3}\d){5,}/g;

/** The text as it may be shown and kept here: without secret numbers. `asked`: it answers the question for one. */
export function shaded(text, asked) {
  const shade = (found) => "••••" + (asked ? "" : found.replace(/\D/g, "").slice(-4));
  return (text || "").replace(asked ? SLIP : NUMBER, shade);
}

/** A list kept in localStorage, or in memory where the browser keeps nothing. */
export function keptList(name) {
  let memory = [];
  return {
    read() {
      try {
        return JSON.parse(localStorage.getItem(name)) || [];
      } catch (error) {
        return memory;
      }
    },
    write(list) {
      memory = list;
      try {
        if (list.length) localStorage.setItem(name, JSON.stringify(list));
        else localStorage.removeItem(name);
      } catch (error) {
        console.warn("not kept", error.name);
      }
    },
  };
}

/**
 * `item`: {id, screen, kind, choice|text|caption|payload, label, photos: [{local, key: [key]}], at}. What holds a
 * number that may be secret is in memory only: after a reload the person finds the question open, and answers it again.
 * `photoKey(local)` uploads a photo and gives its keys; it throws an error with `permanent` and `sentence` if it never will.
 * `on`: state(item, "sending"|"waiting"|"busy"), acknowledged(item, messages), refused(item, sentence), photoRefused(item, local, sentence), changed().
 */
export function outbox(base, name, photoKey, on) {
  const kept = keptList(name);
  let secret = []; // items that the browser's store must not see
  let running = false;
  let tries = 0;
  let wake = () => {};

  const all = () => (secret.length ? [...kept.read(), ...secret].sort((one, other) => (one.at < other.at ? -1 : Number(one.at > other.at))) : kept.read());
  const take = (id) => {
    secret = secret.filter((item) => item.id !== id);
    kept.write(kept.read().filter((item) => item.id !== id));
  };
  const update = (item) => {
    const put = (other) => (other.id === item.id ? item : other);
    secret = secret.map(put);
    kept.write(kept.read().map(put));
  };

  /** `asked`: the item answers the question for a secret number. */
  function add(item, { first = false, asked = false } = {}) {
    const whole = { id: newId(), at: first ? "" : new Date().toISOString(), ...item };
    const said = [item.text, item.caption, item.payload].filter(Boolean);
    if (said.some((text) => shaded(text, asked) !== text)) {
      whole.secret = true;
      whole.label = shaded(whole.label, asked);
      secret = [...secret, whole];
    } else kept.write(first ? [whole, ...kept.read()] : [...kept.read(), whole]);
    on.changed();
    run();
    return whole;
  }

  async function run() {
    if (running) return;
    running = true;
    try {
      for (let item = all()[0]; item; item = all()[0]) {
        on.state(item, "sending");
        if (await sendOne(item)) tries = 0;
        else await pause(item);
        on.changed();
      }
    } finally {
      running = false;
    }
  }

  /** Whether the item is done with, for better or worse. */
  async function sendOne(item) {
    if (item.photos) {
      try {
        if (!(await uploadAll(item))) return true;
      } catch (error) {
        if (error.unknown) return beginAnew();
        if (error.permanent === false) return false;
        throw error;
      }
    }
    const { status, messages, after } = await post(item);
    if (status === 429) {
      await pause(item, after);
      return true; // it is tried again, first of all
    }
    if (status === 200) {
      take(item.id);
      on.acknowledged(item, messages);
      return true;
    }
    if (status === 401) return beginAnew();
    if (status === 0 || status >= 500 || status === 408) return false;
    take(item.id);
    on.refused(item);
    return true;
  }

  /** The browser lost its cookie: open the chat again first, then go on with what was waiting. */
  function beginAnew() {
    add({ kind: "opened", screen: null, payload: "" }, { first: true });
    return true;
  }

  /** Whether any photo is left to send. */
  async function uploadAll(item) {
    for (const photo of [...item.photos]) {
      if (photo.key) continue;
      try {
        photo.key = await photoKey(photo.local);
      } catch (error) {
        if (!error.permanent) throw error;
        item.photos = item.photos.filter((other) => other !== photo);
        on.photoRefused(item, photo.local, error.sentence);
      }
      update(item);
    }
    if (item.photos.length) return true;
    take(item.id);
    on.refused(item);
    return false;
  }

  /** {status, messages}; status 0 where no whole answer came. */
  async function post(item) {
    const { id, screen, kind, choice, text, caption, payload } = item;
    const uploads = item.photos && item.photos.flatMap((photo) => photo.key);
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), 30000);
    try {
      const answer = await fetch(`${base}/act`, {
        method: "POST",
        credentials: "same-origin",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ id, screen, kind, choice, text, caption, payload, uploads }),
        signal: abort.signal,
      });
      const after = Number(answer.headers.get("Retry-After")) || 0;
      return { status: answer.status, messages: answer.ok ? (await answer.json()).messages : [], after };
    } catch (error) {
      return { status: 0 }; // no network, too slow, or an answer cut off
    } finally {
      clearTimeout(timer);
    }
  }

  /** `after`: seconds that the server wants to be left alone, because too much came at once. */
  function pause(item, after = 0) {
    on.state(item, after ? "busy" : "waiting");
    const seconds = Math.max(after, PAUSES[Math.min(tries, PAUSES.length - 1)]);
    tries += 1;
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, seconds * 1000);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  function clear() {
    secret = [];
    kept.write([]);
  }

  /** Try at once: the network may be back. */
  function hurry() {
    wake();
    run();
  }

  return { add, all, hurry, clear };
}
