// Photos on their way: made smaller here, kept in IndexedDB until the server has them, uploaded one after another.

import { newId } from "./outbox.js";

const LONGEST_SIDE = 2560;
const PAPER = /^application\/pdf$|\.pdf$/i;
const TAKEN = /^image\/(jpeg|png|webp|hei[cf](-sequence)?)$/; // by the server as they are; what else can be drawn goes as JPEG
// Before Chrome 81 a canvas ignored how the camera was held, and the hint is lost in drawing: then the file goes as it is.
const TURNS_PHOTOS = window.CSS && CSS.supports("image-orientation", "from-image");

/** A small key-value store for blobs; in memory where IndexedDB is shut off. */
function blobStore(name) {
  const memory = new Map();
  const opened = new Promise((resolve) => {
    try {
      const request = indexedDB.open(name, 1);
      request.onupgradeneeded = () => request.result.createObjectStore("photos");
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => resolve(null);
    } catch (error) {
      resolve(null);
    }
  });

  async function ask(mode, action) {
    const database = await opened;
    if (!database) return undefined;
    return new Promise((resolve) => {
      const transaction = database.transaction("photos", mode);
      const request = action(transaction.objectStore("photos"));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onerror = transaction.onabort = () => resolve(undefined); // full: the copy in memory serves this page
    });
  }

  return {
    async get(key) {
      return memory.get(key) || (await ask("readonly", (store) => store.get(key)));
    },
    async put(key, blob) {
      memory.set(key, blob);
      await ask("readwrite", (store) => store.put(blob, key));
    },
    async remove(key) {
      memory.delete(key);
      await ask("readwrite", (store) => store.delete(key));
    },
    /** Forget what is neither wanted nor in use here: a page that was closed at the wrong moment left it. */
    async sweep(wanted) {
      const keys = (await ask("readonly", (store) => store.getAllKeys())) || [];
      for (const key of keys) if (!wanted.has(key) && !memory.has(key)) await this.remove(key);
    },
    async clear() {
      memory.clear();
      await ask("readwrite", (store) => store.clear());
    },
  };
}

/** The photo at most 2,560 px a side as JPEG; the file itself where it is small already or cannot be drawn here (HEIC). */
async function shrink(file) {
  if (!TURNS_PHOTOS) return file;
  const url = URL.createObjectURL(file);
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    const scale = Math.min(1, LONGEST_SIDE / Math.max(image.naturalWidth, image.naturalHeight));
    if (scale === 1 && file.size < 1 << 20 && TAKEN.test(file.type)) return file;
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(image.naturalWidth * scale));
    canvas.height = Math.max(1, Math.round(image.naturalHeight * scale));
    const paper = canvas.getContext("2d");
    paper.fillStyle = "#fff";
    paper.fillRect(0, 0, canvas.width, canvas.height);
    paper.drawImage(image, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.85));
    return blob && (blob.size < file.size || !TAKEN.test(file.type)) ? blob : file;
  } catch (error) {
    return file; // the server says whether it can read it
  } finally {
    URL.revokeObjectURL(url);
  }
}

function refusal(permanent, sentence) {
  return Object.assign(new Error("photo"), { permanent, sentence });
}

export function photoStore(base, name, limit, language, say) {
  const store = blobStore(name);
  const jobs = new Map(); // local id → {promise, listeners}
  let line = Promise.resolve(); // one upload at a time: a phone's line is narrow

  /** Take a file in. Throws what a person should read if it can never be sent. */
  async function add(file) {
    const paper = PAPER.test(file.type) || (!file.type && PAPER.test(file.name));
    if (file.type && !paper && !file.type.startsWith("image/")) throw refusal(true, say("notPicture"));
    const blob = paper ? file : await shrink(file);
    if (blob.size > limit) throw refusal(true, say("tooBig"));
    const local = newId();
    await store.put(local, blob);
    return { local, url: URL.createObjectURL(blob) };
  }

  /** The address of a kept photo to show, or null if it is gone. */
  async function urlOf(local) {
    const blob = await store.get(local);
    return blob ? URL.createObjectURL(blob) : null;
  }

  /** The server's keys of a file (a paper has one for each page), uploaded now unless it is already. `heard(share)` follows the progress, 0 to 1. */
  function keyOf(local, heard) {
    let job = jobs.get(local);
    if (!job) {
      job = { listeners: new Set() };
      job.promise = line.then(() => uploadOne(local, (share) => job.listeners.forEach((listener) => listener(share))));
      line = job.promise.catch(() => {});
      jobs.set(local, job);
      job.promise.catch(() => jobs.delete(local)); // the next call tries again
    }
    if (heard) job.listeners.add(heard);
    return job.promise;
  }

  async function uploadOne(local, heard) {
    const blob = await store.get(local);
    if (!blob) throw refusal(true, say("failed"));
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open("POST", `${base}/upload?lang=${language()}`);
      request.setRequestHeader("Content-Type", "application/octet-stream");
      request.responseType = "json";
      request.timeout = 300000;
      request.upload.onprogress = (event) => event.lengthComputable && heard(event.loaded / event.total);
      request.onload = () => {
        const { status, response } = request;
        if (status === 200 && response) resolve(response.keys);
        else if (status === 401) reject(Object.assign(refusal(false, ""), { unknown: true }));
        else reject(refusal((status >= 400 && status < 500 && status !== 429) || status === 507, response && response.sentence)); // 507: no room
      };
      request.onerror = request.ontimeout = request.onabort = () => reject(refusal(false, ""));
      request.send(blob);
    });
  }

  return { add, urlOf, keyOf, remove: store.remove, sweep: (wanted) => store.sweep(wanted), clear: store.clear };
}
