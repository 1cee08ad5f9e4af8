// What the page says: sentences for eyes and for ears, how far the work is, and the command that would do the same.

const by = (id) => document.getElementById(id);

/** For those who hear the page. */
export function say(sentence) {
  by("status").textContent = sentence;
}

export function complain(error) {
  by("message").textContent = error ? error.message || String(error) : "";
  by("message").hidden = !error;
  if (error) by("message").scrollIntoView({ block: "nearest" });
}

/** Run what may fail, and say so. */
export const safely = (work) => async (...given) => {
  try {
    complain(null);
    return await work(...given);
  } catch (error) {
    complain(error);
  }
};

/** Show or hide how far the work is; `share` is null where nobody knows. */
export function working(on, sentence = "", share = null) {
  for (const box of document.querySelectorAll(".working")) {
    box.hidden = !on;
    box.querySelector(".told").textContent = sentence;
    const bar = box.querySelector("progress");
    if (share === null) bar.removeAttribute("value");
    else bar.value = share;
    bar.setAttribute("aria-label", "Progress");
  }
  by("generate").hidden = on;
  by("write").disabled = on;
}

export function terminal(line) {
  by("command").hidden = !line;
  by("command").querySelector("code").textContent = line || "";
}

export const bytes = (count) => (count < 1e6 ? `${Math.ceil(count / 1e3)} kB` : `${(count / 1e6).toFixed(1)} MB`);
