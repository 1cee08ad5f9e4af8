// What is asked for: the form as a request, and what the form shows.

import { parse, text } from "./regions.js";
import { element } from "./takes.js";

const ABOUT = {
  infill: "Notes in the region are written anew; all else stays.",
  vary: "A share of what the notes are changes; as many notes stay. Without a region: the whole piece.",
  continue: "More bars behind the last one.",
};
const by = (id) => document.getElementById(id);

export class Form {
  /** `changed()` is called whenever something else is asked for, `painted(boxes)` when the text says other boxes. */
  constructor({ changed, painted }) {
    this.changed = changed;
    this.fresh(); // the seed of the next draw, where none is named: known before it is asked for
    by("ask").addEventListener("input", (event) => {
      if (event.target.id === "region") painted(this.boxes());
      this.refresh();
      changed();
    });
    by("clear").addEventListener("click", () => painted([]) || this.show([]));
    this.refresh();
  }

  fresh() {
    this.next = someSeed();
  }

  get command() {
    return document.querySelector("input[name=command]:checked").value;
  }

  boxes() {
    return by("region").value.split("\n").map((line) => line.trim()).filter(Boolean).map(parse);
  }

  /** Write boxes down, one a line. */
  show(boxes) {
    by("region").value = boxes.map(text).join("\n");
    by("region").rows = Math.min(6, Math.max(2, boxes.length));
    this.refresh();
    this.changed();
  }

  refresh() {
    const { command } = this;
    by("about").textContent = ABOUT[command];
    by("where").hidden = command === "continue";
    by("strength-row").hidden = command !== "vary";
    by("bars-row").hidden = command !== "continue";
    by("share").textContent = `${by("strength").value} %`;
  }

  /** Which commands a model's process draws. */
  allow(process) {
    const vary = document.querySelector("input[name=command][value=vary]");
    vary.disabled = Boolean(process) && process !== "masked";
    vary.parentElement.title = vary.disabled ? "Only a masked model varies" : "";
  }

  /** The request, with a seed of its own where none is named. */
  request(piece) {
    const { command } = this;
    const named = by("seed").value;
    const drawn = named ? Math.max(0, Math.round(Number(named))) : this.next;
    const asked = { piece, command, candidates: number("candidates", 1), seed: drawn, ...more(by("ask")) };
    if (command === "continue") return { ...asked, bars: number("bars", 8) };
    const region = this.boxes().map(text);
    const locks = [...document.querySelectorAll("#locks input:checked")].map((each) => each.value);
    const found = { ...asked, region, except: by("except").checked && region.length > 0, locks };
    return command === "vary" ? { ...found, strength: Number(by("strength").value) / 100 } : found;
  }
}

/** The request of music from nothing. */
export function fromNothing() {
  const asked = { command: "sample", bars: number("nothing-bars", 8), candidates: number("nothing-takes", 1) };
  return { ...asked, ...more(by("nothing")), seed: someSeed() };
}

/** What a form asks for under "Labels and steps": labels, how closely they are followed, and steps. */
function more(form) {
  const want = {};
  for (const select of form.querySelectorAll(".labels select")) if (select.value) want[select.name] = select.value;
  const given = (name) => form.querySelector(`.${name}`).value;
  return {
    want,
    ...(given("guidance") && Object.keys(want).length ? { guidance: Math.max(0, Number(given("guidance"))) } : {}),
    ...(given("steps") ? { steps: Math.max(1, Math.round(Number(given("steps")))) } : {}),
  };
}

/** In each form a select for each label that the model knows. */
export function showLabels(labels) {
  const known = Object.entries(labels || {});
  for (const place of document.querySelectorAll(".labels")) place.replaceChildren(...known.map(choice));
  for (const each of document.querySelectorAll(".closely")) each.hidden = !known.length;
}

function choice([name, values]) {
  const label = element("label", { textContent: `${name[0].toUpperCase()}${name.slice(1).replaceAll("_", " ")} ` });
  const select = element("select", { name });
  select.append(element("option", { value: "", textContent: "any" }));
  select.append(...values.map((value) => element("option", { value, textContent: value })));
  label.append(select);
  return label;
}

function number(id, least) {
  const input = by(id);
  const value = Math.round(Number(input.value)) || least;
  return Math.min(Number(input.max) || value, Math.max(least === 8 ? 1 : least, value));
}

const someSeed = () => Math.floor(Math.random() * 10000);
