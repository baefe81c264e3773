//! How fast pyc-core is, and how much memory it takes, beside CPython and the other readers written in Rust.
//!
//! A speed by itself says more about the machine and its mood than about a program. So nothing but ratios is reported, and
//! both sides of a ratio do the same work on the same bytes in the same minute: one round of ours, one of theirs, in turn,
//! so that whatever disturbs the machine disturbs both. The median round of each side counts, and how far the ratios of
//! single rounds lie apart is shown beside it, so that a difference that is none can be seen to be none.
//!
//! | module | what it does |
//! |---|---|
//! | [`inputs`] | makes the streams |
//! | [`rival`] | the other side: a process that times a round when asked |
//! | [`contest`] | our side, and rounds in turn |
//! | [`run`] | brings them together, row by row |
//! | [`report`] | rows as a table, as JSON and as docs/PERFORMANCE.md |
//! | [`campaign`] | what a hunt costs, beside the interpreter alone |
//! | [`toolbox`] | commands on a large tree, beside a loop of an interpreter |

pub mod campaign;
pub mod contest;
pub mod inputs;
pub mod report;
pub mod rival;
pub mod run;
pub mod toolbox;

use inputs::Input;
use std::fmt;

/// Another reader of marshal streams written in Rust, built from bench/peers.
#[derive(Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its program and its feature in bench/peers.
    pub name: &'static str,
    /// Its crate.
    pub package: &'static str,
    /// Whether it is written for unstable Rust; the stable compiler takes it when told so.
    pub unstable: bool,
}

/// All peers.
pub static PEERS: [Peer; 5] = [
    Peer { name: "marshal-parser", package: "marshal-parser", unstable: false },
    Peer { name: "py-marshal", package: "py-marshal", unstable: false },
    Peer { name: "python-assembler", package: "python-assembler", unstable: true },
    Peer { name: "python-marshal", package: "python-marshal", unstable: false },
    Peer { name: "rustpython", package: "rustpython-compiler-core", unstable: false },
];

/// What is compared with what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Race {
    /// `read`, to the graph, with `marshal.loads`.
    Read,
    /// `read` and `Loaded::new`, to the interpreter's value, with `marshal.loads`.
    Load,
    /// `Loaded::dump` of a loaded value with `marshal.dumps`.
    Dump,
    /// Copying the bytes with `marshal.loads`: the limit of what a reader can be.
    Memcpy,
    /// `Graph::write` with copying the bytes.
    Preserve,
    /// The instructions of code objects with `dis.get_instructions`.
    Dis,
    /// Whether code objects are safe to run, with `read` of their streams.
    Verify,
    /// `read` with a peer.
    Peer(&'static Peer),
    /// Making cases with copying them.
    Generate,
    /// Mutating and crossing streams with [`roundtrip`](crate::roundtrip::roundtrip) of what comes out: what a fuzzer does.
    Mutate,
    /// The bytes that `read` allocates with those of the stream.
    Memory,
}

impl Race {
    /// All, in the order of the table.
    pub fn all() -> impl Iterator<Item = Race> {
        let ours = [Race::Read, Race::Load, Race::Dump, Race::Memcpy, Race::Preserve, Race::Dis, Race::Verify];
        ours.into_iter().chain(PEERS.iter().map(Race::Peer)).chain([Race::Memory, Race::Generate, Race::Mutate])
    }

    /// The first half of a row's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Race::Read => "read",
            Race::Load => "load",
            Race::Dump => "dump",
            Race::Memcpy => "memcpy",
            Race::Preserve => "preserve",
            Race::Dis => "dis",
            Race::Verify => "verify",
            Race::Peer(peer) => peer.name,
            Race::Memory => "memory",
            Race::Generate => "generate",
            Race::Mutate => "mutate",
        }
    }
}

/// What a row of the table is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name {
    /// What is compared with what.
    pub race: Race,
    /// On which streams.
    pub input: Input,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.race.name(), self.input.name())
    }
}

impl Name {
    /// Every row that there is.
    pub fn all() -> impl Iterator<Item = Name> {
        let both = |input| Race::all().map(move |race| Name { race, input });
        Input::ALL.into_iter().flat_map(both).filter(|Name { race, input }| match input {
            // Crafted streams are about what they make a reader allocate.
            Input::Crafted => *race == Race::Memory,
            Input::Graphs | Input::Streams => *race == Race::Generate,
            Input::Seeds => *race == Race::Mutate,
            Input::Stdlib => !matches!(race, Race::Generate | Race::Mutate),
            _ => !matches!(race, Race::Generate | Race::Mutate | Race::Dis | Race::Verify),
        })
    }

    /// The rows that these words choose, all of them if there is no word: `read/stdlib` is one row, `read` that race on
    /// every input.
    ///
    /// # Errors
    /// The word that is no row's, and the rows that there are.
    pub fn choose(words: &[String]) -> Result<Vec<Name>, String> {
        let is = |word: &String, name: &Name| *word == name.to_string() || *word == name.race.name();
        if let Some(word) = words.iter().find(|word| !Name::all().any(|name| is(word, &name))) {
            return Err(format!("no row is called {word:?}; {}", Name::list()));
        }
        Ok(Name::all().filter(|name| words.is_empty() || words.iter().any(|word| is(word, name))).collect())
    }

    /// How rows are named, for people.
    #[must_use]
    pub fn list() -> String {
        let races: Vec<&str> = Race::all().map(Race::name).collect();
        let inputs = Input::ALL.map(Input::name).join(", ");
        format!(
            "a row is RACE or RACE/INPUT, campaign (what a hunt costs), or toolbox (commands over many files); races: {}; inputs: {inputs} (crafted for memory only, graphs and streams for \
             generate only, seeds for mutate only; dis has stdlib only)",
            races.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn words_choose_rows() {
        #[track_caller]
        fn check(words: &[&str], expected: &[&str]) {
            let words: Vec<String> = words.iter().map(|&word| word.into()).collect();
            let names: Vec<String> = Name::choose(&words).unwrap().iter().map(ToString::to_string).collect();
            assert_eq!(names, expected);
        }
        check(&["read/tiny"], &["read/tiny"]);
        check(&["read"], &["read/stdlib", "read/values", "read/tiny"]);
        check(&["py-marshal/tiny", "dump/stdlib"], &["dump/stdlib", "py-marshal/tiny"]);
        check(&["dis"], &["dis/stdlib"]);
        check(&["memory"], &["memory/stdlib", "memory/values", "memory/tiny", "memory/crafted"]);
        check(&["generate", "mutate"], &["generate/graphs", "generate/streams", "mutate/seeds"]);
        assert_eq!(Name::choose(&[]).unwrap().len(), Name::all().count());
    }

    #[test]
    fn a_wrong_word_is_answered_with_the_names() {
        for word in ["", "reads", "read/", "read/crafted", "stdlib", "read/stdlib/x"] {
            let error = Name::choose(&["dump".into(), word.into()]).unwrap_err();
            assert!(error.contains(&format!("{word:?}")) && error.contains("py-marshal") && error.contains("values"));
        }
    }

    #[test]
    fn names_are_unique() {
        let names: BTreeSet<String> = Name::all().map(|name| name.to_string()).collect();
        assert_eq!(names.len(), Name::all().count());
    }

    #[test]
    fn every_peer_has_a_feature_a_program_and_a_version() {
        let manifest = include_str!("../../../bench/peers/Cargo.toml").parse::<toml::Table>().unwrap();
        let programs = manifest["bin"].as_array().unwrap();
        assert_eq!(programs.len(), PEERS.len());
        for Peer { name, package, .. } in &PEERS {
            assert!(programs.iter().any(|program| program["name"].as_str() == Some(name)), "{name}");
            assert_eq!(manifest["features"][*name][0].as_str(), Some(&*format!("dep:{package}")));
            assert!(manifest["dependencies"][*package]["version"].is_str());
        }
    }
}
