// Files come by being dropped anywhere, or from the browser's dialog.

export function listen(open, { dropping, input, buttons }) {
  let depth = 0; // elements that are dragged over
  const over = (change) => {
    depth = Math.max(0, depth + change);
    dropping.hidden = depth === 0;
  };
  addEventListener("dragenter", (event) => {
    event.preventDefault();
    over(1);
  });
  addEventListener("dragleave", () => over(-1));
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    over(-depth);
    open(event.dataTransfer.files[0]);
  });
  input.addEventListener("change", () => {
    open(input.files[0]);
    input.value = "";
  });
  for (const button of buttons) button.addEventListener("click", () => input.click());
}
