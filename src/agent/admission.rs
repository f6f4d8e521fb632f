//! The admission limits for new clients.

use super::descriptors;
use crate::{config::Config, web::AdmissionLimits};

/// The limits of `config`, and of the system's limit of descriptors. A warning is logged where the latter is less.
pub fn limits(config: &Config) -> AdmissionLimits {
    let (limits, descriptors) = (&config.limits, descriptors::connections(config.cameras.len()));
    if descriptors < limits.connections {
        log::warn!(
            "open files are limited so that only {descriptors} connections fit beside the cameras, not {}; raise the \
             limit (ulimit -n, LimitNOFILE=)",
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
