/** Drawings and pictures of searches, kept by id in the browser's own database; without one, until the page is closed. */

const MOST = 150; // entries; the oldest are dropped

/** @type {Map<string, unknown>} */ const memory = new Map();
/** @type {Promise<IDBDatabase | null>} */ const database = new Promise((resolve) => {
  try {
    const request = indexedDB.open("sketchseek", 1);
    request.onupgradeneeded = () => request.result.createObjectStore("kept").createIndex("at", "at");
    request.onsuccess = () => resolve(request.result);
    request.onerror = request.onblocked = () => resolve(null);
  } catch {
    resolve(null);
  }
});

/** Keep a value under an id. */
export async function keep(/** @type {string} */ id, /** @type {unknown} */ value) {
  memory.set(id, value);
  const db = await database;
  if (!db) return;
  try {
    const store = db.transaction("kept", "readwrite").objectStore("kept");
    store.put({ at: Date.now(), value }, id);
    const count = await answer(store.count());
    if (count <= MOST) return;
    const cursor = store.index("at").openKeyCursor();
    let left = count - MOST;
    cursor.onsuccess = () => {
      if (!cursor.result || left-- <= 0) return;
      store.delete(cursor.result.primaryKey);
      cursor.result.continue();
    };
  } catch {
    // storage is full or forbidden: it is kept until the page is closed
  }
}

/** The value of an id; undefined if it is not kept. @returns {Promise<any>} */
export async function kept(/** @type {string} */ id) {
  if (memory.has(id)) return memory.get(id);
  const db = await database;
  if (!db) return undefined;
  try {
    return (await answer(db.transaction("kept").objectStore("kept").get(id)))?.value;
  } catch {
    return undefined;
  }
}

/** An id made from a text: equal for equal texts. */
export function idOf(/** @type {string} */ text) {
  let [a, b] = [0x9e3779b9, 0x85ebca6b];
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    a = Math.imul(a ^ code, 0x5bd1e995);
    b = Math.imul(b ^ code, 0x1b873593);
    a ^= a >>> 13;
    b ^= b >>> 15;
  }
  return (a >>> 0).toString(36) + (b >>> 0).toString(36);
}

/** @template T @returns {Promise<T>} */
const answer = (/** @type {IDBRequest<T>} */ request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});
