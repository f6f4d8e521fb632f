//! Who steers.

use std::net::IpAddr;

/// A person or program that steers, as far as it is told from others: the same account at two places is two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Steerer {
    /// The account; `None` for who needs no login.
    account: Option<String>,
    address: IpAddr,
}

impl Steerer {
    pub fn new(account: Option<&str>, address: IpAddr) -> Self {
        Self { account: account.map(str::to_owned), address }
    }

    /// The account, or else the address; for people.
    pub fn name(&self) -> String {
        self.account.clone().unwrap_or_else(|| self.address.to_string())
    }
}
