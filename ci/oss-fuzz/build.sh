#!/bin/bash -eu
# Builds the fuzz targets as OSS-Fuzz and ClusterFuzzLite want them: into $OUT, with options, dictionary and seeds beside each.
# They set SRC and OUT (and FUZZING_LANGUAGE, SANITIZER, ...); the compiler is their nightly. `ci/oss-fuzz/check` runs this without
# them. The target that needs interpreters is left out: their machines have none that it could be compared with.
cd "$SRC/provost"
# Nothing in these programs is C or C++ but libFuzzer's runtime, so a sanitizer is asked of cargo-fuzz alone: the address sanitizer
# unless it is told otherwise. (For coverage their `cargo` is a wrapper that sees to it.)
options=(-O --debug-assertions)
[ "${SANITIZER:-address}" != none ] || options+=(--sanitizer none)
cargo fuzz build "${options[@]}"
release=${CARGO_TARGET_DIR:-target}/$(rustc -vV | sed -n 's/^host: //p')/release
for target in $(cargo fuzz list); do
  [ "$target" != marshal_differential ] || continue
  cp "$release/$target" "$OUT/"
  cp "fuzz/$target.options" "$OUT/"
  # A tape of a generator is no stream, so that target begins with nothing.
  if grep -q '^dict = ' "fuzz/$target.options"; then
    cp fuzz/marshal.dict "$OUT/"
    (cd corpus && zip -q -r - seeds regressions coverage -i '*.marshal' '*.pyc') >"$OUT/${target}_seed_corpus.zip"
  fi
done
