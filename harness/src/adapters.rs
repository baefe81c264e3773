//! The readers that come with Provost (adapters/adapters.toml), and the skeletons of adapters for others.

mod skeletons;

pub use skeletons::{Language, write};

use anyhow::{Context, Result, anyhow, bail};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A reader that comes with Provost.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// What `--adapter` calls it.
    pub name: String,
    install: Install,
    /// The program that cargo builds, or that must be there, if it is not called as the reader is.
    binary: Option<String>,
    /// The environment variable that names a checkout.
    variable: Option<String>,
    command: String,
    /// What it is.
    pub about: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Install {
    Python,
    Rust,
    Program,
    Checkout,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    adapter: Vec<Known>,
}

/// Where the adapters are, and where they are installed.
#[derive(Debug, Clone)]
pub struct Places {
    /// The folder `adapters`.
    pub adapters: PathBuf,
    /// A folder of the target folder.
    pub installed: PathBuf,
}

impl Places {
    /// The readers that come with Provost.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub fn known(&self) -> Result<Vec<Known>> {
        let path = self.adapters.join("adapters.toml");
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let table: Table =
            toml::from_str(&text).with_context(|| format!("{} is not as it should be", path.display()))?;
        Ok(table.adapter)
    }

    /// The command lines of what the user named: programs as they are, readers by name, or `all` of them. What cannot be installed
    /// is skipped if `all` were wanted, and `skipped` hears why.
    ///
    /// # Errors
    /// When a reader that was named cannot be installed.
    pub fn commands(&self, named: &[String], skipped: &mut dyn FnMut(&str, &str)) -> Result<Vec<String>> {
        let known = self.known()?;
        let mut commands = Vec::new();
        for name in named {
            if name == "all" {
                for one in &known {
                    match self.command(one) {
                        Ok(command) => commands.push(command),
                        Err(reason) => skipped(&one.name, &format!("{reason:#}")),
                    }
                }
            } else if let Some(one) = known.iter().find(|one| one.name == *name).filter(|_| !Path::new(name).is_file())
            {
                commands.push(self.command(one).with_context(|| format!("{name} cannot be installed"))?);
            } else {
                commands.push(name.clone());
            }
        }
        Ok(commands)
    }

    /// Installs a reader, if it is not there, and tells how it is started.
    ///
    /// # Errors
    /// Why it cannot be installed.
    pub fn command(&self, known: &Known) -> Result<String> {
        let mut checkout = String::new();
        match known.install {
            Install::Python => self.install_python()?,
            Install::Rust => self.install_rust(known.binary.as_deref().unwrap_or(&known.name))?,
            Install::Program => {
                let program = known.binary.as_deref().unwrap_or(&known.name);
                let found = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
                    .any(|folder| folder.join(program).is_file());
                if !found {
                    bail!("there is no {program} on PATH");
                }
            }
            Install::Checkout => {
                let variable = known.variable.as_deref().unwrap_or_default();
                checkout = std::env::var(variable).map_err(|_| anyhow!("{variable} names no checkout"))?;
            }
        }
        let folder = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string();
        let command = known.command.replace("{adapters}", &folder(&self.adapters));
        Ok(command.replace("{installed}", &folder(&self.installed)).replace("{checkout}", &checkout))
    }

    /// A virtual environment with what requirements.txt names, by hash. It is made anew when that changes.
    fn install_python(&self) -> Result<()> {
        let requirements = self.adapters.join("python").join("requirements.txt");
        let wanted = std::fs::read(&requirements).with_context(|| format!("cannot read {}", requirements.display()))?;
        let folder = self.installed.join("python");
        let mark = folder.join("requirements.txt");
        if std::fs::read(&mark).is_ok_and(|installed| installed == wanted) {
            return Ok(());
        }
        eprintln!("installing the readers written in Python");
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
        let pip = folder.join("bin").join("pip");
        let options = ["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes", "-r"];
        run(Command::new(pip).args(options).arg(&requirements))?;
        std::fs::write(&mark, wanted).with_context(|| format!("cannot write {}", mark.display()))
    }

    /// The program that cargo makes; it tells by itself whether it has to be made anew.
    fn install_rust(&self, binary: &str) -> Result<()> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.args(["build", "--quiet", "--release", "--locked", "--bin", binary, "--features", binary]);
        command.arg("--target-dir").arg(self.installed.join("rust")).current_dir(self.adapters.join("rust"));
        run(&mut command)
    }
}

fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_owned();
    let output = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).output();
    let output = output.with_context(|| format!("{} cannot be run", program.display()))?;
    let words = String::from_utf8_lossy(&output.stderr);
    let why = words.lines().find(|line| line.contains("rror")).or_else(|| words.lines().next()).unwrap_or("no message");
    if output.status.success() { Ok(()) } else { bail!("{} failed: {}", program.display(), why.trim()) }
}
