//! What is too large for a standard library: more of something than a byte can count, farther than a byte can jump, or
//! deeper than anybody would write it.

use super::{Author, Context, Luck, Scope};

/// Around 256, where opcodes need `EXTENDED_ARG` and marshal another type byte; and some that are small.
const SIZES: &[usize] = &[3, 17, 100, 255, 256, 257, 300, 600];

impl Author<'_, '_> {
    fn size(&mut self) -> usize {
        self.u.pick(SIZES)
    }

    /// A function with this body, whose names are its own.
    fn own_function(&mut self, header: &str, write: impl FnOnce(&mut Self)) {
        let context = Context { function: true, ..Context::default() };
        self.scoped(Scope::default(), context, |author| author.suite(header, write));
    }

    pub(super) fn many_statements(&mut self) {
        let n = self.size();
        let statement = self.u.pick(&["x.a(N)", "x = y", "x[N] = 'aN'", "x if y else N", "x += N.5", "", "assert x"]);
        for i in 0..n {
            self.line(&statement.replace('N', &i.to_string()));
        }
        self.line("pass");
    }

    pub(super) fn many_locals(&mut self) {
        let n = self.size();
        self.own_function("def many_locals(a, b)", |author| {
            for i in 0..n {
                author.line(&format!("v{i} = v{}", n - 1 - i));
            }
        });
    }

    pub(super) fn many_cells(&mut self) {
        let n = self.size();
        let names: Vec<String> = (0..n).map(|i| format!("v{i}")).collect();
        self.own_function("def many_cells()", |author| {
            author.line(&format!("{} = 0", names.join(" = ")));
            author.line(&format!("f = lambda x: [{}]", names.join(", ")));
        });
    }

    pub(super) fn many_names(&mut self) {
        let n = self.size();
        for i in 0..n {
            self.line(&format!("n{i}.attribute_{}", i / 2));
        }
    }

    pub(super) fn many_constants(&mut self) {
        let n = self.size();
        let form =
            self.u.pick(&["f(N)", "f('c N')", "f(N.25)", "f(Nj)", "f((N, 'N'))", "f(-N)", "f(N << 40)", "f(b'N')"]);
        for i in 0..n {
            self.line(&form.replace('N', &(i + 1000).to_string()));
        }
    }

    pub(super) fn many_parameters(&mut self) {
        let most = if self.may("more than 255 parameters", 1) { 1000 } else { 255 };
        let n = self.size().min(most);
        let form = self.u.pick(&["pN", "pN=N", "pN='p'"]);
        let annotated = if self.is_python2() || form != "pN" { form } else { "pN: x" };
        let items: Vec<String> = (0..n).map(|i| annotated.replace('N', &i.to_string())).collect();
        let star = if !self.is_python2() && self.u.below(2) == 1 { "*, " } else { "" };
        self.line(&format!("def many_parameters({star}{}): return locals()", items.join(", ")));
    }

    pub(super) fn many_arguments(&mut self) {
        let most = if self.may("more than 255 parameters", 1) { 1000 } else { 255 };
        let n = self.size().min(most);
        let form = self.u.pick(&["x", "kN=x", "N"]);
        let items: Vec<String> = (0..n).map(|i| form.replace('N', &i.to_string())).collect();
        self.line(&format!("f({})", items.join(", ")));
    }

    pub(super) fn many_functions(&mut self) {
        let n = self.size() / 4;
        let form =
            self.u.pick(&["def fN(a, b=N): return a", "fN = lambda: N", "class CN: a = N", "x = [i for i in y]"]);
        for i in 0..n {
            self.line(&form.replace('N', &i.to_string()));
        }
        self.line("pass");
    }

    pub(super) fn many_handlers(&mut self) {
        let n = self.size() / 2;
        for i in 0..n {
            self.line(&format!("try: x(a{i})"));
            self.line("except Error as e: y");
        }
        self.line("pass");
    }

    /// Jumps over more than 256 instructions, and now and then over more than 65536.
    pub(super) fn long_jumps(&mut self) {
        let n = if self.u.one_in(48) { 12_000 } else { self.size() };
        let header = self.u.pick(&["if x", "while x", "for x in y", "with x", "try"]);
        let leave = if self.context.looping { "break" } else { "pass" };
        self.suite(header, |author| {
            for _ in 0..n {
                author.line("x.a(y)");
            }
            author.line(leave);
        });
        if header == "try" {
            self.line("finally: y");
        } else if header != "with x" {
            self.line("else: y");
        }
    }

    pub(super) fn long_display(&mut self) {
        let n = self.size();
        let form = self.u.pick(&["x, ", "N, ", "'N', ", "x: N, ", "'N': x, ", "(N, x), "]);
        let items: String = (0..n).map(|i| form.replace('N', &i.to_string())).collect();
        let brackets = if form.contains(':') { ("{", "}") } else { self.u.pick(&[("(", ")"), ("[", "]"), ("{", "}")]) };
        self.line(&format!("x = {}{items}{}", brackets.0, brackets.1));
    }

    pub(super) fn long_chain(&mut self) {
        let n = self.size().min(90);
        let link =
            self.u.pick(&[" + x", " and y", " or 'N'", " < N", ".a", "[N]", "(N)", " if x else y", "", " + 'N'"]);
        let links: String = (0..n).map(|i| link.replace('N', &i.to_string())).collect();
        self.line(&format!("x = y{links}"));
        let elifs = self.size().min(40);
        self.line("if x: pass");
        for _ in 0..elifs {
            self.line("elif y: x");
        }
    }

    pub(super) fn long_literal(&mut self) {
        let n = self.size() * 4;
        let text = match self.u.below(6) {
            0 => format!("'{}'", "a".repeat(n)),
            1 => format!("u'{}'", "é\\u20ac".repeat(n)),
            2 => format!("b'{}'", "\\xff".repeat(n)),
            3 => format!("0x{}", "f0".repeat(n)),
            4 => format!("'''{}'''", "line\n".repeat(n)),
            _ => format!("-{}", "9".repeat(n)),
        };
        self.line(&format!("x = {text}"));
    }

    // ---- deep

    pub(super) fn deep_suites(&mut self) {
        let n = self.u.pick(&[5, 20, 40]);
        for _ in 0..n {
            self.line("if x:");
            self.indent += 1;
        }
        self.statement();
        self.indent -= n;
    }

    /// As many loops, `with` and `try` as one function may have.
    pub(super) fn deep_blocks(&mut self) {
        let header = self.u.pick(&["for i in x", "while x", "with x as y"]);
        self.own_function("def deep_blocks()", |author| {
            let n = 20;
            for _ in 0..n {
                author.line(&format!("{header}:"));
                author.indent += 1;
            }
            author.line("return x");
            author.indent -= n;
        });
    }

    pub(super) fn deep_functions(&mut self) {
        let n = self.u.pick(&[3, 10, 20]);
        let indent = self.indent;
        for i in 0..n {
            if i % 3 == 2 {
                self.line(&format!("class C{i}:"));
                self.indent += 1;
            }
            self.line(&format!("def f{i}(v{i}):"));
            self.indent += 1;
        }
        self.line("return v0, v1");
        self.indent = indent;
    }

    pub(super) fn deep_brackets(&mut self) {
        let n = self.u.pick(&[5, 20, 30]);
        let (open, close) =
            self.u.pick(&[("(", ",)"), ("[", "]"), ("{x: ", "}"), ("f(", ")"), ("-(", ")"), ("x[", "]")]);
        self.line(&format!("x = {}y{}", open.repeat(n), close.repeat(n)));
    }

    pub(super) fn deep_comprehensions(&mut self) {
        let n = self.u.pick(&[2, 6, 12]);
        let (open, close) = self.u.pick(&[("[", "]"), ("(", ")"), ("{", "}"), ("{x: ", "}"), ("(lambda i: ", ")")]);
        let clause = if open.starts_with("(lambda") { "" } else { " for i in y" };
        self.line(&format!("x = {}i{}", open.repeat(n), format!("{clause}{close}").repeat(n)));
    }

    // ---- far

    pub(super) fn far_lines(&mut self) {
        let n = self.u.pick(&[100, 128, 1000, 33_000, 70_000]);
        let n = if n > 1000 && self.u.below(4) < 3 { 260 } else { n };
        let lines = "\n".repeat(n);
        self.line(&format!("x = f(a,{lines} b, {lines}c)"));
    }

    pub(super) fn far_columns(&mut self) {
        let n = self.u.pick(&[60, 126, 127, 128, 300, 5000]);
        let columns = " ".repeat(n);
        self.line(
            &format!("x = f(a,{columns} b.c[{columns}'é'], é)").replace("é", if self.is_python2() { "e" } else { "é" }),
        );
    }

    pub(super) fn long_match(&mut self) {
        let n = self.size() / 4;
        let pattern = self.u.pick(&["N", "'N'", "[N, *x]", "{'N': x}", "C(N, k=x)", "N | 'N'"]);
        self.suite("match x", |author| {
            for i in 0..=n {
                author.line(&format!("case {}: y", pattern.replace('N', &i.to_string())));
            }
        });
    }
}
