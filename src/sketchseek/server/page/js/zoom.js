/** Zoom and pan of the large view: wheel, double click, two fingers, buttons of the keyboard; drag to move. */

const MOST = 12; // times the size that fits

export class Zoom {
  #stage;
  #frame;
  #enlarged;
  #scale = 1;
  #x = 0; // px, the frame's shift from the middle
  #y = 0;
  /** @type {Map<number, {x: number, y: number}>} */ #pointers = new Map();

  /**
   * @param {HTMLElement} stage what the frame is cut off at
   * @param {HTMLElement} frame
   * @param {() => void} enlarged called when the photo is shown larger than it fits
   */
  constructor(stage, frame, enlarged) {
    this.#stage = stage;
    this.#frame = frame;
    this.#enlarged = enlarged;
    stage.addEventListener("wheel", (event) => this.#onWheel(event), { passive: false });
    stage.addEventListener("dblclick", (event) => !isControl(event) && this.#to(this.#scale > 1 ? 1 : 2.5, event));
    stage.addEventListener("pointerdown", (event) => this.#onDown(event));
    stage.addEventListener("pointermove", (event) => this.#onMove(event));
    for (const end of /** @type {const} */ (["pointerup", "pointercancel"])) stage.addEventListener(end, (event) => this.#pointers.delete(event.pointerId));
  }

  reset() {
    [this.#scale, this.#x, this.#y] = [1, 0, 0];
    this.#pointers.clear();
    this.#apply();
  }

  /** Enlarge or reduce around the middle. */
  by(/** @type {number} */ factor) {
    const box = this.#stage.getBoundingClientRect();
    this.#to(this.#scale * factor, { clientX: box.left + box.width / 2, clientY: box.top + box.height / 2 });
  }

  /** Set the scale; what is at a point of the window stays there. */
  #to(/** @type {number} */ scale, /** @type {{clientX: number, clientY: number}} */ { clientX, clientY }) {
    const next = Math.min(MOST, Math.max(1, scale));
    const box = this.#stage.getBoundingClientRect();
    const [px, py] = [clientX - box.left - box.width / 2, clientY - box.top - box.height / 2];
    this.#x = px - ((px - this.#x) * next) / this.#scale;
    this.#y = py - ((py - this.#y) * next) / this.#scale;
    if (this.#scale === 1 && next > 1) this.#enlarged();
    this.#scale = next;
    this.#apply();
  }

  #apply() {
    const [most, high] = [this.#frame.offsetWidth * this.#scale - this.#stage.clientWidth, this.#frame.offsetHeight * this.#scale - this.#stage.clientHeight];
    const within = (/** @type {number} */ value, /** @type {number} */ over) => Math.min(Math.max(0, over / 2), Math.max(-Math.max(0, over / 2), value));
    this.#x = within(this.#x, most);
    this.#y = within(this.#y, high);
    this.#frame.style.transform = this.#scale === 1 ? "" : `translate(${this.#x}px, ${this.#y}px) scale(${this.#scale})`;
    this.#stage.dataset.zoomed = String(this.#scale > 1);
  }

  #onWheel(/** @type {WheelEvent} */ event) {
    event.preventDefault();
    this.#to(this.#scale * Math.exp(-event.deltaY / 400), event);
  }

  #onDown(/** @type {PointerEvent} */ event) {
    if (event.button !== 0 || isControl(event)) return;
    this.#pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (this.#scale > 1) this.#stage.setPointerCapture(event.pointerId);
  }

  #onMove(/** @type {PointerEvent} */ event) {
    const last = this.#pointers.get(event.pointerId);
    if (!last) return;
    const now = { x: event.clientX, y: event.clientY };
    this.#pointers.set(event.pointerId, now);
    if (this.#pointers.size === 2) {
      const [other] = [...this.#pointers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
      const stretch = Math.hypot(now.x - other.x, now.y - other.y) / Math.max(1, Math.hypot(last.x - other.x, last.y - other.y));
      this.#to(this.#scale * stretch, { clientX: (now.x + other.x) / 2, clientY: (now.y + other.y) / 2 });
    } else if (this.#scale > 1) {
      this.#x += now.x - last.x;
      this.#y += now.y - last.y;
      this.#apply();
    }
  }
}

const isControl = (/** @type {Event} */ event) => /** @type {Element} */ (event.target).closest("button, a") !== null;
