//! What an update says of itself, and what an installed image says.

use std::{fmt, str};

use thiserror::Error;

/// Limit in bytes; ours have about 170.
pub const MAX_LEN: u64 = 512;

/// The product whose updates these are.
const PRODUCT: &str = "cctv-agent";
/// The lines of a manifest, in this order; [`Installed`] has those without the image.
const MANIFEST: [&str; 6] = ["product", "variant", "build", "bytes", "sha256", "date"];
const INSTALLED: [&str; 4] = ["product", "variant", "build", "date"];
/// So that no number of a line exceeds what the shell of the box can calculate with.
const MAX_DIGITS: usize = 18;
const MAX_VARIANT_LEN: usize = 32;
const DATE: &str = "0000-00-00T00:00:00Z";
const SHA256_DIGITS: usize = 64;

#[derive(Debug, Error, PartialEq)]
pub enum Error {
    #[error("it is not text in ASCII")]
    NotAscii,
    #[error("it has {found} lines, not {wanted}")]
    Lines { found: usize, wanted: usize },
    #[error("its last line does not end")]
    CutOff,
    #[error("line {line} is not {name}=…")]
    Name { line: usize, name: &'static str },
    #[error("{name} is not what it should be")]
    Value { name: &'static str },
}

/// A manifest: six lines `name=value`.
#[derive(Debug, PartialEq)]
pub struct Manifest {
    pub variant: String,
    pub build: u64,
    pub bytes: u64,
    /// In lower-case hexadecimal digits.
    pub sha256: String,
    pub date: String,
}

/// The image that is installed, as its own file says.
#[derive(Debug, PartialEq)]
pub struct Installed {
    pub variant: String,
    pub build: u64,
}

impl Manifest {
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        let [product, variant, build, bytes, sha256, date] = values(text, &MANIFEST)?;
        of_product(product)?;
        if sha256.len() != SHA256_DIGITS || !sha256.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(Error::Value { name: "sha256" });
        }
        Ok(Self {
            variant: word(variant)?,
            build: number("build", build)?,
            bytes: number("bytes", bytes)?,
            sha256: sha256.to_owned(),
            date: moment(date)?,
        })
    }
}

impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} build {} of {}", self.variant, self.build, self.date)
    }
}

impl Installed {
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        let [product, variant, build, date] = values(text, &INSTALLED)?;
        of_product(product)?;
        moment(date)?;
        Ok(Self { variant: word(variant)?, build: number("build", build)? })
    }
}

/// The values of the lines, which must be exactly those with these names, in this order.
fn values<'a, const N: usize>(text: &'a [u8], names: &[&'static str; N]) -> Result<[&'a str; N], Error> {
    let text = str::from_utf8(text).ok().filter(|text| text.is_ascii()).ok_or(Error::NotAscii)?;
    let text = text.strip_suffix('\n').ok_or(Error::CutOff)?;
    let found = text.split('\n').count();
    if found != N {
        return Err(Error::Lines { found, wanted: N });
    }
    let mut values = [""; N];
    for (index, line) in text.split('\n').enumerate() {
        let name = names[index];
        values[index] = line
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix('='))
            .ok_or(Error::Name { line: index + 1, name })?;
    }
    Ok(values)
}

fn of_product(value: &str) -> Result<(), Error> {
    if value == PRODUCT { Ok(()) } else { Err(Error::Value { name: "product" }) }
}

fn word(value: &str) -> Result<String, Error> {
    let fits = (1..=MAX_VARIANT_LEN).contains(&value.len())
        && value.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if fits { Ok(value.to_owned()) } else { Err(Error::Value { name: "variant" }) }
}

/// A positive number in its only form: no sign, no leading zero.
fn number(name: &'static str, value: &str) -> Result<u64, Error> {
    let fits = (1..=MAX_DIGITS).contains(&value.len())
        && !value.starts_with('0')
        && value.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| value.parse().ok()).flatten().ok_or(Error::Value { name })
}

fn moment(value: &str) -> Result<String, Error> {
    let same = |(found, wanted): (u8, u8)| if wanted == b'0' { found.is_ascii_digit() } else { found == wanted };
    let fits = value.len() == DATE.len() && value.bytes().zip(DATE.bytes()).all(same);
    if fits { Ok(value.to_owned()) } else { Err(Error::Value { name: "date" }) }
}
