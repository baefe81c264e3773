//! The version of the generators, and what holds it to its word.

/// Under one version a seed makes the same cases on every machine. Whoever changes what a generator makes raises it, with
/// the next release at the latest, and replaces the generator's number in the table below; the failing test prints it.
pub const VERSION: u32 = 8;

#[cfg(test)]
mod tests {
    use super::super::{Generator, Target, fnv, generate};
    use pyc_core::Profile;

    /// How many cases of each generator are pinned.
    const CASES: u64 = 100_000;

    /// How many of them a thread makes.
    const PART: u64 = 5_000;

    /// For each generator that makes something of its own, a hash of its first cases under seed 0 and without bases, made
    /// for each profile in turn: of the hashes of the parts.
    const PINNED: [(Generator, u64); 6] = [
        (Generator::Values, 0xf728be87098a2397),
        (Generator::Streams, 0xfe7ccadbdfed0f7a),
        (Generator::Keys, 0x65d603e45f3af3c3),
        (Generator::Codes, 0x95bef5f47ac02edb),
        (Generator::Programs, 0x2c49c422f69f1ffa),
        (Generator::Pyc, 0x8abcafbd37d9c697),
    ];

    /// A hash of the cases from `first` on, each with its length before it.
    fn hash(generator: Generator, first: u64) -> u64 {
        let targets: Vec<Target> = Profile::all().map(Target::from).collect();
        fnv((first..first + PART).flat_map(|index| {
            let target = targets[usize::try_from(index).expect("a small number") % targets.len()];
            let case = generate(generator, target, 0, index, &[]).bytes;
            (case.len() as u64).to_le_bytes().into_iter().chain(case)
        }))
    }

    #[test]
    fn cases_are_the_same_on_every_machine() {
        let now = PINNED.map(|(generator, _)| {
            let parts: Vec<u64> = std::thread::scope(|scope| {
                let threads: Vec<_> =
                    (0..CASES / PART).map(|part| scope.spawn(move || hash(generator, part * PART))).collect();
                threads.into_iter().map(|thread| thread.join().expect("a generator panicked")).collect()
            });
            (generator, fnv(parts.into_iter().flat_map(u64::to_le_bytes)))
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
