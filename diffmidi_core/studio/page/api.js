// The server's address space, and nothing but it.

const token = document.querySelector("meta[name=token]").content;

/** The answer as JSON. Throws an Error with the server's sentence. */
export async function ask(method, path, body) {
  const headers = {};
  if (method !== "GET") headers["X-Diffmidi-Token"] = token;
  if (body !== undefined && !(body instanceof FormData)) {
    headers["Content-Type"] = "application/json";
    body = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(path, { method, headers, body });
  } catch {
    throw new Error("The studio does not answer: start it again in the terminal, then reload this page.");
  }
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(told.error || `The studio answered ${answer.status} to ${method} ${path}.`);
  return told;
}

export const get = (path) => ask("GET", path);
export const post = (path, body = {}) => ask("POST", path, body);

export function upload(file) {
  const form = new FormData();
  form.append("file", file);
  return post("/api/pieces", form);
}

/** Hear of a draw until it has ended: `heard(kind, told)`. Returns what ends the listening. */
export function follow(draw, heard) {
  const source = new EventSource(`/api/draws/${draw}/events`);
  const close = () => source.close();
  for (const kind of ["progress", "take", "warned", "done", "failed", "cancelled"]) {
    source.addEventListener(kind, (event) => {
      if (["done", "failed", "cancelled"].includes(kind)) close();
      heard(kind, JSON.parse(event.data || "{}"));
    });
  }
  return close;
}
