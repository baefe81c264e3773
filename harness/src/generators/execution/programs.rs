//! Programs that are worth executing: each uses one or two features of the language, and calls what it defines.
//!
//! They end by themselves, need no module, and do nothing but compute. One table says which feature exists in which version.
//! In a text, `$n` is a small number, `$c` a constant, `$x` an expression of `a` and `b`, `$o` a binary operator, `$q` a
//! comparison.

use crate::generators::luck::Luck;
use arbitrary::Unstructured;

/// A feature: its first and its last version, and a text.
struct Feature(u8, u8, &'static str);

/// No last version.
const NOW: u8 = u8::MAX;
/// 2.7, as a minor version of 3.
const OLD: u8 = 0;

const OPERATORS: &[&str] = &["+", "-", "*", "//", "%", "&", "|", "^", "<<", ">>", "/"];
const COMPARISONS: &[&str] = &["<", "<=", "==", "!=", ">", ">=", "in", "not in", "is", "is not"];
const CONSTANTS: &[&str] = &[
    "None",
    "0",
    "1",
    "2.5",
    "'s'",
    "b't'",
    "(1, 2)",
    "1j",
    "True",
    "'long text'",
    "-7",
    "[]",
    "{}",
    "(1, 'k')",
    "1 << 40",
];

/// How many features a program has at most.
const MOST: u32 = 2;

pub(super) fn generate(u: &mut Unstructured<'_>, version: (u8, u8)) -> String {
    let minor = if version.0 == 2 { OLD } else { version.1 };
    let fitting: Vec<&Feature> =
        FEATURES.iter().filter(|Feature(first, last, _)| (*first..=*last).contains(&minor)).collect();
    let mut out = String::new();
    for _ in 0..1 + u.below(MOST) {
        let Feature(.., text) = fitting[u.index(fitting.len())];
        fill(u, text, &mut out);
    }
    out
}

/// Writes a text with something in the place of each `$`.
fn fill(u: &mut Unstructured<'_>, text: &str, out: &mut String) {
    let mut parts = text.split('$');
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let (kind, rest) = part.split_at(part.len().min(1));
        match kind {
            "n" => out.push_str(&u.below(5).to_string()),
            "c" => out.push_str(u.pick(CONSTANTS)),
            "o" => out.push_str(u.pick(OPERATORS)),
            "q" => out.push_str(u.pick(COMPARISONS)),
            _ => expression(u, out, 0),
        }
        out.push_str(rest);
    }
}

fn expression(u: &mut Unstructured<'_>, out: &mut String, depth: u32) {
    let form = if depth > 2 {
        u.pick(&["a", "b", "$c"])
    } else {
        u.pick(&[
            "a",
            "b",
            "$n",
            "$c",
            "($x $o $x)",
            "($x $q $x)",
            "-$x",
            "(not $x)",
            "($x if $x else $x)",
            "($x and $x)",
            "($x or $x)",
            "[$x, $x]",
            "($x, $x)",
            "{$x: $x}",
            "len([$x])",
            "str($x)",
            "'%s' % ($x,)",
            "(a, b, $n)[$n]",
            "[a, b][$n:]",
            "{a, $n}",
            "(lambda a=$x: a)()",
            "[a for a in ($x, b)]",
            "sum(i for i in range($n))",
            "repr($x)",
            "max(a, $n, b, key=id)",
        ])
    };
    let mut parts = form.split('$');
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let (kind, rest) = part.split_at(part.len().min(1));
        match kind {
            "x" => expression(u, out, depth + 1),
            other => fill(u, &format!("${other}"), out),
        }
        out.push_str(rest);
    }
}

#[rustfmt::skip]
const FEATURES: &[Feature] = &[
    Feature(OLD, NOW, "def f(a, b=$n):
 c = $x
 a = $x
 return (a, b, c, -a, not b, ~$n)
try: f($n)
except Exception: pass
"),
    Feature(OLD, NOW, "def f(a, b):
 for i in range($n):
  if i $q b: break
  if i == $n: continue
  a = [a, $x]
 else: b = $x
 while a:
  a = None
  if b $q $n: return a
 return b
for a in ($n, $c):
 try: f(a, $n)
 except Exception: pass
"),
    Feature(OLD, NOW, "def f(a, b):
 c = [a for a in range($n) if a $q $n]
 d = {a: b for a, b in [(1, $c), (2, $x)]}
 e = {(a, b) for a in c for b in (1, $n)}
 return list(a for a in (c, d, e) if a)
try: f($n, $n)
except Exception: pass
"),
    Feature(OLD, NOW, "def f(a, b):
 def g(c=$n):
  return a, b, c
 def h():
  b = a
  return lambda: (a, b)
 a = $x
 return g(), h()()
try: f($n, $c)
except Exception: pass
"),
    Feature(3, NOW, "def f(a):
 b = $n
 def g():
  nonlocal a, b
  a = $x
  b = (a, b)
  def h():
   nonlocal b
   del b
  if a $q $n: h()
  return a
 g()
 return a, b
try: f($n)
except NameError as e: str(e)
except Exception: pass
"),
    Feature(OLD, NOW, "def f(a, b):
 try:
  a = $x
  raise ValueError(a)
 except (KeyError, TypeError): b = 1
 except ValueError as e:
  b = e
 else: a = 0
 finally:
  a = $n
 return a, b
try: f($n, $n)
except Exception: pass
"),
    Feature(OLD, NOW, "def f(a, b):
 for i in [1, 2, $n]:
  try:
   if i == $n: continue
   if i == $n: break
   if i == $n: return $x
   b = $x
  finally:
   a = i
   try: 1 // $n
   except ZeroDivisionError: b = None
 return a
try: f($n, $n)
except Exception: pass
"),
    Feature(OLD, NOW, "class M(object):
 def __init__(self, a): self.a = a
 def __enter__(self): return self.a
 def __exit__(self, *a): return bool(self.a)
def f(a, b):
 with M(a) as c, M($c):
  b = c $o $n
  if b: raise KeyError(b)
 with M(1) as (d, e): return $x
 return b
for a in ($n, $n):
 try: f(a, $n)
 except Exception: pass
"),
    Feature(OLD, NOW, "class A(object):
 x = $c
 def __init__(self, *a, **k): self.a = a; self.k = k
 def m(self, a=$n, b=x): return $x
 @property
 def p(self): return self.a
 @staticmethod
 def s(a, b): return $x
 @classmethod
 def c(cls): return cls.x
class B(A):
 def m(self, a): return super(B, self).m(a), self.p
try:
 o = B(1, k=$n)
 o.m($n); o.s(1, $n); o.c(); o.y = o.x; del o.y; o.z
except Exception: pass
"),
    Feature(3, NOW, "class A:
 def m(self, a, b=$n):
  self.y = $x
  return __class__, self.y
 def __len__(self): return $n
 def __getitem__(self, a): return a
 def __iter__(self): yield $n; yield self
 def __call__(self, *a): return super().__repr__()
class B(A):
 def m(self, a): return super().m(a)
 def __bool__(self): return bool(super().__init__)
try:
 o = B(); o.m($n); len(o); o[1:$n]; [*o]; o(1); not o; o.m(1, 2)
except Exception: pass
"),
    Feature(OLD, NOW, "def f(a, b=2, *c, **d): return a, b, c, sorted(d)
def g(*a): return f(*a)
def h(**a): return f(1, **a)
for k in range(3):
 try:
  f(1); f($n, $n, 3, 4); f(b=1, a=$c); g(1, *[2, $n]); h(b=$n, z=1); f(*(1,), **{'b': $n, 'y': 2}); f()
 except TypeError: pass
"),
    Feature(3, NOW, "def f(a, b=$n, *, c, d=$c, **e): return a, b, c, d, e
try:
 f(1, c=2); f(*[1], *(2,), **{'c': 3}, **{'x': $n}); {**{'a': 1}, 'b': $n}; [*range($n), *'ab']; f(1, 2, 3)
except TypeError as e: e.args
"),
    Feature(OLD, NOW, "def f(a, b):
 (c, d), e = (a, $c), b
 c, d = d, c
 a, b, c = b, c, a
 c = d = e = [a, b, c]
 c[0] = $x
 c[1:2] = [$n, $n]
 c[$n] += $n
 del c[0], c[:1]
 del a
 return c, a
try: f($n, $n)
except Exception: pass
"),
    Feature(3, NOW, "def f(a, b):
 c, *d = [a, b, $n]
 *c, d, e = range($n + 2)
 (x, *y), z = (d, e), b
 del x, e
 return x if $n else e
try: f([1], (2, 3))
except (ValueError, UnboundLocalError, TypeError): pass
"),
    Feature(OLD, NOW, "g = $n
def f(a, b=1):
 global g, h
 g = $x
 h = g
 del h
 return h, g
try: f($n)
except NameError: g = None
except Exception: pass
"),
    Feature(OLD, NOW, "def f(a, b):
 if a: c = 1
 if b: del a
 x = [c, a]
 if b: d = a
 return d, x
for p in [(0, 0), (1, 1), (1, 0), ($n, $n)]:
 try: f(*p)
 except UnboundLocalError: pass
"),
    Feature(OLD, NOW, "def f(a):
 b = yield a
 while b:
  try: b = yield $x
  except ValueError: b = (yield)
  finally: a = $n
def run(g, h):
 try:
  next(g); g.send($n); g.throw(ValueError); g.send(1); g.close()
 except Exception: pass
 for i in f($n): pass
 return list(f(0))
run(f(1), f($c))
f(2)
"),
    Feature(3, NOW, "def f(a):
 b = yield from [a, $n]
 try: b = yield from g(a)
 finally: yield b
 return b
def g(a):
 b = yield
 return (yield $x)
def h():
 r = yield from f($n)
 return r
try:
 i = h(); next(i); i.send(None); i.throw(KeyError); i.send($n); next(i); i.close()
except Exception: pass
try: list(h())
except Exception: pass
"),
    Feature(6, NOW, "class W:
 def __init__(self, a): self.a = a
 def __await__(self):
  b = yield self.a
  return b
 async def __aenter__(self): return await self
 async def __aexit__(self, *a): return bool(self.a)
 def __aiter__(self): self.i = 0; return self
 async def __anext__(self):
  self.i += 1
  if self.i > $n: raise StopAsyncIteration
  return self.i
async def g(a):
 yield a
 b = await W($n)
 yield $x
async def f(a, b=1):
 async with W(a) as c: b = $x
 async for i in W(1):
  if i == $n: continue
  b = i
 else: b = 0
 d = [i async for i in g(a) if i]
 return await W(1), {i: b async for i in g(1)}, (i async for i in W(2))
def run(c):
 try:
  for k in range(20): c.send(None)
  c.throw(KeyError)
 except (Exception, StopIteration): pass
run(f($n)); run(f(0)); run(f($c)); f(1).close()
"),
    Feature(6, NOW, "def f(a, b):
 return f'{a}{b!r:>{$n}}{$n:x}text{a!s}', f'{b:5}' 'x', '{} {}'.format(a, b)
try: f($c, $c)
except Exception: pass
"),
    Feature(8, NOW, "def f(a, b, /, c=$n):
 if (d := $x) and [e := b for i in (1, $n)]: return d, e
 while (a := b) $q $n: break
 return a, d
try: f($n, $n); f(1, b=$n)
except Exception: pass
"),
    Feature(10, NOW, "class P:
 __match_args__ = ('x', 'y')
 x = $n; y = $c
def f(a, b=1):
 match a:
  case None | True: return 0
  case $n: return 1
  case [x, 1, *y] if x $q $n: return x, y
  case {'k': v, **w}: return v, w
  case P(0, y=z): return z
  case P(x=x) | [x]: return x
  case (1 | 2) as q, _: return q
  case str() | int(): b = a
  case _: return $x
 return b
for a in [None, 1, [1, 1, 2], {'k': 2, 'l': 3}, P(), [5], (2, 3), 'x', $c, 2.5]:
 try: f(a)
 except Exception: pass
"),
    Feature(11, NOW, "def f(a, b):
 try:
  raise ExceptionGroup('g', [ValueError($n), KeyError(a), TypeError()])
 except* ValueError as e: a = e
 except* (KeyError, OSError): b = $x
 else: a = 1
 finally: b = 2
 return a, b
try: f($n, $n)
except BaseException as e: e.args
"),
    Feature(12, NOW, "type T[X: int] = list[X]
def f[A, *B, **C](a: A, b=$n): return a, b, A
class G[X]:
 x: X = $n
 def m[Y](self, a: Y, b=1) -> X: return $x, X, Y
try: f($n); G().m(1); T.__value__; f.__type_params__; G.__annotations__
except Exception: pass
"),
    Feature(13, NOW, "def f[A: (int, str) = int](a: A, b=$n) -> A:
 c: A = a
 return $x
try: f($n); f.__annotations__; f.__type_params__[0].__default__; f.__type_params__[0].__constraints__
except Exception: pass
"),
    Feature(14, NOW, "def f(a, b=$n):
 t = t'{a}{b!r:>{$n}}x{ $x}'
 try: return [t.strings, t.values]
 finally: b = t.interpolations
try: f($n)
except Exception: pass
"),
    Feature(6, NOW, "x: int = $n
class A:
 y: str
 z: 'A' = $c
 def f(self, a: int, *b: str, c: $c = $n) -> None:
  d: list = a
  self.y: int = $n
  return d
try: A().f(1, c=$c); A.__annotations__; A.f.__annotations__; A().f()
except Exception: pass
"),
    Feature(OLD, NOW, "def f(a, b):
 assert a, $x
 return a < b < $n, a == b != $n, a is b, a in (1, $n), b not in [a], a is not None and b, (a or b) and not a
try: f($n, $n); f('a', 'b'); f(1.5, $n); f(0, 0)
except Exception: pass
"),
    Feature(OLD, NOW, "def f(a, b):
 c = (1, 2, $n), [a, 3, 4, 5], {'x': a, 'y': $n}, {1: a, b: 2}, {a, 1, 2}, (a, b)
 return c[1][$n], c[2]['x'], c[3:], c[0][::2], 'abc'[a:b], [1, 2, 3][-1]
for a in (0, $n, 'x'):
 try: f(a, $n)
 except Exception: pass
"),
    Feature(OLD, NOW, "def f(a):
 try: return a.x.y, a.x()
 except AttributeError: a.x = a; a.x.y = $n
 a.x.y += $n
 a.z = a.x.f($n)
 del a.z
 return a.z
class A(object):
 f = lambda self, a, b=1: $x
try: f(A()); f(A)
except Exception: pass
"),
    Feature(3, NOW, "def f(a, b=1):
 try:
  try: a / 0
  except ZeroDivisionError as e: raise KeyError(a) from e
 except KeyError as e:
  t = e.__traceback__
  l = [t.tb_lineno, t.tb_frame.f_lineno, t.tb_lasti, t.tb_frame.f_locals]
  e = e.__cause__
 try: raise
 except RuntimeError: pass
 try: f.x
 except AttributeError: return l
 raise a
try: f($n)
except BaseException as e: e.__traceback__.tb_next.tb_lineno
"),
    Feature(OLD, NOW, "def f(a, b):
 if a $q b:
  a = [a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b]
  a = (a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b)
  a = [a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b]
  a = (a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b)
 for i in (1, 2): b = $x
 return a, b
try: f($n, $n)
except Exception: pass
"),
    Feature(OLD, NOW, "def d(f): return lambda *a: f(*a)
@d
@d
def f(a, b=$n):
 'doc'
 return $x
@d
class C(object): pass
try: f($n, 1); C(); f()
except Exception: pass
"),
    Feature(OLD, NOW, "try:
 import nothing
 from nothing import a, b as c
except ImportError: a = b = $n
try:
 x = $x
 a, b = b, a
 for i in [1, $n]: x = [x, i]
 del x, i
 x
except Exception: pass
"),
    Feature(OLD, OLD, "def f(a, (b, c), d=$n):
 print a, b,
 print
 print >>None, c
 x = `a`
 return a <> b, x, 10L
try: f($n, (1, $n)); f(1, 2)
except Exception: pass
"),
    Feature(OLD, OLD, "class A:
 def __getslice__(self, a, b): return a, b
 def __setslice__(self, a, b, c): self.x = c
 def __delslice__(self, a, b): del self.x
def f(a, b):
 c = A()
 c[a:b] = $n
 c[:] = c[1:] = c[:2] = a
 del c[1:2]
 return c[a:b], c[:], c[a:], c[:b]
try: f($n, $n)
except Exception, e: raise TypeError, $n
"),
    Feature(OLD, NOW, "def f(a, b):
 try:
  try: raise KeyError(a)
  finally:
   for i in [a, b]:
    try: continue
    finally: b = $x
 except Exception:
  with_ = [lambda: a, lambda: i]
  return with_[$n]()
 return b
for a in ($n, $n):
 try: f(a, $n)
 except Exception: pass
"),
    Feature(3, NOW, "def f(a):
 class A:
  b = a
  c = [b for _ in range($n)]
  def m(self): return a, __class__
  class B(Exception): x = a
 try: raise A.B(a)
 except A.B as e: return e.x, A().m()
try: f($n); f($c)
except Exception: pass
"),
    Feature(12, NOW, "def f(a, b):
 c = [(a, x) for x in [b, $n]]
 d = {x: [y for y in (x, a)] for x in range($n)}
 return c, d, [lambda: x for x in c], {a for b in c}, b
class A:
 x = [i for i in range($n)]
y = [x for x in [1, $n] if x $q $n]
try: f($n, $n)
except Exception: pass
"),
];
