//! Expressions and patterns.
//!
//! Every compound expression comes in brackets of its own. They make no difference to the compiler, and nothing has to be
//! known of precedence.

use super::atoms::VARIABLES;
use super::table::{ATOMS, COMPOUNDS, PATTERNS};
use super::{Author, Context, Luck, Scope};

/// Expressions inside of expressions; `bulk` goes deeper on its own.
const DEEPEST: u32 = 6;

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
        if self.context.annotation && self.context.class && !self.may("nested scopes of annotations in classes", 1) {
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
        if self.context.annotation && self.context.class && !self.may("nested scopes of annotations in classes", 1) {
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
        if text.contains("(await ") {
            self.used.insert("await in an f-string");
        }
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
