//! A password as the configuration holds it: a hash by argon2id, as a PHC string.

use std::fmt;

use argon2::{
    ARGON2ID_IDENT, Argon2, Params,
    password_hash::{PasswordHasher, PasswordVerifier, phc},
};

/// Minimum length of a new password, in characters.
pub const MIN_PASSWORD_LEN: usize = 10;

/// Maximum length of a password, in bytes.
pub const MAX_PASSWORD_LEN: usize = 1024;

/// Maximum memory of one verification, in KiB: a small machine must have it beside the cameras.
const MAX_MEMORY: u32 = 64 << 10;

/// Maximum number of passes: each one over that memory takes about a tenth of a second.
const MAX_PASSES: u32 = 10;

/// Maximum number of lanes. They are computed one after the other here.
const MAX_LANES: u32 = 16;

/// The only version of the algorithm that anybody should use.
const VERSION: u32 = 19;

/// Minimum lengths of salt and hash in bytes: shorter ones can be searched.
const MIN_SALT_LEN: usize = 8;
const MIN_HASH_LEN: usize = 16;

/// A checked PHC string, such as `$argon2id$v=19$m=19456,t=2,p=1$…$…`.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash {
    text: String,
    parsed: Box<phc::PasswordHash>,
}

/// Why a text is no usable hash. Its texts never show any part of it: it may be the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    #[error("it is not a hash of argon2id")]
    NoHash,
    #[error("it is a hash of another algorithm than argon2id")]
    Algorithm,
    #[error("it is a hash of an old version of argon2id, not of v=19")]
    Version,
    #[error("its parameters are wrong")]
    Parameters,
    #[error("it needs {0} KiB of memory (m), more than {MAX_MEMORY}")]
    Memory(u32),
    #[error("it needs {0} passes (t), more than {MAX_PASSES}")]
    Passes(u32),
    #[error("it needs {0} lanes (p), more than {MAX_LANES}")]
    Lanes(u32),
    #[error("its salt or its hash is missing or too short")]
    Short,
}

impl PasswordHash {
    /// # Errors
    /// If `text` is no hash of argon2id, or one that costs too much.
    pub fn parse(text: &str) -> Result<Self, Unusable> {
        let parsed = phc::PasswordHash::new(text).map_err(|_| Unusable::NoHash)?;
        if parsed.algorithm != ARGON2ID_IDENT {
            return Err(Unusable::Algorithm);
        }
        if parsed.version != Some(VERSION) {
            return Err(Unusable::Version);
        }
        let parameters = Params::try_from(&parsed).map_err(|_| Unusable::Parameters)?;
        match (parameters.m_cost(), parameters.t_cost(), parameters.p_cost()) {
            (memory, ..) if memory > MAX_MEMORY => return Err(Unusable::Memory(memory)),
            (_, passes, _) if passes > MAX_PASSES => return Err(Unusable::Passes(passes)),
            (.., lanes) if lanes > MAX_LANES => return Err(Unusable::Lanes(lanes)),
            _ => {}
        }
        let salt = parsed.salt.as_ref().map_or(0, |salt| salt.len());
        let hash = parsed.hash.as_ref().map_or(0, phc::Output::len);
        if salt < MIN_SALT_LEN || hash < MIN_HASH_LEN {
            return Err(Unusable::Short);
        }
        Ok(Self { text: text.to_owned(), parsed: Box::new(parsed) })
    }

    /// Hashes a new password with a new salt: 19 MiB, two passes.
    ///
    /// # Errors
    /// If the system gives no random numbers, or the password is longer than [`MAX_PASSWORD_LEN`].
    ///
    /// # Blocking
    /// Takes some hundredths of a second of processor time, and more on a small machine.
    pub fn new(password: &str) -> Result<Self, String> {
        if password.len() > MAX_PASSWORD_LEN {
            return Err(format!("the password is longer than {MAX_PASSWORD_LEN} bytes"));
        }
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(|error| error.to_string())?;
        let parsed: phc::PasswordHash =
            Argon2::default().hash_password_with_salt(password.as_bytes(), &salt).map_err(|error| error.to_string())?;
        Ok(Self { text: parsed.to_string(), parsed: Box::new(parsed) })
    }

    /// Whether `password` is the one that was hashed. The comparison takes the same time whatever it
    /// finds.
    ///
    /// # Blocking
    /// As long as [`Self::new`], or longer with greater parameters.
    pub fn verify(&self, password: &str) -> bool {
        password.len() <= MAX_PASSWORD_LEN
            && Argon2::default().verify_password(password.as_bytes(), self.parsed.as_ref()).is_ok()
    }

    /// The PHC string.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT_AND_HASH: &str = "$c29tZXNhbHRzb21lc2FsdA$UMDl5Bt7SgfiJQPBnFqz0FvUGLtZQR1wJ7VHUoPbAgY";

    #[test]
    fn new_hash_verifies_its_password_and_no_other() {
        let hash = PasswordHash::new("correct horse").unwrap();
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.as_str());
        let read = PasswordHash::parse(hash.as_str()).unwrap();
        assert_eq!(read, hash);
        assert!(read.verify("correct horse") && !read.verify("correct horsf") && !read.verify(""));
        assert_ne!(PasswordHash::new("correct horse").unwrap(), hash, "the salt is another one");
        assert_eq!(format!("{hash:?}"), "PasswordHash(…)");
        let long = "x".repeat(MAX_PASSWORD_LEN + 1);
        assert!(PasswordHash::new(&long).is_err() && !read.verify(&long));
    }

    #[test]
    fn hash_by_the_reference_program_is_read() {
        // A test vector of the reference implementation: test.c, hashtest(version, 2, 16, 1, …).
        let hash = PasswordHash::parse(
            "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        )
        .unwrap();
        assert!(hash.verify("password") && !hash.verify("Password"));
    }

    #[test]
    fn what_is_no_hash_or_costs_too_much_is_refused_without_being_shown() {
        for (head, wrong) in [
            ("my password", Unusable::NoHash),
            ("", Unusable::NoHash),
            ("$argon2id$v=19$m=65536,t=2,p=1", Unusable::Short),
            ("$argon2i$v=19$m=19456,t=2,p=1", Unusable::Algorithm),
            ("$argon2d$v=19$m=19456,t=2,p=1", Unusable::Algorithm),
            ("$scrypt$ln=16,r=8,p=1", Unusable::Algorithm),
            ("$argon2id$v=16$m=19456,t=2,p=1", Unusable::Version),
            ("$argon2id$m=19456,t=2,p=1", Unusable::Version),
            ("$argon2id$v=19$m=65537,t=2,p=1", Unusable::Memory(65537)),
            ("$argon2id$v=19$m=19456,t=11,p=1", Unusable::Passes(11)),
            ("$argon2id$v=19$m=19456,t=2,p=17", Unusable::Lanes(17)),
            ("$argon2id$v=19$m=1,t=2,p=1", Unusable::Parameters),
            ("$argon2id$v=19$m=19456,t=0,p=1", Unusable::Parameters),
            ("$argon2id$v=19$m=19456,t=2,p=1,x=1", Unusable::Parameters),
        ] {
            let tail = if wrong == Unusable::Short { "" } else { SALT_AND_HASH };
            assert_eq!(PasswordHash::parse(&format!("{head}{tail}")), Err(wrong), "{head}");
        }
        assert!(PasswordHash::parse(&format!("$argon2id$v=19$m=65536,t=10,p=16{SALT_AND_HASH}")).is_ok());
    }
}
