"use strict";
// A line on the piano roll where the sound is, a click on the roll to hear it from there, and one sound at a time; a choice of parts.
(() => {
  const all = [...document.querySelectorAll("audio")];
  for (const audio of all) {
    audio.addEventListener("play", () => all.forEach(other => other === audio || other.pause()));
    const roll = audio.closest(".card")?.querySelector("svg[data-seconds]");
    const head = roll?.querySelector(".playhead");
    if (!head) continue;
    const [seconds, left, width] = ["seconds", "left", "width"].map(name => Number(roll.dataset[name]));
    const show = () => {
      head.setAttribute("transform", `translate(${left + (width - left) * audio.currentTime / seconds} 0)`);
      head.style.visibility = audio.currentTime > 0 && !audio.ended ? "visible" : "hidden";
      if (!audio.paused && !audio.ended) requestAnimationFrame(show);
    };
    for (const name of ["play", "pause", "seeked", "timeupdate", "ended"]) audio.addEventListener(name, show);
    roll.addEventListener("click", event => {
      const box = roll.getBoundingClientRect();
      const at = ((event.clientX - box.left) / box.width * width - left) / (width - left) * seconds;
      audio.currentTime = Math.min(Math.max(at, 0), audio.duration || seconds);
      audio.play();
    });
  }
  // Of some parts of the page the one that is chosen; without this script all of them stand there.
  for (const select of document.querySelectorAll("select[data-shows]")) {
    const parts = [...document.querySelectorAll(`.${select.dataset.shows}`)];
    const choose = () => parts.forEach((part, number) => {
      part.hidden = number !== select.selectedIndex;
      if (part.hidden) part.querySelectorAll("audio").forEach(audio => audio.pause());
    });
    select.addEventListener("change", choose);
    select.parentElement.hidden = false;
    choose();
  }
})();
