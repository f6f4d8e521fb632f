//! The groups of multicast that this machine has joined, each once, however many streams read it.
//!
//! The membership belongs to a socket of its own: with the sockets that read, leaving and joining again would say
//! nothing to the network as long as another one is still a member.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use socket2::{Domain, Protocol, Socket, Type};

use crate::sync::Mutex;

/// Interval at which a group is joined again at most: as the streams that read it fall silent together, each of them
/// asks for it.
const JOIN_AGAIN: Duration = Duration::from_secs(1);

/// The groups that are joined; those of memberships that have ended are removed by the next one.
static JOINED: Mutex<Vec<Weak<Membership>>> = Mutex::new(Vec::new());

/// The membership of one group on one interface. It ends with the last clone.
#[derive(Debug)]
pub struct Membership {
    socket: Socket,
    group: Group,
    joined_at: Mutex<Instant>,
}

/// A group, and where it is joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    /// On the interface with the second address.
    V4(Ipv4Addr, Ipv4Addr),
    /// On the interface with this number; 0: the system chooses.
    V6(Ipv6Addr, u32),
}

impl Membership {
    /// Joins `group` on the interface with the address `local`, unless it is joined there already.
    ///
    /// # Errors
    /// The system's, also if the group's address is not of the family of `local`.
    pub fn of(group: IpAddr, local: SocketAddr) -> io::Result<Arc<Self>> {
        let group = match (group, local) {
            (IpAddr::V4(group), SocketAddr::V4(local)) => Group::V4(group, *local.ip()),
            (IpAddr::V6(group), SocketAddr::V6(local)) => Group::V6(group, local.scope_id()),
            _ => return Err(io::ErrorKind::Unsupported.into()),
        };
        let mut joined = JOINED.lock();
        joined.retain(|other| other.strong_count() > 0);
        let known = joined.iter().filter_map(Weak::upgrade).find(|other| other.group == group);
        if let Some(known) = known {
            return Ok(known);
        }
        let socket = Socket::new(Domain::for_address(local), Type::DGRAM, Some(Protocol::UDP))?;
        group.join(&socket)?;
        let membership = Arc::new(Self { socket, group, joined_at: Mutex::new(Instant::now()) });
        joined.push(Arc::downgrade(&membership));
        Ok(membership)
    }

    /// Leaves the group and joins it again, unless that was done a moment ago: so the switches in between hear once
    /// more who wants it. In a network without a querier they forget.
    ///
    /// # Errors
    /// The system's.
    pub fn join_again(&self) -> io::Result<()> {
        let mut joined_at = self.joined_at.lock();
        if joined_at.elapsed() < JOIN_AGAIN {
            return Ok(());
        }
        *joined_at = Instant::now();
        self.group.leave(&self.socket)?;
        self.group.join(&self.socket)
    }
}

impl Group {
    fn join(self, socket: &Socket) -> io::Result<()> {
        match self {
            Self::V4(group, local) => socket.join_multicast_v4(&group, &local),
            Self::V6(group, interface) => socket.join_multicast_v6(&group, interface),
        }
    }

    fn leave(self, socket: &Socket) -> io::Result<()> {
        match self {
            Self::V4(group, local) => socket.leave_multicast_v4(&group, &local),
            Self::V6(group, interface) => socket.leave_multicast_v6(&group, interface),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn group_is_joined_once_for_all_and_left_with_the_last_one() {
        let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let of = |last| Membership::of(IpAddr::from([239, 255, 99, last]), local).unwrap();
        let (one, same, other) = (of(1), of(1), of(2));
        assert!(Arc::ptr_eq(&one, &same) && !Arc::ptr_eq(&one, &other));
        one.join_again().unwrap();
        let is_joined =
            || JOINED.lock().iter().any(|joined| joined.upgrade().is_some_and(|it| it.group == other.group));
        assert!(is_joined());
        let weak = Arc::downgrade(&one);
        drop(one);
        assert!(weak.upgrade().is_some());
        drop(same);
        assert!(weak.upgrade().is_none());
        assert!(Membership::of(IpAddr::from([239, 255, 99, 1]), (Ipv6Addr::LOCALHOST, 0).into()).is_err());
    }
}
