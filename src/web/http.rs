//! HTTP/1.1: reads requests, finds what they ask for, and writes ordinary responses.

pub mod connection;
pub mod files;
pub mod forwarded;
pub mod gzip_cache;
pub mod metadata;
pub mod query;
pub mod request_head;
pub mod response;
pub mod route;
pub mod throughput;
pub mod timeout_socket;
