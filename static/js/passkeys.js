// Passkeys: the browser makes one or signs with one, and the API is told. Buttons show up where that can work at all.
const coded = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
const isAddress = /^[\d.]+$|^\[/.test(location.hostname); // no passkey is bound to a bare address

async function post(address, body) {
  const token = document.querySelector("[name=csrfmiddlewaretoken]").value;
  const headers = { "Content-Type": "application/json", "X-CSRFToken": token };
  const answer = await fetch(address, { method: "POST", headers, body: body ? JSON.stringify(body) : undefined });
  const told = answer.status === 204 ? {} : await answer.json();
  if (!answer.ok) throw new Error(told.errors?.[0]?.message ?? told.detail);
  return told;
}

async function made(options) {
  const user = { ...options.user, id: bytes(options.user.id) };
  const excludeCredentials = (options.excludeCredentials ?? []).map((one) => ({ ...one, id: bytes(one.id) }));
  const publicKey = { ...options, challenge: bytes(options.challenge), user, excludeCredentials };
  const { response } = await navigator.credentials.create({ publicKey });
  return { client_data: coded(response.clientDataJSON), attestation: coded(response.attestationObject) };
}

async function signed(options) {
  const allowCredentials = (options.allowCredentials ?? []).map((one) => ({ ...one, id: bytes(one.id) }));
  const found = await navigator.credentials.get({ publicKey: { ...options, challenge: bytes(options.challenge), allowCredentials } });
  const { clientDataJSON, authenticatorData, signature } = found.response;
  return { credential_id: coded(found.rawId), client_data: coded(clientDataJSON), authenticator_data: coded(authenticatorData), signature: coded(signature) };
}

document.querySelectorAll("[data-passkey]").forEach((place) => {
  if (!window.PublicKeyCredential || isAddress) return;
  const button = place.querySelector("[data-passkey-go]");
  const status = place.querySelector("[data-passkey-status]");
  const name = place.querySelector("[name=passkey_name]");
  place.hidden = false;
  button.addEventListener("click", async () => {
    status.hidden = true;
    button.disabled = true;
    try {
      const { options } = await post(`${place.dataset.passkey}/begin`);
      const proof = name ? { name: name.value, ...(await made(options)) } : await signed(options);
      await post(place.dataset.passkey, proof);
      location.assign(place.dataset.next);
    } catch (error) {
      const isOfBrowser = error instanceof DOMException; // put off, or there is no passkey here
      status.textContent = isOfBrowser ? status.dataset.refused : error.message;
      status.hidden = false;
      button.disabled = false;
    }
  });
});
