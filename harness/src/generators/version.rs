//! The version of the generators, and what holds it to its word.

/// Under one version a seed makes the same cases on every machine. Whoever changes what a generator makes raises it, with
/// the next release at the latest, and replaces the generator's number in the table below; the failing test prints it.
pub const VERSION: u32 = 4;

#[cfg(test)]
mod tests {
    use super::super::{Generator, Target, generate};
    use pyc_core::Profile;

    /// How many cases of each generator are pinned.
    const CASES: u64 = 100_000;

    /// For each generator that makes something of its own, a hash of its first cases under seed 0 and without bases, made for
    /// each profile in turn.
    const PINNED: [(Generator, u64); 5] = [
        (Generator::Values, 0x28b795878b60747e),
        (Generator::Streams, 0xb2e4fd68ab4fbdb3),
        (Generator::Codes, 0xcc38b7e52f59fb3e),
        (Generator::Programs, 0xb5bdd21e948f6999),
        (Generator::Pyc, 0x02ecc7cfe0627f2d),
    ];

    /// FNV-1a of all cases, each with its length before it.
    fn hash(generator: Generator) -> u64 {
        let targets: Vec<Target> = Profile::all().map(Target::from).collect();
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for (index, target) in (0..CASES).zip(targets.iter().cycle()) {
            let case = generate(generator, *target, 0, index, &[]).bytes;
            for byte in (case.len() as u64).to_le_bytes().iter().chain(&case) {
                hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
            }
        }
        hash
    }

    #[test]
    fn cases_are_the_same_on_every_machine() {
        let now = std::thread::scope(|scope| {
            PINNED
                .map(|(generator, _)| (generator, scope.spawn(move || hash(generator))))
                .map(|(generator, thread)| (generator, thread.join().expect("a generator panicked")))
        });
        let print = |rows: &[(Generator, u64)]| -> String {
            rows.iter().map(|(generator, hash)| format!("(Generator::{generator:?}, {hash:#018x}),\n")).collect()
        };
        assert_eq!(
            print(&now),
            print(&PINNED),
            "what the generators make has changed; the numbers are now\n{}",
            print(&now)
        );
    }
}
