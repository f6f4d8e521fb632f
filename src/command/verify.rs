//! `cctv-agent verify`: whether an update of the disk image was made by somebody who may make updates.
//!
//! An update is a root file system, its manifest, and the manifest's signature (minisign). The manifest is
//! verified before the image is read, so nothing is written for a manifest that is refused.

mod image;
mod manifest;
mod signature;

use std::{
    fs::{File, OpenOptions},
    io::{self, Read},
    path::{Path, PathBuf},
    process::ExitCode,
};

use thiserror::Error;

use super::output::{complain, print};
use crate::{disk::regular_file, log::chain};
use manifest::{Installed, Manifest};

/// The folder with the public keys of updates in the disk image.
pub const DEFAULT_KEYS: &str = "/usr/share/cctv-agent/update-keys";

/// Exit codes of sysexits.h: the update is refused, a file cannot be read, the output cannot be written.
const REFUSED: u8 = 65;
const UNREADABLE: u8 = 66;
const NOT_WRITTEN: u8 = 74;

/// The arguments of the command.
#[derive(Clone, Debug, PartialEq)]
pub struct Verify {
    /// The manifest; its signature is the file of this name with `.minisig` added.
    pub manifest: PathBuf,
    /// The folder with the public keys, `*.pub`.
    pub keys: PathBuf,
    /// What is installed; the update must be of the same variant, and newer.
    pub installed: Option<PathBuf>,
    /// Whether the update may be as old as what is installed, or older.
    pub downgrade: bool,
    /// The image to compare with the manifest; `-` is standard input.
    pub image: Option<PathBuf>,
    /// A file or device that exists, into which the image is copied.
    pub output: Option<PathBuf>,
}

#[derive(Debug, Error)]
enum Error {
    #[error("{} cannot be read", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{} holds no update: {cause}", path.display())]
    Manifest { path: PathBuf, cause: manifest::Error },
    #[error("{}: {cause}", path.display())]
    Signature { path: PathBuf, cause: signature::Error },
    #[error("the update is for {new}, and this box is {old}")]
    OtherVariant { new: String, old: String },
    #[error("build {new} is not newer than build {old}, which runs; --downgrade installs it all the same")]
    NotNewer { new: u64, old: u64 },
    #[error("the image cannot be read")]
    Image(#[source] io::Error),
    #[error("{} cannot be written", path.display())]
    NotWritten { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Content(#[from] image::Mismatch),
}

impl Error {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Unreadable { .. } | Self::Image(_) => UNREADABLE,
            Self::NotWritten { .. } => NOT_WRITTEN,
            _ => REFUSED,
        }
    }
}

/// Verifies the update and prints what it is. A refusal goes to stderr.
///
/// # Blocking
/// Blocks on the disk and on the source of the image.
pub fn run(arguments: &Verify) -> ExitCode {
    match verify(arguments) {
        Ok(manifest) => {
            let image = if arguments.image.is_some() { "image and manifest are" } else { "the manifest is" };
            print(&format!("{manifest}: {image} as signed\n"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(format!("cctv-agent: {}", chain(&error)));
            ExitCode::from(error.exit_code())
        }
    }
}

fn verify(arguments: &Verify) -> Result<Manifest, Error> {
    let path = &arguments.manifest;
    let text = read_small(path, manifest::MAX_LEN)?;
    let signature_path = with_suffix(path, ".minisig");
    let signature = read_small(&signature_path, signature::MAX_LEN)?;
    let keys = signature::public_keys(&arguments.keys)
        .map_err(|source| Error::Unreadable { path: arguments.keys.clone(), source })?;
    // Nothing of the manifest is looked at before this.
    signature::verify(&text, &signature, &keys).map_err(|cause| Error::Signature { path: signature_path, cause })?;
    let manifest = Manifest::parse(&text).map_err(|cause| Error::Manifest { path: path.clone(), cause })?;
    if let Some(installed) = &arguments.installed {
        suits(&manifest, installed, arguments.downgrade)?;
    }
    if let Some(image) = &arguments.image {
        read_image(&manifest, image, arguments.output.as_deref())?;
    }
    Ok(manifest)
}

/// Whether the update may replace what the file `installed` describes.
fn suits(manifest: &Manifest, installed: &Path, downgrade: bool) -> Result<(), Error> {
    let text = read_small(installed, manifest::MAX_LEN)?;
    let old = Installed::parse(&text).map_err(|cause| Error::Manifest { path: installed.to_path_buf(), cause })?;
    if manifest.variant != old.variant {
        return Err(Error::OtherVariant { new: manifest.variant.clone(), old: old.variant });
    }
    if manifest.build <= old.build && !downgrade {
        return Err(Error::NotNewer { new: manifest.build, old: old.build });
    }
    Ok(())
}

fn read_image(manifest: &Manifest, image: &Path, output: Option<&Path>) -> Result<(), Error> {
    let not_written = |path: &Path, source| Error::NotWritten { path: path.to_path_buf(), source };
    let mut source: Box<dyn Read> = if image == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(image).map_err(|source| Error::Unreadable { path: image.to_path_buf(), source })?)
    };
    let Some(path) = output else {
        return image::check(&mut source, manifest).map_err(|error| match error {
            image::Error::Read(source) | image::Error::Write(source) => Error::Image(source),
            image::Error::Mismatch(mismatch) => mismatch.into(),
        });
    };
    // A file that does not exist is a slip of the pen, not a slot.
    let mut target = OpenOptions::new().write(true).open(path).map_err(|source| not_written(path, source))?;
    image::copy(&mut source, manifest, &mut target).map_err(|error| match error {
        image::Error::Read(source) => Error::Image(source),
        image::Error::Write(source) => not_written(path, source),
        image::Error::Mismatch(mismatch) => mismatch.into(),
    })
}

/// Reads a file of at most `limit` bytes. A longer one is cut off, so that its signature or its last line
/// is wrong.
fn read_small(path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    regular_file::open(path)
        .and_then(|(file, _)| file.take(limit + 1).read_to_end(&mut bytes))
        .map_err(|source| Error::Unreadable { path: path.to_path_buf(), source })?;
    Ok(bytes)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests;
