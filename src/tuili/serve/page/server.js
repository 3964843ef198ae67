// Talking with the server: JSON, a stream of events, and its errors as it words them.

const KEY = "api-key";

/** What the server refused, or that it could not be reached (status 0). */
export class ServerError extends Error {
  constructor(status, message = "", code = "") {
    super(message);
    Object.assign(this, { status, code });
  }
}

export const useKey = (key) => sessionStorage.setItem(KEY, key);

/** The answer to a request. Raises `ServerError`. */
export async function ask(path, options = {}) {
  const key = sessionStorage.getItem(KEY);
  const headers = { ...(key && { Authorization: `Bearer ${key}` }), ...options.headers };
  let response;
  try {
    response = await fetch(path, { ...options, headers, cache: "no-store" });
  } catch (error) {
    throw error.name === "AbortError" ? error : new ServerError(0);
  }
  if (response.ok) return response;
  const body = await response.json().catch(() => ({}));
  throw told(response.status, body.error ?? {}, response.statusText);
}

export const post = (path, body, signal) =>
  ask(path, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" }, signal });

/** The events of a stream, parsed. Raises `ServerError` for one that tells an error, or a stream without its end. */
export async function* stream(path, body, signal) {
  const response = await post(path, body, signal);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) throw new ServerError(0, "", "brokenOff");
      const events = (held + value).split(/\r?\n\r?\n/);
      held = events.pop();
      for (const event of events) {
        const data = event.replace(/^data: ?/, "");
        if (data === "[DONE]") return;
        const parsed = JSON.parse(data);
        if (parsed.error) throw told(response.status, parsed.error);
        yield parsed;
      }
    }
  } catch (error) {
    throw error instanceof TypeError ? new ServerError(0, "", "brokenOff") : error;
  } finally {
    reader.cancel().catch(() => {});
  }
}

const told = (status, error, otherwise = "") => new ServerError(status, error.message ?? otherwise, error.code ?? "");
