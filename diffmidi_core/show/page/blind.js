"use strict";
// A listening test: ratings are kept in the browser as they are given, and saved as a CSV file.
(() => {
  const list = document.getElementById("test"), listener = document.getElementById("listener");
  if (!list) return;
  const pieces = [...list.querySelectorAll(".piece")], place = `diffmidi listening test ${list.dataset.test}`;
  const rating = piece => piece.querySelector("input:checked")?.value ?? "";
  const comment = piece => piece.querySelector(".comment");
  const read = () => { try { return JSON.parse(localStorage.getItem(place)) ?? {}; } catch { return {}; } };
  const show = () => {
    const rated = pieces.filter(rating).length;
    document.getElementById("progress").textContent = `${rated} of ${pieces.length} rated`;
  };
  const keep = () => {
    const given = pieces.map(piece => [piece.dataset.piece, [rating(piece), comment(piece).value]]);
    try { localStorage.setItem(place, JSON.stringify({ listener: listener.value, given: Object.fromEntries(given) })); }
    catch { /* a browser that keeps nothing still saves the file */ }
    show();
  };
  const before = read();
  listener.value = before.listener ?? "";
  for (const piece of pieces) {
    const [rate, words] = before.given?.[piece.dataset.piece] ?? ["", ""];
    comment(piece).value = words;
    for (const radio of piece.querySelectorAll("input[type=radio]")) radio.checked = radio.value === rate;
  }
  document.addEventListener("input", keep);
  show();

  let now = 0;
  const go = (number, play) => {
    now = Math.min(Math.max(number, 0), pieces.length - 1);
    pieces.forEach((piece, at) => piece.classList.toggle("now", at === now));
    if (!play) return;
    pieces[now].scrollIntoView({ block: "nearest" });
    pieces[now].querySelector("audio").play();
  };
  pieces.forEach((piece, at) => {
    piece.addEventListener("focusin", () => go(at));
    piece.querySelector("audio").addEventListener("play", () => go(at));
  });
  document.addEventListener("keydown", event => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target.matches(".field")) return;
    const audio = pieces[now].querySelector("audio");
    if (event.key >= "1" && event.key <= "5" && event.key.length === 1) {
      pieces[now].querySelector(`input[value="${event.key}"]`).checked = true;
      keep();
    } else if (event.key === "p") audio.paused ? go(now, true) : audio.pause();
    else if (event.key === "n") go(now + 1, true);
    else if (event.key === "b") go(now - 1, true);
    else return;
    event.preventDefault();
  });

  // An apostrophe before what a spreadsheet would take for a formula.
  const cell = text => `"${(/^[=+\-@\t ]/.test(text) ? "'" + text : text).replace(/\s+/g, " ").replaceAll('"', '""')}"`;
  document.getElementById("save").addEventListener("click", () => {
    const lines = pieces.filter(rating).map(piece =>
      [list.dataset.test, listener.value, piece.dataset.piece, rating(piece), comment(piece).value].map(cell).join(","));
    const link = document.createElement("a");
    const csv = ["test,listener,piece,rating,comment", ...lines].join("\r\n") + "\r\n";
    link.href = URL.createObjectURL(new Blob([csv], { type: "text/csv" }));
    link.download = "ratings.csv";
    link.click();
  });
})();
