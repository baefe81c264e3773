// Runs a .pyc file with Pyodide and prints what it prints, as `python FILE.pyc` does: node run.mjs pyodide-3.14 FILE.pyc
// Only for files of our own making: the code is executed.

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import path from "node:path";

const [alias, file] = process.argv.slice(2);
if (!file) {
  console.error("usage: node run.mjs ALIAS FILE.pyc");
  process.exit(2);
}
const modules = process.env.PROVOST_PYODIDE_MODULES ?? path.join(import.meta.dirname, "node_modules");
const { loadPyodide } = await import(pathToFileURL(path.join(modules, alias, "pyodide.mjs")).href);
const python = await loadPyodide();
python.FS.writeFile("/tmp/file.pyc", readFileSync(file));
python.runPython("import runpy; runpy.run_path('/tmp/file.pyc')");
