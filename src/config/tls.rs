//! `[tls]`: the certificate for HTTPS.

use std::path::{Path, PathBuf};

use super::{diagnostics::Diagnostics, key::Row, schema, section::Section, server_keys};

/// The certificate for HTTPS, and how strictly browsers keep to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Tls {
    /// The files with certificate and private key. `None`: the agent makes its own.
    pub files: Option<(PathBuf, PathBuf)>,
    /// Whether browsers are told to use HTTPS only. Never without `files`.
    pub hsts: bool,
}

impl Default for Tls {
    fn default() -> Self {
        read(&Section::absent(&schema::TLS), Path::new(""), &mut Diagnostics::nowhere())
    }
}

pub(super) fn read(section: &Section<'_>, base: &Path, diagnostics: &mut Diagnostics<'_>) -> Tls {
    section.refuse_unknown(diagnostics);
    let certificate = section.path(&server_keys::CERTIFICATE, base, diagnostics);
    let key = section.path(&server_keys::CERTIFICATE_KEY, base, diagnostics);
    let hsts = section.flag(&server_keys::HSTS, diagnostics).unwrap_or(server_keys::HSTS.default);
    let files = certificate.zip(key);
    let rows: [&dyn Row; 3] = [&server_keys::CERTIFICATE, &server_keys::CERTIFICATE_KEY, &server_keys::HSTS];
    let [certificate, key, at_hsts] = rows.map(|row| section.key_at(row));
    let lacks = |row: &dyn Row| section.lacks(&[row]);
    if let Some(at) = certificate.filter(|_| lacks(&server_keys::CERTIFICATE_KEY)) {
        section.report(at, "certificate needs its private key; write key, the file that holds it", diagnostics);
    } else if let Some(at) = key.filter(|_| lacks(&server_keys::CERTIFICATE)) {
        section.report(at, "key needs its certificate; write certificate, the file that holds it", diagnostics);
    } else if let Some(at) = at_hsts.filter(|_| hsts && lacks(&server_keys::CERTIFICATE)) {
        let text = "hsts needs a certificate that browsers trust; write certificate and key, or remove it";
        section.report(at, text, diagnostics);
    }
    Tls { files, hsts }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use crate::config::parse;

    fn read(lines: &str) -> Result<super::Tls, Vec<String>> {
        let no_files = |_: &Path| Err(std::io::ErrorKind::NotFound.into());
        match parse(&format!("[tls]\n{lines}\n"), Path::new("/etc/c"), &no_files) {
            Ok(config) => Ok(config.tls),
            Err(complaints) => Err(complaints.iter().map(ToString::to_string).collect()),
        }
    }

    #[test]
    fn pair_of_files_is_given_whole_or_not_at_all() {
        let tls = read("certificate = 'a.pem'\nkey = '/b.pem'\nhsts = true").unwrap();
        assert_eq!(tls.files, Some((PathBuf::from("/etc/a.pem"), PathBuf::from("/b.pem"))));
        assert!(tls.hsts);
        assert_eq!(read("").unwrap(), super::Tls::default());
        for (lines, complaint) in [
            ("certificate = 'a.pem'", "/etc/c:2:1: [tls]: certificate needs its private key; write key"),
            ("key = 'a.pem'", "/etc/c:2:1: [tls]: key needs its certificate; write certificate"),
            ("hsts = true", "/etc/c:2:1: [tls]: hsts needs a certificate that browsers trust; write certificate"),
            ("certificate = 'a.pem'\nkye = 'b'", "/etc/c:3:1: [tls]: unknown key \"kye\"; did you mean \"key\"?"),
            ("cert = 'a.pem'", "/etc/c:2:1: [tls]: unknown key \"cert\"; did you mean \"certificate\"?"),
        ] {
            let complaints = read(lines).unwrap_err();
            assert!(complaints.len() == 1 && complaints[0].starts_with(complaint), "{lines}: {complaints:#?}");
        }
        assert!(!read("hsts = false").unwrap().hsts);
    }
}
