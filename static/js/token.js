// A key that is shown once: copied with one press, and gone from the page as soon as the person leaves it.
const token = document.getElementById("token");
document.querySelectorAll("[data-copy]").forEach((button) => {
  const status = button.parentElement.querySelector("[data-copy-status]");
  button.hidden = false;
  button.addEventListener("click", async () => {
    getSelection().selectAllChildren(token);
    try {
      await navigator.clipboard.writeText(token.textContent);
    } catch {
      return; // it is selected: the person copies it by hand
    }
    status.textContent = button.dataset.copied;
  });
});
addEventListener("pagehide", () => token.remove());
