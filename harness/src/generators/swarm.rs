//! What a case may use at all.
//!
//! Were everything possible in every case, then every case would be an average one: two rare things would hardly ever meet,
//! and what hides others would always be there (one list keeps everything around it out of sets and keys). So every second
//! case first draws a configuration: each feature is on or off, and some things are done never, seldom, often or always.
//! What is on is then dense: a third of the objects are surrogates, every object is flagged, all strings are one of two
//! words. This is swarm testing (Groce and others, 2012).
//!
//! A configuration is made for the target: what it cannot read is off, whatever was drawn.

use super::Target;
use super::emit::{Style, WORDS};
use super::luck::Luck;
use arbitrary::Unstructured;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaf {
    Constant,
    Int,
    Digits,
    Float,
    Complex,
    Bytes,
    Text,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Container {
    Tuple,
    List,
    Dict,
    Set,
    Frozenset,
    Slice,
    Frozendict,
    Code,
}

/// From which characters a string is made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Alphabet {
    /// A word that others use as well, so that equal strings, and equal bytes and strings, meet.
    Words,
    Lower,
    Ascii,
    Latin1,
    Bmp,
    Astral,
    Surrogates,
}

/// Each with its weight where everything is on.
const LEAVES: [(Leaf, u8); 7] = [
    (Leaf::Constant, 3),
    (Leaf::Int, 4),
    (Leaf::Digits, 1),
    (Leaf::Float, 2),
    (Leaf::Complex, 1),
    (Leaf::Bytes, 2),
    (Leaf::Text, 3),
];
const CONTAINERS: [(Container, u8); 8] = [
    (Container::Tuple, 4),
    (Container::List, 2),
    (Container::Dict, 2),
    (Container::Set, 1),
    (Container::Frozenset, 1),
    (Container::Slice, 1),
    (Container::Frozendict, 1),
    (Container::Code, 1),
];
const ALPHABETS: [(Alphabet, u8); 7] = [
    (Alphabet::Words, 7),
    (Alphabet::Lower, 2),
    (Alphabet::Ascii, 1),
    (Alphabet::Latin1, 1),
    (Alphabet::Bmp, 1),
    (Alphabet::Astral, 1),
    (Alphabet::Surrogates, 1),
];

/// Choices as often as they weigh.
#[derive(Clone, Copy)]
pub(super) struct Menu<T> {
    choices: [T; 16],
    length: u8,
}

impl<T: Copy> Menu<T> {
    /// Those of a table that are wanted; the first one if none is.
    fn new<const N: usize>(table: &[(T, u8); N], wanted: impl Fn(usize, T) -> bool) -> Menu<T> {
        let mut menu = Menu { choices: [table[0].0; 16], length: 0 };
        for (index, &(choice, weight)) in table.iter().enumerate() {
            if wanted(index, choice) {
                for _ in 0..weight {
                    menu.choices[usize::from(menu.length)] = choice;
                    menu.length += 1;
                }
            }
        }
        menu.length = menu.length.max(1);
        menu
    }

    #[inline]
    pub(super) fn pick(&self, u: &mut Unstructured<'_>) -> T {
        self.choices[u.below(self.length.into()) as usize]
    }
}

/// One case in so many has large things.
pub(super) const LARGE: u32 = 8;

/// A configuration. Rates are so many times in 256.
pub(super) struct Swarm {
    pub(super) leaves: Menu<Leaf>,
    /// Where anything may stand ...
    pub(super) containers: Menu<Container>,
    /// ... and where only what has a hash may.
    pub(super) hashed: Menu<Container>,
    pub(super) alphabets: Menu<Alphabet>,
    /// How many of the words are used.
    pub(super) words: usize,
    /// Objects that are references.
    pub(super) references: u16,
    /// Objects with a flag.
    pub(super) flags: u16,
    /// Strings that are interned.
    pub(super) interned: u16,
    /// Of [`Style::Any`]: encodings that no writer chooses.
    pub(super) odd: u16,
    /// Whether there are large things now and then, and sets deep in sets. What they cost an interpreter is many times what
    /// all other cases cost, so few cases have them.
    pub(super) large: bool,
}

impl Swarm {
    pub(super) fn draw(u: &mut Unstructured<'_>, target: Target, style: Style) -> Swarm {
        // An empty tape has everything.
        let drawn = u.below(2) == 1;
        let [leaves, containers, alphabets] = if drawn { [u.byte(), u.byte(), u.byte()] } else { [!0; 3] };
        let large = u.one_in(LARGE);
        let on = |mask: u8, index: usize| mask >> index & 1 != 0;
        let format = match style {
            Style::Writer(format) => format,
            Style::Any => target.marshal_version,
        };
        let known = |container| match container {
            Container::Slice => format >= 5,
            Container::Frozendict => format >= 6,
            Container::Code => target.codes,
            _ => true,
        };
        let hashable = |container| !matches!(container, Container::List | Container::Dict | Container::Set);
        let mut rate = |default: u16, others: [u16; 3]| {
            if drawn { u.pick(&[default, others[0], others[1], others[2]]) } else { default }
        };
        Swarm {
            leaves: Menu::new(&LEAVES, |index, _| on(leaves, index)),
            containers: Menu::new(&CONTAINERS, |index, container| on(containers, index) && known(container)),
            hashed: Menu::new(&CONTAINERS, |index, container| {
                on(containers, index) && known(container) && hashable(container)
            }),
            alphabets: Menu::new(&ALPHABETS, |index, _| on(alphabets, index)),
            references: rate(52, [0, 16, 140]),
            flags: rate(if style == Style::Any { 128 } else { 86 }, [0, 200, 256]),
            interned: rate(128, [0, 128, 256]),
            odd: rate(128, [0, 32, 256]),
            words: if drawn { u.pick(&[WORDS.len(), 1, 2, 4]) } else { WORDS.len() },
            large,
        }
    }
}
