// Requests to the server: JSON, streams of events, and errors in the server's words.

const KEY_ITEM = "api-key"; // in the session storage of the tab

/** An error of the server by its HTTP status. Status 0: the server could not be reached, or broke off. */
export class ServerError extends Error {
  constructor(status, message = "", code = "") {
    super(message);
    Object.assign(this, { status, code });
  }
}

export const useKey = (key) => sessionStorage.setItem(KEY_ITEM, key);

/** The response to a request. Throws `ServerError`. */
export async function ask(path, options = {}) {
  const key = sessionStorage.getItem(KEY_ITEM);
  const headers = { ...(key && { Authorization: `Bearer ${key}` }), ...options.headers };
  let response;
  try {
    response = await fetch(path, { ...options, headers, cache: "no-store" });
  } catch (error) {
    throw error.name === "AbortError" ? error : new ServerError(0);
  }
  if (response.ok) return response;
  const body = await response.json().catch(() => ({}));
  throw serverError(response.status, body.error ?? {}, response.statusText);
}

export const post = (path, body, signal) =>
  ask(path, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" }, signal });

/** The events of a stream, parsed. Throws `ServerError` for an event with an error, and for a stream without its end. */
export async function* stream(path, body, signal) {
  const response = await post(path, body, signal);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let incomplete = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) throw new ServerError(0, "", "brokenOff");
      const events = (incomplete + value).split(/\r?\n\r?\n/);
      incomplete = events.pop();
      for (const event of events) {
        const data = event.replace(/^data: ?/, "");
        if (data === "[DONE]") return;
        const parsed = JSON.parse(data);
        if (parsed.error) throw serverError(response.status, parsed.error);
        yield parsed;
      }
    }
  } catch (error) {
    throw error instanceof TypeError ? new ServerError(0, "", "brokenOff") : error;
  } finally {
    reader.cancel().catch(() => {});
  }
}

const serverError = (status, error, fallback = "") =>
  new ServerError(status, error.message ?? fallback, error.code ?? "");
