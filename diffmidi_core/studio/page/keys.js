// Keys that work anywhere but where somebody types.

export function listen(does) {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (document.querySelector("dialog[open]")) return;
    const { target, key } = event;
    const typing = target.matches("textarea, select, input:not([type=radio], [type=checkbox], [type=range])");
    if (key === "Escape") {
      if (typing) target.blur();
      else does.escape();
      return;
    }
    if (typing) return;
    if (key === " " && target.matches("button, a, summary, [type=checkbox]")) return; // theirs
    const call = /^[1-9]$/.test(key) ? () => does.take(Number(key)) : does[key];
    if (!call) return void (target === document.body && does.other(event));
    event.preventDefault();
    call();
  });
}
