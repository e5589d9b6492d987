// Money gets its spaces and a phone its groups while it is typed; the caret stays behind the same digit.
const groupMoney = (text) => {
  if (/[^\d\s.,₽]/.test(text)) return text; // words stay for the server to answer
  const [whole, ...rest] = text.replace(/[^\d.,]/g, "").split(/[.,]/);
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, "\u202f");
  return rest.length ? `${grouped},${rest.join("").slice(0, 2)}` : grouped;
};

const groupPhone = (text) => {
  const digits = text.replace(/\D/g, "");
  const foreign = text.trim().startsWith("+") ? !/^7?$|^7[^67]/.test(digits) : false;
  if (foreign || digits.length > 11) return text;
  const own = /^[78]/.test(digits) ? digits.slice(1) : digits;
  const opening = text.trim().startsWith("+") ? "+7" : digits[0] === "8" ? "8" : digits[0] === "7" ? "+7" : digits ? "+7" : "";
  const parts = [own.slice(0, 3), own.slice(3, 6)].filter(Boolean).join(" ");
  const tail = [own.slice(6, 8), own.slice(8, 10)].filter(Boolean).map((pair) => `-${pair}`).join("");
  return own ? `${opening} ${parts}${tail}` : text;
};

const regroup = (input) => {
  const group = input.matches("[data-money]") ? groupMoney : input.matches("[data-phone]") ? groupPhone : null;
  const text = group ? group(input.value) : input.value;
  if (text === input.value) return;
  const behind = input.value.slice(input.selectionStart).replace(/[^\d,]/g, "").length;
  input.value = text;
  if (document.activeElement !== input) return;
  let caret = text.length;
  for (let left = behind; left > 0 && caret > 0; caret -= 1) if (/[\d,]/.test(text[caret - 1])) left -= 1;
  input.setSelectionRange(caret, caret);
};

addEventListener("input", (event) => { if (!event.inputType?.startsWith("delete")) regroup(event.target); });
addEventListener("change", (event) => regroup(event.target));
