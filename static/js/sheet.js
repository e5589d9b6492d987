// A link that leads to a page with a form opens the same form in a sheet on this page.
addEventListener("click", (event) => {
  const link = event.target.closest("[data-sheet]");
  const sheet = link && document.getElementById(link.dataset.sheet);
  if (!sheet?.showModal || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const choice = [...sheet.querySelectorAll("input[type=radio]")].find((radio) => radio.value === link.dataset.choose);
  if (choice) choice.checked = true;
  sheet.showModal();
  choice?.focus();
});
addEventListener("click", (event) => { if (event.target.matches("dialog.sheet")) event.target.close(); });

// A popup of <details> closes by Escape and by a press elsewhere.
const popups = () => document.querySelectorAll("details.popup[open]");
addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  popups().forEach((popup) => { popup.open = false; popup.querySelector("summary").focus(); });
});
addEventListener("click", (event) => popups().forEach((popup) => { if (!popup.contains(event.target)) popup.open = false; }));
