/** The models in the gallery's dialog: the one searches use, better ones, and the change to one of them. */

import { changeModel, models, stopIndexing } from "./api.js";
import { byId, make } from "./dom.js";
import { isRunning, progress } from "./status.js";
import { number, t } from "./texts.js";

/** @import { KnownModel, Status } from "./api.js" */

const SPEEDS = ["very fast", "fast", "medium", "slow", "very slow"];

/** Key of what is shown: an equal one is not created again, which would interrupt a click. */
let shown = "";
/** @type {KnownModel[]} */ let known = [];
let asked = 0; // the newest request

/** Show the models while the dialog is open; `again`: also where nothing seems to have changed. */
export async function showModels(/** @type {Status | null} */ status, /** @type {() => void} */ changed, again = false) {
  if (!status || !byId("gallery", HTMLDialogElement).open) return;
  const { indexing } = status;
  const key = [status.model, indexing.model, indexing.state, indexing.error].join();
  if (key !== shown || again) {
    shown = key;
    const mine = ++asked;
    const found = await models().catch(() => known); // the watch of the status reports a lost server
    if (mine !== asked) return;
    known = found;
    byId("models").replaceChildren(...sections(status, changed));
  }
  const line = document.getElementById("models-progress"); // not there while the first answer is awaited
  if (line) line.textContent = indexing.model && isRunning(status) ? t("{progress}. Searches use {model} meanwhile.", { progress: progress(status), model: status.model ?? "" }) : "";
}

function sections(/** @type {Status} */ status, /** @type {() => void} */ changed) {
  const { indexing } = status;
  const message = make("p", { class: "reason", role: "alert", text: indexing.model && indexing.error ? `${indexing.model}: ${indexing.error}` : "" });
  const act = async (/** @type {() => Promise<unknown>} */ request) => {
    try {
      await request();
      changed();
    } catch (error) {
      message.textContent = /** @type {Error} */ (error).message;
    }
  };
  const changing = isRunning(status) && Boolean(indexing.model);
  const current = known.find((model) => model.current);
  const others = choices(current, known);
  return [
    make("h3", { text: t("Model") }),
    make("p", { text: t("Searches use {model}. A larger model finds more, and takes longer to index.", { model: status.model ?? "" }) }),
    make("p", { id: "models-progress", role: "status" }),
    message,
    changing ? make("button", { type: "button", class: "button", text: t("Stop"), click: () => act(stopIndexing) }) : null,
    make("details", { class: "models", open: !changing && others.some((model) => model.here && model.vectors) },
      make("summary", { text: isFastest(current) ? t("Better model available") : t("Other models") }),
      make("ul", {}, ...others.map((model) => row(model, isRunning(status), () => act(() => changeModel(model.name)))))),
  ].filter((node) => node !== null);
}

/** A slower model finds more; the models that ship are the fastest. One of unknown speed is the user's own. */
const rank = (/** @type {KnownModel} */ model) => SPEEDS.indexOf(model.speed);
const isFastest = (/** @type {KnownModel | undefined} */ model) => !model || rank(model) === 0;

/** Better models, and the way back: what ships, and what this gallery's photos were indexed with before. */
function choices(/** @type {KnownModel | undefined} */ current, /** @type {KnownModel[]} */ models) {
  const least = Math.max(1, current ? rank(current) : 0);
  const better = (/** @type {KnownModel} */ model) => rank(model) < 0 || rank(model) >= least;
  return models.filter((model) => !model.current && (better(model) || model.vectors || model.name === "default"));
}

function row(/** @type {KnownModel} */ model, /** @type {boolean} */ busy, /** @type {() => void} */ use) {
  const download = model.bytes === null ? t("Download and use") : t("Download {size} MB and use", { size: number(model.bytes / 1e6) });
  const facts = [model.languages && t("words: {languages}", { languages: model.languages }), model.speed, model.licence].filter(Boolean).join(" · ");
  return make("li", {},
    make("div", {}, make("b", { text: model.name }), ` ${model.about}`, make("p", { class: "muted", text: facts })),
    make("button", { type: "button", class: "button", disabled: busy, click: use, "aria-label": t("Use {name}", { name: model.name }),
      text: model.here ? t("Use") : download }));
}
