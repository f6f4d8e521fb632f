//! Logins of HTTP and RTSP servers: [`challenge`] reads what a server requires, [`digest`] and
//! [`basic`] answer it. ONVIF never uses Basic.

pub mod basic;
pub mod challenge;
pub mod digest;
