"""Prints what a Python executable is, for any Python from 2.7; run with -c."""
import json
import os
import struct
import sys
import sysconfig

base = getattr(sys, "base_prefix", getattr(sys, "real_prefix", sys.prefix))
executable = getattr(sys, "_base_executable", None) or sys.executable
original = os.path.join(base, "bin", "python%d.%d" % sys.version_info[:2])
if base != sys.prefix and executable == sys.executable and os.path.exists(original):
    executable = original  # the virtual environment may hold a copy

implementation = getattr(sys, "implementation", None)
if implementation is None:
    import platform
    implementation = platform.python_implementation()
else:
    implementation = implementation.name

var = sysconfig.get_config_var
# Where it is comes before where it was meant to be: a prefix may have been moved, and another one left in its place.
folders = [os.path.join(base, "lib"), os.path.join(base, "lib64"), os.path.join(base, "lib", var("MULTIARCH") or "")]
folders += [var("LIBDIR"), var("LIBPL")]
names = [var("INSTSONAME"), var("LDLIBRARY")]
libraries = [
    os.path.join(folder, name)
    for folder in folders if folder
    for name in names if name and (".so" in name or name.endswith(".dylib"))
]
sys.stdout.write("\nPROBED " + json.dumps({
    "executable": os.path.realpath(executable),
    "prefix": base,
    "implementation": implementation.lower(),
    "version": sys.version_info[:3],
    "build": sys.version,
    "pointer_bits": struct.calcsize("P") * 8,
    "free_threaded": bool(var("Py_GIL_DISABLED")),
    "library": next((os.path.realpath(path) for path in libraries if os.path.isfile(path)), None),
    "stdlib": sysconfig.get_path("stdlib"),
}) + "\n")
