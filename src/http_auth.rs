//! Logins of HTTP and RTSP servers: [`challenge`] reads what a server requires, [`digest`] and
//! [`basic`] answer it, [`login`] decides when; [`quote`] makes the words of a server fit for our messages. ONVIF never uses
//! Basic. Of requests to us, [`authorization`] reads a login and [`cookie`] a session.

pub mod authorization;
pub mod basic;
pub mod challenge;
pub mod cookie;
pub mod digest;
pub mod login;
pub mod quote;
