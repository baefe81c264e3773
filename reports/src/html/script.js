"use strict";
// Niceties only: the report is complete without them.
for (const box of document.querySelectorAll(".snippet")) {
  const button = Object.assign(document.createElement("button"), { type: "button", textContent: "Copy" });
  const code = box.querySelector("code");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code);
      button.textContent = "Selected";
    }
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });
  box.append(button);
}

for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  const value = (row, column) => row.cells[column]?.dataset.v ?? row.cells[column]?.textContent ?? "";
  heads.forEach((head, column) => {
    const button = Object.assign(document.createElement("button"), { type: "button" });
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const numbers = head.classList.contains("n");
      const down = head.ariaSort === "descending" || (head.ariaSort !== "ascending" && !numbers);
      for (const other of heads) other.ariaSort = null;
      head.ariaSort = down ? "ascending" : "descending";
      const order = (a, b) => {
        const [x, y] = [value(a, column), value(b, column)];
        return numbers ? Number(x || -2) - Number(y || -2) : x.localeCompare(y, "en", { numeric: true });
      };
      const rows = [...table.tBodies[0].rows].sort((a, b) => (down ? order(a, b) : order(b, a)));
      table.tBodies[0].append(...rows);
    });
  });
}

addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((d) => (d.open = true)));
