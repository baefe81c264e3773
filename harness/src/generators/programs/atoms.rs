//! Names and constants: what expressions end with.

use super::{Author, Luck};

/// Never the variable of a comprehension, which `:=` may not bind, and never declared `global`.
const LOCALS: &[&str] = &["a", "b", "x", "y", "self", "value", "_", "_p", "__q", "some_longer_name"];
/// The same, some of them other words after normalization.
const FOREIGN: &[&str] = &["é", "Ω", "变量", "ﬁn", "𝔘nit", "naïve", "ªx", "__ü"];
pub(super) const VARIABLES: &[&str] = &["i", "j", "k"];
const GLOBALS: &[&str] = &["len", "f", "g", "Error", "os", "__name__", "__debug__", "T"];
const ATTRIBUTES: &[&str] = &["a", "b", "__q", "append", "__init__", "x1"];

/// What a string literal is made of, in any version; escapes count only where the literal knows them.
const CHARACTERS: &[&str] =
    &["a", "Hello", " ", "\\n", "\\0", "\\x7f", "%s", "0", "_x", "\\\\", "\\'", "\\t", "é", "变", "\u{1F600}", "\\377"];
const ESCAPES: &[&str] = &["\\u20ac", "\\U0001F600", "\\xe9", "\\uffff", "\\u0100"];
const SURROGATES: &[&str] = &["\\ud800", "\\udfff", "\\ud83d\\ude00", "\\udc80x"];

impl Author<'_, '_> {
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

    pub(super) fn constant(&mut self) -> String {
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
}
