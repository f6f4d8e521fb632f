//! Logins of HTTP and RTSP servers: [`challenge`] reads what a server requires, [`digest`] and
//! [`basic`] answer it; [`quote`] makes the words of a server fit for our messages. ONVIF never uses
//! Basic.

pub mod basic;
pub mod challenge;
pub mod digest;
pub mod quote;
