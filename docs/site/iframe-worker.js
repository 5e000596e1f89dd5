/**
 * Search in pages opened from the disk: browsers start no worker there, so the script of the search runs in a hidden
 * frame instead. Over http the Worker of the browser stays. (The name keeps the theme from loading another.)
 */
"use strict";

if (location.protocol === "file:") {
  window.Worker = class DiskWorker extends EventTarget {
    #frame = document.createElement("iframe");
    #ready;
    onmessage = null;

    constructor(/** @type {string} */ url) {
      super();
      this.#frame.hidden = true;
      document.body.append(this.#frame);
      const inside = this.#frame.contentWindow;
      inside.IFrameWorker = DiskWorker; // by this name the theme's script knows that it runs in a frame
      inside.postMessage = (data) => this.#receive(data);
      inside.importScripts = async (...urls) => {
        for (const one of urls) await this.#load(one);
      };
      this.#ready = this.#load(url);
    }

    postMessage(data) {
      this.#ready.then(() => this.#frame.contentWindow.dispatchEvent(new MessageEvent("message", { data })));
    }

    terminate() {
      this.#frame.remove();
    }

    #receive(data) {
      const event = new MessageEvent("message", { data });
      this.dispatchEvent(event);
      this.onmessage?.(event);
    }

    #load(url) {
      return new Promise((loaded, failed) => {
        const inside = this.#frame.contentDocument;
        const script = inside.createElement("script");
        script.onload = loaded;
        script.onerror = failed;
        script.src = url;
        inside.body.append(script);
      });
    }
  };
}
