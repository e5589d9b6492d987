// The code from the SMS: pasted with anything around it, filled by the browser, sent at the last digit. And the count-down.
document.querySelectorAll("[data-code]").forEach((input) => {
  const length = Number(input.dataset.code);
  input.addEventListener("input", () => {
    input.value = input.value.replace(/\D/g, "").slice(0, length);
    if (input.value.length === length) input.form.requestSubmit();
  });
  if ("OTPCredential" in window) {
    const stop = new AbortController();
    input.form.addEventListener("submit", () => stop.abort());
    navigator.credentials.get({ otp: { transport: ["sms"] }, signal: stop.signal }).then((found) => {
      input.value = found.code;
      input.dispatchEvent(new Event("input", { bubbles: true }));
    }).catch(() => {});
  }
});

document.querySelectorAll("[data-countdown]").forEach((button) => {
  const until = Date.now() + Number(button.dataset.countdown) * 1000;
  const left = button.querySelector("[data-left]");
  const tick = () => {
    const seconds = Math.ceil((until - Date.now()) / 1000);
    button.disabled = seconds > 0;
    left.hidden = seconds <= 0;
    left.lastChild.textContent = ` ${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    if (seconds > 0) setTimeout(tick, 1000);
  };
  tick();
});
