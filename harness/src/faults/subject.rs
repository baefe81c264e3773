//! A planted fault as a subject: a reader that is wrong in one way, in this process.

use super::Fault;
use crate::observation::{Accepted, Canon, Dump, Observation};
use crate::subjects::core::Core;
use crate::subjects::{Broken, Compiled, Subject};
use protocol::{CanonMode, Compile, Load};
use sha2::{Digest, Sha256};

/// An implementation with a fault, for the profile of a core.
#[derive(Debug, Clone)]
pub struct Planted {
    fault: &'static Fault,
    core: Core,
}

impl Planted {
    /// What the signatures call it.
    pub const FAMILY: &str = "planted";

    /// The implementation that has this fault and is right in all else.
    #[must_use]
    pub fn new(fault: &'static Fault, core: Core) -> Planted {
        Planted { fault, core }
    }

    fn answer(&self, case: &[u8], load: &Load) -> Observation {
        let right = self.core.observe(case);
        match self.fault.observe(&self.core, case, &right).unwrap_or(right) {
            Observation::Accepted(Accepted { consumed, canon, mut dumps }) => {
                dumps.retain(|(version, _)| load.versions.contains(version));
                for (_, dump) in &mut dumps {
                    if let Dump::Bytes { unpredictable, loss, .. } = dump {
                        (*unpredictable, *loss) = (None, None);
                    }
                }
                let canon = match (load.canon, canon) {
                    (CanonMode::None, _) => Canon::Unasked,
                    (CanonMode::Hash, Canon::Text(text) | Canon::Varies(_, text)) => {
                        Canon::Hash(Sha256::digest(text).into())
                    }
                    (CanonMode::Text, Canon::Varies(_, text)) => Canon::Text(text),
                    (_, canon) => canon,
                };
                Observation::Accepted(Accepted { consumed, canon, dumps })
            }
            other => other,
        }
    }
}

impl Subject for Planted {
    fn load(&mut self, load: &Load) -> Result<Vec<Observation>, Broken> {
        Ok(load.cases.iter().map(|case| self.answer(case, load)).collect())
    }

    fn compile(&mut self, _: &Compile) -> Result<Compiled, Broken> {
        Ok(Compiled::Faulted("a planted fault has no compiler".into()))
    }

    fn restarts(&self) -> u32 {
        0
    }

    fn fresh(&self) -> Box<dyn Subject> {
        Box::new(self.clone())
    }
}
