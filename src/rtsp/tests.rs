//! One test for each habit of real cameras that concerns signalling, named by its number.
//!
//! `requests` has R1 to R5, R13 to R18, R21 to R26 and so on as far as they are about requests and
//! responses; `login` the logins, `setup` transports and URLs, `description` SDP, `interleaved` the
//! bytes of the connection, `ending` limits and the end. What concerns packets and access units is
//! tested in `rtp`.

mod description;
mod ending;
mod fake;
mod interleaved;
mod login;
mod requests;
mod setup;
