//! What programs that watch the agent read: metrics, the state of all cameras, and the cost of this process.

pub mod metrics;
pub mod self_usage;
pub mod status;
