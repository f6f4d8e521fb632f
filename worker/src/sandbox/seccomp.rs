//! The system calls that a worker may make.
//!
//! Several filters, of which the kernel takes the strictest answer: calls that no worker makes by
//! mistake end it, the calls of a short list are allowed, and all others are refused with EPERM,
//! because the C library asks for some and takes no for an answer.

use std::{collections::BTreeMap, env::consts::ARCH};

use nix::{libc, unistd::getpid};
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter_all_threads,
};

use super::needs::Needs;

/// What is allowed with any arguments: memory, threads, time, and the descriptors that are open.
const ALWAYS: &[libc::c_long] = &[
    libc::SYS_brk,
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_clone3,
    libc::SYS_close,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_futex,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_gettid,
    libc::SYS_gettimeofday,
    libc::SYS_madvise,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_nanosleep,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    libc::SYS_ppoll,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_set_robust_list,
    libc::SYS_shutdown,
    libc::SYS_sigaltstack,
    libc::SYS_write,
    libc::SYS_writev,
];

/// What a worker that reads a stream needs besides, with any arguments.
const FOR_STREAM: &[libc::c_long] = &[
    libc::SYS_bind,
    libc::SYS_connect,
    libc::SYS_fstat,
    libc::SYS_getpeername,
    libc::SYS_getsockname,
    libc::SYS_getsockopt,
    libc::SYS_lseek,
    libc::SYS_newfstatat,
    libc::SYS_recvmmsg,
    libc::SYS_sendmmsg,
    libc::SYS_setsockopt,
    libc::SYS_uname,
];

/// What a worker that reads a Video4Linux device needs besides, with any arguments.
const FOR_DEVICE: &[libc::c_long] = &[
    libc::SYS_fstat,
    libc::SYS_lseek,
    libc::SYS_newfstatat,
    libc::SYS_pselect6,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_select,
];

/// The part of an ioctl's number that names its kind, and the kind of Video4Linux: `V`, as in
/// linux/videodev2.h.
const IOCTL_KIND: libc::c_int = 0xff00;
const IOCTL_VIDEO: libc::c_int = 0x5600;

/// What ends a worker: it makes none of these calls, so somebody has taken it over who makes one.
const DEADLY: &[libc::c_long] = &[
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_bpf,
    libc::SYS_chroot,
    libc::SYS_delete_module,
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_finit_module,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_init_module,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_kcmp,
    libc::SYS_kexec_file_load,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_open,
    libc::SYS_pivot_root,
    libc::SYS_process_madvise,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_setns,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
];

/// New namespaces, which no thread needs.
const NAMESPACES: libc::c_int = libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET;

type Rules = BTreeMap<libc::c_long, Vec<SeccompRule>>;

/// Restricts all threads of this process. With `fatal` each call that is not allowed ends it.
///
/// # Errors
/// If the kernel has no seccomp, or this kind of processor no filter.
pub fn restrict(needs: Needs<'_>, fatal: bool) -> seccompiler::Result<()> {
    // The last filter refuses further ones, and the others let it pass.
    for filter in filters(needs, fatal)? {
        apply_filter_all_threads(&filter)?;
    }
    Ok(())
}

fn filters(needs: Needs<'_>, fatal: bool) -> Result<Vec<BpfProgram>, BackendError> {
    let architecture = TargetArch::try_from(ARCH)?;
    let filter = |rules, others, named| -> Result<BpfProgram, BackendError> {
        SeccompFilter::new(rules, others, named, architecture)?.try_into()
    };
    let refused = SeccompAction::Errno(libc::EPERM as u32);
    // A filter sees the flags of clone, and not those of clone3. Without clone3 the C library takes
    // clone.
    let without_clone3 = SeccompAction::Errno(libc::ENOSYS as u32);
    let mut filters = vec![
        filter(named(DEADLY), SeccompAction::Allow, SeccompAction::KillProcess)?,
        filter(named(&[libc::SYS_clone3]), SeccompAction::Allow, without_clone3)?,
    ];
    let mut allowed = allowed(needs)?;
    if fatal && needs == Needs::Nothing {
        // glibc's malloc asks once for /proc/sys/vm/overcommit_memory, with these flags.
        allowed.insert(libc::SYS_openat, any_of(2, &[libc::O_CLOEXEC.cast_unsigned()])?);
        filters.push(filter(named(&[libc::SYS_openat]), SeccompAction::Allow, refused.clone())?);
    }
    let refusal = if fatal { SeccompAction::KillProcess } else { refused };
    filters.push(filter(allowed, refusal, SeccompAction::Allow)?);
    Ok(filters)
}

fn named(calls: &[libc::c_long]) -> Rules {
    calls.iter().map(|call| (*call, Vec::new())).collect()
}

fn allowed(needs: Needs<'_>) -> Result<Rules, BackendError> {
    let mut rules = named(ALWAYS);
    let own_pid = getpid().as_raw().cast_unsigned();
    // Code is where the programs and libraries have it, and nowhere else.
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        rules.insert(call, vec![when(&[bits(2, libc::PROT_EXEC, 0)?])?]);
    }
    rules.insert(libc::SYS_clone, vec![when(&[bits(0, libc::CLONE_THREAD | NAMESPACES, libc::CLONE_THREAD)?])?]);
    rules.insert(libc::SYS_tgkill, vec![when(&[equal(0, own_pid)?])?]);
    // The standard library, built for debugging, asks for a descriptor before it closes it.
    let descriptor_flags = [libc::F_GETFD.cast_unsigned()];
    rules.insert(libc::SYS_fcntl, any_of(1, &descriptor_flags)?);
    rules.insert(libc::SYS_prctl, vec![when(&[equal(0, libc::PR_SET_NAME.cast_unsigned())?])?]);
    if let Needs::Device(_) = needs {
        rules.extend(named(FOR_DEVICE));
        // Which files, Landlock says; none is made, and none is emptied.
        rules.insert(libc::SYS_openat, vec![when(&[bits(2, libc::O_CREAT | libc::O_TRUNC, 0)?])?]);
        rules.insert(libc::SYS_ioctl, vec![when(&[bits(1, IOCTL_KIND, IOCTL_VIDEO)?])?]);
    }
    if let Needs::Stream { .. } = needs {
        rules.extend(named(FOR_STREAM));
        let mut sockets = Vec::new();
        for family in [libc::AF_INET, libc::AF_INET6] {
            for kind in [libc::SOCK_STREAM, libc::SOCK_DGRAM] {
                sockets.push(when(&[equal(0, family.cast_unsigned())?, bits(1, 0xf, kind)?])?);
            }
        }
        rules.insert(libc::SYS_socket, sockets);
        let writing = libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC;
        rules.insert(libc::SYS_openat, vec![when(&[bits(2, writing, libc::O_RDONLY)?])?]);
        rules.insert(
            libc::SYS_fcntl,
            any_of(1, &[libc::F_GETFD, libc::F_SETFD, libc::F_GETFL, libc::F_SETFL].map(i32::cast_unsigned))?,
        );
        rules.insert(libc::SYS_ioctl, any_of(1, &[libc::FIONREAD as u32, libc::FIONBIO as u32])?);
    }
    Ok(rules)
}

fn when(conditions: &[SeccompCondition]) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(conditions.to_vec())
}

/// One rule for each of `values` that the argument may have.
fn any_of(argument: u8, values: &[u32]) -> Result<Vec<SeccompRule>, BackendError> {
    values.iter().map(|value| when(&[equal(argument, *value)?])).collect()
}

fn equal(argument: u8, value: u32) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value.into())
}

/// Of the argument's bits in `mask` exactly those of `set` are set.
fn bits(argument: u8, mask: libc::c_int, set: libc::c_int) -> Result<SeccompCondition, BackendError> {
    let [mask, set] = [mask, set].map(|bits| u64::from(bits.cast_unsigned()));
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(mask), set)
}
