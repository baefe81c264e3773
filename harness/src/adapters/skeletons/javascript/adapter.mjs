#!/usr/bin/env node
// An adapter for Provost. interpreters/EXEC.md says what comes in and what goes out.
//
// Put your reader in place of `read`, which knows None, bools, ints, strings, tuples and lists.
import { createInterface } from "node:readline";

const DECLARATION = {
  exec: 1, name: "mine", version: "0.1", pythons: ["3.11"], owes: ["accept", "refuse", "consumed", "value"],
};

/** What the reader does not claim to know. */
class Unsupported extends Error {}

/** The value at this offset, as EXEC.md writes it, and where it ends. */
function read(data, at) {
  if (at >= data.length) throw new Error("there is no object");
  const code = String.fromCharCode(data[at]);
  if (code === "N") return [null, at + 1];
  if (code === "T" || code === "F") return [code === "T", at + 1];
  if (!"iu([".includes(code)) throw new Unsupported(`the type byte ${data[at]}`);
  const number = data.readInt32LE(at + 1);
  at += 5;
  if (code === "i") return [{ int: String(number) }, at];
  if (number < 0) throw new Error("the size is negative");
  if (code === "u") {
    if (at + number > data.length) throw new Error("the string is cut");
    return [new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data.subarray(at, at + number)), at + number];
  }
  const items = [];
  for (let index = 0; index < number; index++) {
    let item;
    [item, at] = read(data, at);
    items.push(item);
  }
  return [code === "(" ? { tuple: items } : { list: items }, at];
}

function answer({ id, op, data }) {
  if (op === "hello") return DECLARATION;
  try {
    const [value, consumed] = read(Buffer.from(data, "hex"), 0);
    return { id, value, consumed };
  } catch (e) {
    return e instanceof Unsupported ? { id, unsupported: e.message } : { id, error: e.message, class: e.name };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(JSON.stringify(answer(JSON.parse(line))) + "\n");
}
