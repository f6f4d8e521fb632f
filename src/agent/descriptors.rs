//! Open files and sockets: raises the limit to what the system allows and reserves enough for the
//! cameras, however many viewers there are.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::{config::Config, web::AdmissionLimits};

/// Reserved for the agent itself: log, signals, listeners, files of the page, refusals being sent,
/// discovery.
const OWN: u64 = 96;

/// Reserved per camera: for each of two streams an RTSP connection with two UDP sockets, and a
/// decoder's socket, stderr and two files of its usage; one more for a decoder that starts or an ONVIF
/// request, one for the store's file.
const PER_CAMERA: u64 = 16;

/// With fewer connections nobody could see what is wrong.
const MIN_CONNECTIONS: u64 = 8;

/// Raises this process's descriptor limit as far as the system allows. Workers set a lower limit of
/// their own.
pub fn raise() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
        && let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
    {
        log::warn!("cannot raise the limit of open files from {soft} to {hard}: {error}; going on with {soft}");
    }
}

/// How many connections fit beside this many cameras.
fn connections(cameras: usize) -> usize {
    getrlimit(Resource::RLIMIT_NOFILE).map_or(usize::MAX, |(soft, _)| left(soft, cameras))
}

/// The limits for new clients from `config` and from the system's limit of open files.
pub fn admission_limits(config: &Config) -> AdmissionLimits {
    let (limits, descriptors) = (&config.limits, connections(config.cameras.len()));
    if descriptors < limits.connections {
        log::warn!(
            "open files are limited so that only {descriptors} connections fit beside the cameras, not {}; raise the limit \
             (ulimit -n, LimitNOFILE=)",
            limits.connections
        );
    }
    AdmissionLimits {
        viewers: limits.viewers,
        viewers_per_address: limits.viewers_per_address,
        connections: limits.connections,
        connections_per_address: limits.connections_per_address,
        descriptors,
        ..AdmissionLimits::default()
    }
}

fn left(limit: u64, cameras: usize) -> usize {
    let aside = OWN + PER_CAMERA * cameras as u64;
    usize::try_from(limit.saturating_sub(aside).max(MIN_CONNECTIONS)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cameras_come_before_connections() {
        assert_eq!(left(1024, 16), 672);
        assert_eq!(left(1024, 64), 8);
        assert_eq!(left(64, 4), 8);
        assert_eq!(left(u64::MAX, 0), usize::MAX - 96);
    }
}
