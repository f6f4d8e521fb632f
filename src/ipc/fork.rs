//! Messages between the agent and its fork server. A request is one byte that carries the standard
//! input and standard error of the new worker (`SCM_RIGHTS`); a response is four bytes.

use std::io;

use crate::camera::Transport;

/// Bytes of a response.
pub const ANSWER: usize = 4;

/// Sent once by the server, as soon as it has loaded everything.
pub const READY: [u8; ANSWER] = [0; ANSWER];

/// The request for a worker whose environment selects `transport`.
pub fn request(transport: Transport) -> [u8; 1] {
    [u8::from(transport == Transport::Udp)]
}

/// The requested transport; `None` if the byte is no valid request.
pub fn requested(request: u8) -> Option<Transport> {
    match request {
        0 => Some(Transport::Tcp),
        1 => Some(Transport::Udp),
        _ => None,
    }
}

/// The response: the number of the new process, or the error.
pub fn answer(made: io::Result<i32>) -> [u8; ANSWER] {
    made.unwrap_or_else(|error| -error.raw_os_error().unwrap_or(i32::MAX)).to_le_bytes()
}

/// Decodes a response.
///
/// # Errors
/// The error because of which there is no new process.
pub fn answered(answer: [u8; ANSWER]) -> io::Result<i32> {
    match i32::from_le_bytes(answer) {
        process @ 1.. => Ok(process),
        0 => Err(io::ErrorKind::InvalidData.into()),
        refused => Err(io::Error::from_raw_os_error(refused.saturating_neg())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_and_answer_arrive_as_they_were_meant() {
        for transport in [Transport::Tcp, Transport::Udp] {
            assert_eq!(requested(request(transport)[0]), Some(transport));
        }
        assert_eq!(requested(2), None);
        assert_eq!(answered(answer(Ok(4711))).unwrap(), 4711);
        let refused = answered(answer(Err(io::Error::from_raw_os_error(11)))).unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(11));
        assert!(answered(READY).is_err(), "no process has number 0");
        assert!(answered(answer(Err(io::Error::other("without a number")))).is_err());
    }
}
