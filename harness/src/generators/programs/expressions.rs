//! Names, constants and expressions.
//!
//! Every compound expression comes in brackets of its own. They make no difference to the compiler, and nothing has to be
//! known of precedence.

use super::table::{ATOMS, COMPOUNDS, PATTERNS};
use super::{Author, Context, Luck, Scope};

/// Expressions inside of expressions; `bulk` goes deeper on its own.
const DEEPEST: u32 = 6;

/// Never the variable of a comprehension, which `:=` may not bind, and never declared `global`.
const LOCALS: &[&str] = &["a", "b", "x", "y", "self", "value", "_", "_p", "__q", "some_longer_name"];
/// The same, some of them other words after normalization.
const FOREIGN: &[&str] = &["é", "Ω", "变量", "ﬁn", "𝔘nit", "naïve", "ªx", "__ü"];
const VARIABLES: &[&str] = &["i", "j", "k"];
const GLOBALS: &[&str] = &["len", "f", "g", "Error", "os", "__name__", "__debug__", "T"];
const ATTRIBUTES: &[&str] = &["a", "b", "__q", "append", "__init__", "x1"];

/// What a string literal is made of, in any version; escapes count only where the literal knows them.
const CHARACTERS: &[&str] =
    &["a", "Hello", " ", "\\n", "\\0", "\\x7f", "%s", "0", "_x", "\\\\", "\\'", "\\t", "é", "变", "\u{1F600}", "\\377"];
const ESCAPES: &[&str] = &["\\u20ac", "\\U0001F600", "\\xe9", "\\uffff", "\\u0100"];
const SURROGATES: &[&str] = &["\\ud800", "\\udfff", "\\ud83d\\ude00", "\\udc80x"];

impl Author<'_, '_> {
    /// Any expression.
    pub(super) fn expression(&mut self) -> String {
        let compound = self.u.below(8) >= 4 && self.context.level < DEEPEST;
        let make = if compound { self.choose(COMPOUNDS) } else { self.choose(ATOMS) };
        self.within(|c| c.level += 1, |author| make(author))
    }

    /// Up to `most` expressions.
    pub(super) fn expressions(&mut self, least: u32, most: u32) -> Vec<String> {
        let n = least + self.u.below(most - least + 1);
        (0..n).map(|_| self.expression()).collect()
    }

    /// What may stand before `.`, `(` and `[`.
    fn primary(&mut self) -> String {
        let text = self.expression();
        let plain =
            text.chars().all(|c| c.is_alphanumeric() || c == '_') && !text.starts_with(|c: char| c.is_numeric());
        if plain { text } else { format!("({text})") }
    }

    /// Nothing, most often; in brackets also a line break.
    pub(super) fn gap(&mut self) -> &'static str {
        if !self.may("line break in brackets", 16) {
            return "";
        }
        self.u.pick(&["\n", "\n\n\n", "  # é\n", "\n            ", "\\\n"])
    }

    // ---- names

    pub(super) fn any_local(&mut self) -> String {
        let names = if self.may("non-ASCII names", 8) { FOREIGN } else { LOCALS };
        self.u.pick(names).into()
    }

    pub(super) fn name(&mut self) -> String {
        match self.u.below(6) {
            0 | 1 => self.any_local(),
            2 => self.u.pick(VARIABLES).into(),
            3 => self.u.pick(GLOBALS).into(),
            4 => {
                let parameters = &self.scopes[self.scopes.len() - 1].parameters;
                let n = parameters.len();
                if n == 0 {
                    self.any_local()
                } else {
                    self.scopes[self.scopes.len() - 1].parameters[self.u.index(n)].clone()
                }
            }
            _ => {
                let names = self.free_names(&[]);
                if names.is_empty() { self.any_local() } else { names[self.u.index(names.len())].clone() }
            }
        }
    }

    /// What makes a method keep the class it is in.
    pub(super) fn class_cell(&mut self) -> String {
        self.u.pick(&["__class__", "super", "super().a", "super(__class__, self)"]).into()
    }

    pub(super) fn attribute_name(&mut self) -> &'static str {
        self.u.pick(ATTRIBUTES)
    }

    pub(super) fn dotted(&mut self) -> String {
        let (name, n) = (self.any_local(), self.u.below(3));
        (0..=n).fold(name, |text, _| format!("{text}.{}", self.attribute_name()))
    }

    // ---- constants

    pub(super) fn small_int(&mut self) -> String {
        self.u.below(256).to_string()
    }

    pub(super) fn int(&mut self) -> String {
        let digits = 1 + self.u.index(24);
        let hex: String = self.u.octets(digits).iter().map(|b| format!("{b:02x}")).collect();
        if self.may("underscores in numbers", 4) {
            return format!("0x_{}", hex.replace("00", "0_0").trim_end_matches('_'));
        }
        if self.may("long", 3) {
            return format!("0x{hex}L");
        }
        let boundary = self.u.pick(&[15, 30, 31, 32, 45, 63, 64, 150]);
        match self.u.below(5) {
            0 => format!("0x{hex}"),
            1 => format!("0b1{}", "01".repeat(digits)),
            2 => format!("0o{}", 1 + self.u.below(1000)).replace(['8', '9'], "7"),
            3 => format!("(1 << {boundary})"),
            _ => format!("-(2 ** {boundary} - 1)"),
        }
    }

    pub(super) fn float(&mut self) -> String {
        let special =
            self.u.pick(&["0.0", "-0.0", "1e999", "-1e999", "(1e999 - 1e999)", "5e-324", "1.7976931348623157e308"]);
        match self.u.below(3) {
            0 => special.into(),
            1 => format!("{}.{}", self.u.byte(), self.u.byte()),
            _ => format!("{}e-{}", self.u.byte(), self.u.byte()),
        }
    }

    pub(super) fn complex(&mut self) -> String {
        self.u.pick(&["1j", "0j", "-0.0j", "(2.5 + 1e999j)", "1e999j", "(-0.0 - 0j)"]).into()
    }

    pub(super) fn singleton(&mut self) -> String {
        let name = self.u.pick(&["None", "True", "False"]);
        if self.may("ellipsis", 4) { "...".into() } else { name.into() }
    }

    fn characters(&mut self, escapes: bool, most: u32) -> String {
        let n = self.u.below(most + 1);
        let mut text = String::new();
        for _ in 0..n {
            let others = self.u.one_in(4) && escapes;
            if others && self.may("surrogate", 6) {
                text += self.u.pick(SURROGATES);
            } else {
                text += self.u.pick(if others { ESCAPES } else { CHARACTERS });
            }
        }
        text
    }

    /// A literal without prefix: bytes in 2.7.
    pub(super) fn string(&mut self) -> String {
        if self.u.one_in(8) {
            // Like a name, so that it is interned.
            return format!("'{}'", self.any_local());
        }
        let text = self.characters(true, 5);
        match self.u.below(8) {
            0..=2 => format!("'{text}'"),
            3 => format!("\"{text}\""),
            4 => format!("'''{text}\n{text}'''"),
            5 => format!("('{text}' {}'x' \"{text}\")", self.gap()),
            6 => format!("r'{}'", text.replace(['\\', '\''], "/")),
            _ => format!("u'{text}'"),
        }
    }

    pub(super) fn bytes(&mut self) -> String {
        let n = self.u.index(10);
        let octets = self.u.octets(n);
        match self.u.below(4) {
            0 => "b''".into(),
            1 => format!("b\"{}\"", octets.escape_ascii()),
            2 => format!("(b'a' {}b'\\xff')", self.gap()),
            _ => "br'\\d'".into(),
        }
    }

    fn constant(&mut self) -> String {
        match self.u.below(7) {
            0 => self.small_int(),
            1 => self.string(),
            2 => self.float(),
            3 => self.singleton(),
            4 => self.int(),
            5 => self.complex(),
            _ => self.bytes(),
        }
    }

    fn constants(&mut self, least: u32, most: u32) -> Vec<String> {
        let n = least + self.u.below(most - least + 1);
        (0..n).map(|_| self.constant()).collect()
    }

    pub(super) fn constant_tuple(&mut self) -> String {
        let outer = self.constants(0, 4).iter().map(|c| format!("{c}, ")).collect::<String>();
        if outer.is_empty() || self.u.below(3) < 2 {
            return if outer.is_empty() { "()".into() } else { format!("({outer})") };
        }
        format!("(({outer}), {outer}((), ))")
    }

    /// An operation that the compiler does, or would do if the result were smaller.
    pub(super) fn folded(&mut self) -> String {
        let n = self.u.below(80);
        self.u
            .pick(&[
                "(60 * 60 * 24)",
                "'ab' * N",
                "(1, 2) * N",
                "(2 ** N)",
                "(not 1)",
                "-(N)",
                "'%d' % N",
                "(1 if N else 2)",
            ])
            .replace('N', &n.to_string())
            .replace("'ab' * ", "('ab') * ")
            .replace("'%d' % ", "('%d') % ")
            .to_owned()
    }

    /// Sets and lists of constants become constants where only membership is asked.
    pub(super) fn membership(&mut self) -> String {
        let items = self.constants(1, 4).join(", ");
        let name = self.name();
        self.u.pick(&["(N in {S})", "(N not in {S})", "(N in [S])"]).replace('N', &name).replace('S', &items)
    }

    // ---- operators

    pub(super) fn parentheses(&mut self) -> String {
        let gap = self.gap();
        format!("({gap}{}{gap})", self.expression())
    }

    pub(super) fn unary(&mut self) -> String {
        format!("({} {})", self.u.pick(&["not", "-", "+", "~"]), self.expression())
    }

    pub(super) fn binary(&mut self) -> String {
        let operator = self.u.pick(&["+", "-", "/", "//", "%", "&", "|", "^", ">>", "*", "**", "<<"]);
        // Old compilers take all the time and memory that a constant asks for.
        let grows = ["*", "**", "<<"].contains(&operator);
        let (left, gap) = (self.expression(), self.gap());
        let right = if grows { self.any_local() } else { self.expression() };
        format!("({left} {operator}{gap} {right})")
    }

    pub(super) fn matrix_product(&mut self) -> String {
        format!("({} @ {})", self.expression(), self.expression())
    }

    pub(super) fn boolean(&mut self) -> String {
        let operator = self.u.pick(&[" and ", " or "]);
        format!("({})", self.expressions(2, 4).join(operator))
    }

    pub(super) fn comparison(&mut self) -> String {
        let n = 1 + self.u.below(2);
        let first = self.expression();
        let chain = (0..n).fold(first, |text, _| {
            let operator = self.u.pick(&["==", "<", ">=", "!=", "is", "is not", "in", "not in"]);
            format!("{text} {operator} {}", self.expression())
        });
        format!("({chain})")
    }

    pub(super) fn old_inequality(&mut self) -> String {
        format!("({} <> {})", self.expression(), self.expression())
    }

    pub(super) fn back_quotes(&mut self) -> String {
        format!("(`{}`)", self.expression())
    }

    pub(super) fn conditional(&mut self) -> String {
        format!("({} if {} else {})", self.expression(), self.expression(), self.expression())
    }

    // ---- what follows a primary

    pub(super) fn attribute(&mut self) -> String {
        format!("{}.{}", self.primary(), self.attribute_name())
    }

    pub(super) fn arguments(&mut self) -> String {
        let mut arguments = self.expressions(0, 3);
        let several = self.may("several unpackings", 4);
        let starred = self.u.below(4) == 3;
        if several {
            let all = self.expressions(1, 2);
            arguments.extend(all.iter().map(|e| format!("*{e}")));
        }
        let keywords = self.u.below(4);
        arguments.extend((0..keywords).map(|n| format!("k{n}={}", self.expression())));
        if starred {
            arguments.push(format!("*{}", self.expression()));
        }
        if self.u.below(4) == 3 {
            arguments.push(format!("**{}", self.expression()));
            if several {
                arguments.push(format!("**{}", self.expression()));
            }
        }
        let gap = self.gap();
        arguments.join(&format!(", {gap}"))
    }

    pub(super) fn call(&mut self) -> String {
        let callee = self.primary();
        if self.u.one_in(8) && self.context.level < DEEPEST {
            return format!("{callee}{}", self.generator_expression());
        }
        format!("{callee}({})", self.arguments())
    }

    pub(super) fn subscript(&mut self) -> String {
        let base = self.primary();
        if self.may("starred index", 8) {
            return format!("{base}[*{}]", self.expression());
        }
        format!("{base}[{}]", self.expressions(1, 2).join(", "))
    }

    pub(super) fn slice(&mut self) -> String {
        let base = self.primary();
        let form = self.u.pick(&["E:", ":E", ":", "E:E", "E:E:E", "::E", "E, ...", "E:E, ::E", "...", "1:2"]);
        let part = |c: char| if c == 'E' { self.expression() } else { c.into() };
        let index: String = form.chars().map(part).collect();
        format!("{base}[{index}]")
    }

    // ---- displays

    fn starred(&mut self, items: Vec<String>) -> Vec<String> {
        items.into_iter().map(|e| if self.may("several unpackings", 6) { format!("*{e}") } else { e }).collect()
    }

    pub(super) fn items(&mut self, least: u32, most: u32) -> String {
        let items = self.expressions(least, most);
        let gap = self.gap();
        self.starred(items).join(&format!(",{gap} "))
    }

    pub(super) fn tuple(&mut self) -> String {
        let items = self.items(0, 4);
        if items.is_empty() { "()".into() } else { format!("({items},)") }
    }

    pub(super) fn list(&mut self) -> String {
        format!("[{}]", self.items(0, 4))
    }

    pub(super) fn set(&mut self) -> String {
        format!("{{{}}}", self.items(1, 4))
    }

    pub(super) fn dict(&mut self) -> String {
        let constant = self.u.below(2) == 1;
        let n = self.u.below(5);
        let items: Vec<String> = (0..n)
            .map(|_| {
                if self.may("several unpackings", 8) {
                    return format!("**{}", self.expression());
                }
                let key = if constant { self.constant() } else { self.expression() };
                format!("{key}: {}", self.expression())
            })
            .collect();
        format!("{{{}}}", items.join(", "))
    }

    // ---- functions and comprehensions

    pub(super) fn lambda(&mut self) -> String {
        if self.context.annotation && self.context.class && !self.has("nested scopes of annotations in classes") {
            return self.tuple();
        }
        let (parameters, names) = self.parameters(false);
        let context = Context {
            function: true,
            generator: self.u.one_in(8),
            annotation: self.context.annotation,
            ..Context::default()
        };
        let scope = Scope { parameters: names.clone(), bound: names.into_iter().collect(), ..Scope::default() };
        let body = self.scoped(scope, context, Self::expression);
        format!("(lambda {parameters}: {body})")
    }

    /// The `for` and `if` of a comprehension, and what stands before them.
    fn comprehension(&mut self, element: impl FnOnce(&mut Self) -> String) -> Option<String> {
        if self.context.annotation && self.context.class && !self.has("nested scopes of annotations in classes") {
            return None;
        }
        // Evaluated around the comprehension, and not by it. `:=` may stand in no iterable.
        let first = self.within(|c| c.annotation = true, Self::expression);
        let nested = self.context.comprehensions > 0;
        let deep = self.has("nested async comprehension");
        let change = |c: &mut Context| {
            c.comprehensions += 1;
            c.asynchronous &= deep || !nested;
        };
        let text = self.within(change, |author| {
            let mut clauses = format!("for {} in {first}", author.variable());
            if author.context.asynchronous && !author.context.annotation && author.may("async comprehension", 2) {
                if nested {
                    author.used.insert("nested async comprehension");
                }
                clauses = format!("async {clauses}");
            }
            let more = author.u.pick(&[0, 0, 0, 1, 2]);
            for _ in 0..more {
                clauses += &if author.u.below(2) == 0 {
                    format!(" if {}", author.expression())
                } else {
                    let iterable = author.within(|c| c.annotation = true, Self::expression);
                    format!(" for {} in {iterable}", author.variable())
                };
            }
            format!("{}{} {clauses}", element(author), author.gap())
        });
        Some(text)
    }

    fn variable(&mut self) -> String {
        let name = self.u.pick(VARIABLES);
        self.u.pick(&["N", "N", "(N, k)", "N.a", "N[0]", "[N]"]).replace('N', name)
    }

    fn element(&mut self) -> String {
        if self.may("unpacking in a comprehension", 6) { format!("*{}", self.expression()) } else { self.expression() }
    }

    fn pair(&mut self) -> String {
        if self.may("unpacking in a comprehension", 6) {
            return format!("**{}", self.expression());
        }
        format!("{}: {}", self.expression(), self.expression())
    }

    pub(super) fn list_comprehension(&mut self) -> String {
        format!("[{}]", self.comprehension(Self::element).unwrap_or_default())
    }

    pub(super) fn set_comprehension(&mut self) -> String {
        format!("{{{}}}", self.comprehension(Self::element).unwrap_or_default())
    }

    pub(super) fn dict_comprehension(&mut self) -> String {
        format!("{{{}}}", self.comprehension(Self::pair).unwrap_or_default())
    }

    pub(super) fn generator_expression(&mut self) -> String {
        format!("({})", self.comprehension(Self::element).unwrap_or_default())
    }

    pub(super) fn yields(&mut self) -> String {
        match self.u.below(4) {
            0 => "(yield)".into(),
            _ => format!("(yield {})", self.expression()),
        }
    }

    pub(super) fn delegation(&mut self) -> String {
        format!("(yield from {})", self.expression())
    }

    pub(super) fn awaits(&mut self) -> String {
        format!("(await {})", self.primary())
    }

    pub(super) fn walrus(&mut self) -> String {
        let value = self.expression();
        format!("({} := {value})", self.binding())
    }

    // ---- f-strings

    pub(super) fn f_string(&mut self) -> String {
        let prefix = self.u.pick(&["f", "F", "rf", "f"]);
        self.template(prefix)
    }

    pub(super) fn t_string(&mut self) -> String {
        let prefix = self.u.pick(&["t", "tr"]);
        self.template(prefix)
    }

    fn template(&mut self, prefix: &str) -> String {
        let n = self.u.below(4);
        let mut text = String::new();
        for _ in 0..n {
            text += self.u.pick(&["", "a", "{{", "}}", "é", " = ", "%"]);
            text += &self.field();
        }
        let quote = self.u.pick(&["'", "\"", "'''"]);
        format!("{prefix}{quote}{text}{quote}")
    }

    fn field(&mut self) -> String {
        let bound = self.scope().bound.clone();
        let suspends = self.has("await in an f-string");
        let change = |c: &mut Context| {
            c.generator &= suspends || !c.asynchronous;
            c.asynchronous &= suspends;
        };
        let text = self.within(change, Self::expression);
        let awkward = text.contains(['\'', '"', '\\', '#', '\n']);
        let text = if awkward && !self.may("anything in an f-string", 1) {
            // What is not written binds nothing.
            self.scope().bound = bound;
            self.name()
        } else {
            text
        };
        let debug = if self.may("f-string with =", 6) { "=" } else { "" };
        let conversion = self.u.pick(&["", "", "!r", "!s", "!a"]);
        let format = self.u.pick(&["", "", ":", ":>10", ":{x}", ":.{x}{value!r}"]);
        format!("{{({text}){debug}{conversion}{format}}}")
    }

    // ---- patterns

    /// A pattern, which binds other names than those in `taken`.
    pub(super) fn pattern(&mut self) -> String {
        if self.context.level >= DEEPEST || self.u.below(3) == 0 {
            return self.capture();
        }
        self.refutable_pattern()
    }

    fn capture(&mut self) -> String {
        if self.u.below(2) == 0 { "_".into() } else { self.captured_name() }
    }

    /// Each name once in a pattern, so one that occurs nowhere else.
    fn captured_name(&mut self) -> String {
        let name = self.fresh_name("c");
        self.bind(&name);
        name
    }

    pub(super) fn refutable_pattern(&mut self) -> String {
        if self.context.level >= DEEPEST {
            return self.literal_pattern();
        }
        let make = self.choose(PATTERNS);
        self.within(|c| c.level += 1, |author| make(author))
    }

    pub(super) fn literal_pattern(&mut self) -> String {
        let text = self.u.pick(&[
            "0",
            "-1",
            "'a'",
            "None",
            "True",
            "b'x'",
            "-0.0",
            "1 + 2j",
            "-3 - 0.5j",
            "'a' 'b'",
            "1e999",
            "99999999999",
        ]);
        text.into()
    }

    pub(super) fn value_pattern(&mut self) -> String {
        self.u.pick(&["x.y", "os.path.sep", "self.__q"]).into()
    }

    pub(super) fn sequence_pattern(&mut self) -> String {
        let n = self.u.below(4);
        let mut items: Vec<String> = (0..n).map(|_| self.pattern()).collect();
        if self.u.below(3) == 2 {
            let place = self.u.index(items.len() + 1);
            let star = format!("*{}", self.capture());
            items.insert(place, star);
        }
        let items: String = items.iter().map(|item| format!("{item}, ")).collect();
        format!("[{items}]")
    }

    pub(super) fn mapping_pattern(&mut self) -> String {
        let n = self.u.index(4);
        let keys = ["'key'", "0", "x.a", "-1"];
        let mut items: Vec<String> = keys[..n].iter().map(|key| format!("{key}: {}", self.pattern())).collect();
        if self.u.below(3) == 2 {
            items.push(format!("**{}", self.captured_name()));
        }
        format!("{{{}}}", items.join(", "))
    }

    pub(super) fn class_pattern(&mut self) -> String {
        let class = self.u.pick(&["int", "x.C", "str"]);
        let positional = self.u.below(3);
        let mut items: Vec<String> = (0..positional).map(|_| self.pattern()).collect();
        let keywords = self.u.below(3);
        items.extend((0..keywords).map(|n| format!("k{n}={}", self.pattern())));
        format!("{class}({})", items.join(", "))
    }

    /// Alternatives bind the same names: none.
    pub(super) fn or_pattern(&mut self) -> String {
        let n = 2 + self.u.below(3);
        let alternatives: Vec<String> = (0..n).map(|_| self.literal_pattern()).collect();
        let last = self.u.pick(&["", " | [_, *_]", " | {'key': _}", " | x.C()"]);
        format!("({}{last})", alternatives.join(" | "))
    }

    pub(super) fn as_pattern(&mut self) -> String {
        format!("({} as {})", self.refutable_pattern(), self.captured_name())
    }
}
