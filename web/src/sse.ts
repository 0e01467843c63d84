// Server-sent events read from a fetch body. A frame may be cut anywhere: inside a character, a line end or a field.

export interface Frame {
  id: string;
  event: string;
  data: string;
}

/** Returns a function that takes the next bytes and gives the frames they completed. */
export function frameReader(): (bytes: Uint8Array) => Frame[] {
  const decoder = new TextDecoder();
  let rest = "";
  let id = "";
  let event = "";
  let data: string[] = [];

  function take(line: string): Frame | undefined {
    if (line === "") {
      const frame = data.length > 0 ? { id, event: event || "message", data: data.join("\n") } : undefined;
      event = "";
      data = [];
      return frame;
    }
    const colon = line.indexOf(":");
    if (colon === 0) return undefined; // a comment, such as a keep-alive
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") data.push(value);
    else if (field === "event") event = value;
    else if (field === "id") id = value;
    return undefined;
  }

  return (bytes) => {
    rest += decoder.decode(bytes, { stream: true });
    // A carriage return at the very end may be the first half of a line end, so it waits for the next bytes.
    const usable = rest.endsWith("\r") ? rest.length - 1 : rest.length;
    const lines = rest.slice(0, usable).split(/\r\n|\n|\r/);
    rest = (lines.pop() ?? "") + rest.slice(usable);
    return lines.map(take).filter((frame) => frame !== undefined);
  };
}

/** The frames of a body, until it ends. An unfinished last frame is dropped, as the standard asks. */
export async function* frames(body: ReadableStream<Uint8Array>): AsyncGenerator<Frame> {
  const read = frameReader();
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield* read(value);
    }
  } finally {
    // Leaving early must close the connection, so that the server stops the model.
    await reader.cancel().catch(() => undefined);
  }
}
