// The Pyodide worker: a CPython that was compiled to WebAssembly, as a subject of Provost. `npm ci` here brings
// versions that no Linux distribution has yet, on a 32-bit platform that no runner has any more.
//
//     node worker.mjs pyodide-3.14
//
// Inside runs the script worker, unchanged: this file only gives it the two ends of the pipe as its fds 0 and 1, and
// turns a WebAssembly trap into exit status 70. PROVOST_PYODIDE_MODULES names another node_modules folder than the one
// beside it.

import { Console } from "node:console";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const TRAPPED = 70;
const here = path.dirname(fileURLToPath(import.meta.url));

// Pyodide reports its fatal errors through the console, and the stream on fd 1 is not for people.
globalThis.console = new Console(process.stderr, process.stderr);

/** Calls `transfer` again for as long as a non-blocking pipe is not ready. */
function patiently(transfer) {
  const nobody = new Int32Array(new SharedArrayBuffer(4));
  for (;;) {
    try {
      return transfer();
    } catch (error) {
      if (error.code === "EOF") return 0;
      if (error.code !== "EAGAIN") throw error;
      Atomics.wait(nobody, 0, 0, 1); // milliseconds; nobody ever wakes us earlier
    }
  }
}

function die(status, text) {
  patiently(() => fs.writeSync(2, `provost pyodide worker: ${text}\n`));
  process.exit(status);
}

// WebAssembly lets a program write through a null pointer, and the damaged interpreter goes on. Nothing lives in the
// first KiB of its memory, so that a byte there tells of such a write: the SIGSEGV of other platforms.
const NOTHING = Buffer.alloc(1024);

function answer(buffer) {
  if (!NOTHING.equals(pyodide._module.HEAPU8.subarray(0, NOTHING.length))) {
    die(TRAPPED, "the interpreter wrote through a null pointer");
  }
  return patiently(() => fs.writeSync(1, buffer));
}

const alias = process.argv[2];
const modules = path.resolve(process.env.PROVOST_PYODIDE_MODULES || path.join(here, "node_modules"));
const home = path.join(modules, alias || "");
if (!alias || !fs.existsSync(path.join(home, "pyodide.mjs"))) {
  die(2, `no Pyodide in ${home}; run \`npm ci\` in ${here}, then \`node worker.mjs pyodide-3.14\``);
}

const { loadPyodide } = await import(pathToFileURL(path.join(home, "pyodide.mjs")));
const pyodide = await loadPyodide({ indexURL: home, env: { HOME: "/", PYTHONHASHSEED: "0" } });
const { PythonError } = pyodide.ffi; // cannot be had any more when Pyodide has failed
pyodide.setStdin({ isatty: false, read: (buffer) => patiently(() => fs.readSync(0, buffer)) });
pyodide.setStdout({ isatty: false, write: answer });
pyodide.setStderr({ isatty: false, write: (buffer) => patiently(() => fs.writeSync(2, buffer)) });

// What the script imports from the folder that it is in.
pyodide.FS.mkdir("/provost");
const beside = path.join(here, "..", "script", "disassembly.py");
pyodide.FS.writeFile("/provost/disassembly.py", fs.readFileSync(beside, "utf8"));
pyodide.runPython("import sys; sys.path.append('/provost')");

const script = path.join(here, "..", "script", "worker.py");
const globals = pyodide.toPy({ __name__: "worker" });
try {
  pyodide.runPython(fs.readFileSync(script, "utf8"), { globals, filename: script });
  globals.get("main")("pyodide", path.join(home, "python_stdlib.zip"));
} catch (error) {
  // A Python exception left the worker itself; anything else is WebAssembly's way of dying: a trap or a full stack.
  die(error instanceof PythonError ? 1 : TRAPPED, error.stack || String(error));
}
process.exit(0);
