//! Open files and sockets: as many as the system gives, and enough of them for the cameras, however
//! many viewers there are.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Put aside for the agent itself: log, signals, listeners, files of the page, refusals being told,
/// searches of the network.
const OWN: u64 = 96;

/// Put aside for each camera: its worker's socket and stderr, a worker being started, ONVIF requests,
/// the file of what was learnt.
const PER_CAMERA: u64 = 8;

/// With fewer connections nobody could see what is wrong.
const MIN_CONNECTIONS: u64 = 8;

/// Takes as many descriptors as the system lets this process have. Workers set a lower limit of their own.
pub fn raise() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
        && let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
    {
        log::warn!("cannot raise the limit of open files from {soft} to {hard}: {error}; going on with {soft}");
    }
}

/// For how many connections there are descriptors beside so many cameras.
pub fn connections(cameras: usize) -> usize {
    getrlimit(Resource::RLIMIT_NOFILE).map_or(usize::MAX, |(soft, _)| left(soft, cameras))
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
        assert_eq!(left(1024, 16), 800);
        assert_eq!(left(1024, 64), 416);
        assert_eq!(left(64, 4), 8);
        assert_eq!(left(u64::MAX, 0), usize::MAX - 96);
    }
}
