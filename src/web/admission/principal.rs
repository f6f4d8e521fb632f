//! Whose request it is, and what exists for them. Cameras, metrics and the state of the agent are
//! reached only through a [`Principal`].

use std::sync::Arc;

use serde_json::{Value, json};

use crate::web::visitor::Visitor;
use crate::{
    account::{Account, Rights, Seen, WithoutLogin},
    camera::Secret,
    hub::Condition,
    sync::Notified,
    text::{Reason, reasons},
    users::{Session, Users},
};

/// Who sends a request, as the agent knows it. Its rights are those at the time of the request;
/// [`Revocation`] tells when they have changed.
#[derive(Clone, Debug)]
pub struct Principal {
    /// `None`: served without a login.
    account: Option<Arc<Account>>,
    proof: Proof,
}

/// What a request proves its principal by.
#[derive(Clone, Debug)]
enum Proof {
    /// Its visitor needs no login.
    Visitor(Visitor),
    /// The key of this machine's commands, which only root and the agent's user can read.
    CommandKey(Secret),
    /// A login in the request itself.
    Login,
    /// Nothing: what the machine itself wants, by the configuration.
    Machine,
    /// The cookie of a session, which lasts as long as a clone of it is used.
    Session(Session),
}

impl Principal {
    /// The visitor, if it is served without a login.
    pub fn of_visitor(visitor: Visitor, users: &Users) -> Option<Self> {
        let proof = Proof::Visitor(visitor);
        is_open(users, &visitor).then_some(Self { account: None, proof })
    }

    /// A command of root or the agent's user on this machine, from which nothing is kept; `None` if `key` is
    /// not its key or `visitor` not this machine.
    pub fn of_command(key: &Secret, visitor: Visitor, users: &Users) -> Option<Self> {
        let proof = Proof::CommandKey(key.clone());
        (visitor.is_loopback && users.is_command_key(key.expose())).then_some(Self { account: None, proof })
    }

    /// The machine itself, which the configuration has told what to do; it never sends a request.
    pub fn machine() -> Self {
        Self { account: None, proof: Proof::Machine }
    }

    pub fn of_login(account: Arc<Account>) -> Self {
        Self { account: Some(account), proof: Proof::Login }
    }

    /// The account of `session`, unless that has ended.
    pub fn of_session(session: Session) -> Option<Self> {
        session.is_open().then(|| Self { account: Some(session.account()), proof: Proof::Session(session) })
    }

    /// The account that the login of this request proved; `None` without one.
    pub fn logged_in_now(&self) -> Option<&Arc<Account>> {
        self.account.as_ref().filter(|_| matches!(self.proof, Proof::Login))
    }

    /// The name of the account; `None` for a visitor that is served without a login.
    pub fn name(&self) -> Option<&str> {
        self.account.as_ref().map(|account| account.name.as_str())
    }

    pub fn rights(&self) -> Rights {
        match (&self.account, &self.proof) {
            (Some(account), _) => account.rights,
            // All who reach the port may watch, but may not change a wall, nor move or hear a camera.
            (None, Proof::Visitor(visitor)) if !visitor.is_loopback => {
                Rights { show: false, ptz: false, listen: false, ..Rights::ALL }
            }
            (None, _) => Rights::ALL,
        }
    }

    /// Whether the camera exists for it. A camera that does not is told from no other that is not there.
    pub fn sees(&self, camera: &str) -> bool {
        self.account.as_ref().is_none_or(|account| account.cameras.sees(camera))
    }

    /// Whether nothing is kept from it.
    pub fn sees_everything(&self) -> bool {
        let Rights { watch, details, metrics, show: _, ptz: _, listen: _ } = self.rights();
        watch && details && metrics && self.account.as_ref().is_none_or(|account| account.cameras == Seen::All)
    }

    /// What it may know of `condition`.
    pub fn condition(&self, condition: Condition) -> Condition {
        Condition { why: self.reason(condition.why), ..condition }
    }

    /// What it may know of `reason`: without the right to details, the parts that hold no text of the
    /// configuration, of the camera or of the network.
    pub fn reason(&self, reason: Reason) -> Reason {
        if self.rights().details {
            return reason;
        }
        let is_number = |(_, value): &(&'static str, reasons::Value)| matches!(value, reasons::Value::Number(_));
        let open = reason.parts().iter().filter(|part| part.params().iter().all(is_number));
        Reason::from(open.cloned().collect::<Vec<_>>())
    }

    /// As `user` of the API; `null` for a visitor that is served without a login.
    pub fn as_json(&self) -> Value {
        self.account.as_ref().map_or(Value::Null, |account| {
            json!({
                "name": account.name,
                "may": rights(account.rights),
                "session": matches!(self.proof, Proof::Session(_)),
            })
        })
    }

    /// Whether it is still allowed what it was.
    fn is_current(&self, users: &Users) -> bool {
        match (&self.proof, &self.account) {
            (Proof::Session(session), Some(account)) => session.is_open() && session.account() == *account,
            (Proof::Login, Some(account)) => users.is_current(account),
            (Proof::Visitor(visitor), _) => is_open(users, visitor),
            (Proof::Machine, _) => true,
            (Proof::CommandKey(key), _) => users.is_command_key(key.expose()),
            (_, None) => false,
        }
    }
}

/// The rights in the words of the configuration.
pub fn rights(rights: Rights) -> Vec<&'static str> {
    let all = [
        ("watch", rights.watch),
        ("details", rights.details),
        ("metrics", rights.metrics),
        ("show", rights.show),
        ("ptz", rights.ptz),
        ("listen", rights.listen),
    ];
    all.into_iter().filter_map(|(word, is_given)| is_given.then_some(word)).collect()
}

/// Whether the visitor is served without a login.
fn is_open(users: &Users, visitor: &Visitor) -> bool {
    match users.without_login() {
        WithoutLogin::Everybody => true,
        WithoutLogin::Loopback => visitor.is_loopback,
        WithoutLogin::Nobody => false,
    }
}

/// Tells whatever runs for a principal that its rights have ended or changed.
#[derive(Debug)]
pub struct Revocation {
    principal: Principal,
    users: Arc<Users>,
    changes: Notified,
}

impl Revocation {
    /// What a viewer is told when it is over.
    pub const REASON: &str = "the login has ended, or what it may see has changed";

    pub fn new(principal: Principal, users: &Arc<Users>) -> Self {
        Self { principal, users: Arc::clone(users), changes: users.changes() }
    }

    /// Waits until the principal is no longer allowed exactly what it was. Cancel-safe: it compares
    /// before it waits.
    pub async fn revoked(&self) {
        while self.principal.is_current(&self.users) {
            self.changes.changed().await;
        }
    }
}
