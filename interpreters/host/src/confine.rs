//! What a worker may do to its machine: read files, and compute.
//!
//! Streams are made to break interpreters, so a worker is confined before the first one reaches it. Everything here can only
//! be taken away, survives `exec`, and is inherited by children. Where the kernel lacks a part, the rest is in force all the
//! same, and [`Confinement`] says what is.

use anyhow::Result;
use landlock::{
    ABI, Access, AccessFs, AccessNet, LandlockStatus, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr,
    Scope, make_bitflags,
};
use libc::{EPERM, c_long};
use rustix::thread::set_no_new_privs;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};
use std::collections::BTreeMap;

/// The newest Landlock whose rights are known here; an older kernel has fewer of them.
const LANDLOCK: ABI = ABI::V7;

/// The first Landlock that keeps signals from other processes (Linux 6.12).
const SIGNALS: ABI = ABI::V6;

/// What Landlock does not know of, or only newer kernels: sockets of every family, metadata of files, other processes,
/// and interfaces that would go round the filter.
const REFUSED: [c_long; 38] = [
    libc::SYS_socket,
    libc::SYS_io_uring_setup,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
];

/// The same, by the older names that only x86 has.
#[cfg(target_arch = "x86_64")]
const REFUSED_OLD: [c_long; 6] =
    [libc::SYS_chmod, libc::SYS_chown, libc::SYS_lchown, libc::SYS_utime, libc::SYS_utimes, libc::SYS_futimesat];
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_OLD: [c_long; 0] = [];

/// What a confined process cannot do. It says so in JSON, for the program that starts workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Confinement {
    /// It cannot create, change or remove files; `/dev/null` takes what is written to it.
    pub(crate) files: bool,
    /// It cannot signal processes that are not its own.
    pub(crate) signals: bool,
    /// It gets no socket; nor may it change metadata of files, look into other processes, or mount.
    pub(crate) network: bool,
    /// A program that it starts has no more rights than it has.
    pub(crate) privileges: bool,
}

impl Confinement {
    pub(crate) fn json(self) -> String {
        let Confinement { files, signals, network, privileges } = self;
        format!(r#"{{"files":{files},"signals":{signals},"network":{network},"privileges":{privileges}}}"#)
    }
}

/// Confines this process for ever. `filter`: also its system calls, which ends programs of another architecture.
pub(crate) fn confine(filter: bool) -> Confinement {
    let privileges = set_no_new_privs(true).is_ok();
    let landlock = restrict().ok();
    let has = |oldest: ABI| landlock.is_some_and(|abi| abi >= oldest);
    let (files, signals) = (has(ABI::V1), has(SIGNALS));
    Confinement { files, signals, network: filter && refuse().is_some(), privileges }
}

/// The version of the Landlock that is in force.
fn restrict() -> Result<ABI> {
    let write = AccessFs::from_write(LANDLOCK);
    let null = PathBeneath::new(PathFd::new("/dev/null")?, make_bitflags!(AccessFs::{WriteFile | Truncate}));
    let status = Ruleset::default()
        .handle_access(write)?
        .handle_access(AccessNet::from_all(LANDLOCK))?
        .scope(Scope::from_all(LANDLOCK))?
        .create()?
        .add_rule(null)?
        .restrict_self()?;
    match status.landlock {
        LandlockStatus::Available { effective_abi, .. } => Ok(effective_abi),
        _ => Ok(ABI::Unsupported),
    }
}

/// System calls that are refused fail as they do for who has no right to make them.
fn refuse() -> Option<()> {
    let rules: BTreeMap<i64, Vec<_>> = REFUSED.into_iter().chain(REFUSED_OLD).map(|call| (call, Vec::new())).collect();
    let arch = std::env::consts::ARCH.try_into().ok()?;
    let errno = SeccompAction::Errno(EPERM.unsigned_abs());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, errno, arch).ok()?;
    let program: BpfProgram = filter.try_into().ok()?;
    apply_filter(&program).ok()
}
