//! `names`, `embed` and `trusted_proxies` of `[server]`: the host names of the wall, the sites whose
//! pages may show its pictures, and the proxies before it.

use std::net::IpAddr;

use toml::{Spanned, de::DeValue};

use super::{
    address::{ends_in_number, is_host_name},
    diagnostics::Diagnostics,
    key::{Key, List, Unset},
    section::Section,
    server_keys,
    web_origin::{Host, WebOrigin},
    wording::{kind, quoted},
};

/// Returns the host names of `names`, in lower case.
pub(super) fn names(section: &Section<'_>, diagnostics: &mut Diagnostics<'_>) -> Vec<String> {
    list(section, &server_keys::NAMES, name, diagnostics)
}

/// Returns the origins of `embed`.
pub(super) fn embed(section: &Section<'_>, diagnostics: &mut Diagnostics<'_>) -> Vec<WebOrigin> {
    list(section, &server_keys::EMBED, origin, diagnostics)
}

/// Returns the addresses of `trusted_proxies`.
pub(super) fn trusted_proxies(section: &Section<'_>, diagnostics: &mut Diagnostics<'_>) -> Vec<IpAddr> {
    list(section, &server_keys::TRUSTED_PROXIES, proxy, diagnostics)
}

/// Returns the entries of the list `key`, parsed by `read`, and complains about every wrong entry.
pub(super) fn list<T: PartialEq>(
    section: &Section<'_>,
    row: &Key<List, Unset>,
    read: fn(&str) -> Result<T, String>,
    diagnostics: &mut Diagnostics<'_>,
) -> Vec<T> {
    let Some(value) = section.value(row) else { return Vec::new() };
    let (key, List { most, example, .. }) = (row.name, row.values);
    let at = value.span().start;
    let DeValue::Array(entries) = value.get_ref() else {
        section.report(at, format!("{key} is {}; write a list, like {example}", kind(value.get_ref())), diagnostics);
        return Vec::new();
    };
    if entries.len() > most {
        let words = format!("{key} has {} entries; write at most {most}", entries.len());
        section.report(at, words, diagnostics);
    }
    let mut found = Vec::new();
    for entry in entries {
        match one(entry, key, example, read) {
            Err(wrong) => section.report(entry.span().start, wrong, diagnostics),
            Ok(entry_value) if found.contains(&entry_value) => {
                section.report(entry.span().start, format!("{key} has this twice; write it once"), diagnostics);
            }
            Ok(entry_value) => found.push(entry_value),
        }
    }
    found
}

fn one<T>(
    entry: &Spanned<DeValue<'_>>,
    key: &str,
    example: &str,
    read: fn(&str) -> Result<T, String>,
) -> Result<T, String> {
    let Some(text) = entry.get_ref().as_str() else {
        return Err(format!("{key} holds {}; write texts, like {example}", kind(entry.get_ref())));
    };
    read(text).map_err(|wrong| format!("{key}{}: {wrong}", quoted(text)))
}

/// # Errors
/// What is wrong with the name, and what would be right.
fn name(text: &str) -> Result<String, String> {
    let example = "write a name like \"wall.example.com\"";
    let wrong = if text.trim().is_empty() {
        "it is empty"
    } else if text.contains('*') {
        return Err("wildcards are not supported; write each name".to_owned());
    } else if text.contains("://") {
        "it is a URL"
    } else if text.contains('/') {
        "it holds a path"
    } else if text.parse::<std::net::IpAddr>().is_ok() || matches!(Host::parse(text), Some(Host::Ip(_))) {
        return Err("IP addresses are always accepted; remove this one".to_owned());
    } else if text.contains(':') {
        "it contains a port, but a name is accepted with every port"
    } else if !text.is_ascii() {
        return Err("it is not ASCII; write it as browsers send it, like \"xn--nxasmq6b.example\"".to_owned());
    } else if ends_in_number(text) || !is_host_name(text) {
        "it is not a host name"
    } else {
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        return match name.as_str() {
            "localhost" => Err("localhost is always accepted; remove it".to_owned()),
            _ => Ok(name),
        };
    };
    Err(format!("{wrong}; {example}"))
}

/// # Errors
/// What is wrong with the address, and what would be right.
fn proxy(text: &str) -> Result<IpAddr, String> {
    text.parse()
        .map(|address: IpAddr| address.to_canonical())
        .map_err(|_| "it is not an IP address; write that from which the proxy connects, like \"127.0.0.1\"".to_owned())
}

/// # Errors
/// What is wrong with the origin, and what would be right.
fn origin(text: &str) -> Result<WebOrigin, String> {
    let example = "write scheme and host, like \"https://intranet.example\", and the port if it is not the usual one";
    if let Some(origin) = WebOrigin::parse(text) {
        return Ok(origin);
    }
    let wrong = match text.split_once("://") {
        _ if text.trim().is_empty() => "it is empty",
        _ if text.contains('*') => return Err("wildcards are not supported; write each origin".to_owned()),
        _ if text == "null" => return Err("pages without an origin, as from a file, cannot be named".to_owned()),
        None => "the scheme is missing",
        Some((scheme, _)) if !["http", "https"].contains(&scheme.to_ascii_lowercase().as_str()) => {
            "the scheme is neither http nor https"
        }
        Some((_, rest)) if rest.contains(['/', '?', '#']) => "it holds a path",
        Some((_, rest)) if rest.contains('@') => "it holds a login",
        Some(_) => "this is not a host",
    };
    Err(format!("{wrong}; {example}"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::{Server, parse};

    fn read(line: &str) -> Result<Server, Vec<String>> {
        let no_files = |_: &Path| Err(std::io::ErrorKind::NotFound.into());
        match parse(&format!("[server]\n{line}\n"), Path::new("c"), &no_files) {
            Ok(config) => Ok(config.server),
            Err(complaints) => Err(complaints.iter().map(ToString::to_string).collect()),
        }
    }

    #[test]
    fn names_and_origins_are_kept_as_browsers_send_them() {
        let server = read(
            "names = ['Wall.Example.com.', 'wall', 'xn--nxasmq6b.example']\n\
             embed = ['HTTPS://Intranet.example:443', 'http://10.0.0.9:3000']",
        )
        .unwrap();
        assert_eq!(server.names, ["wall.example.com", "wall", "xn--nxasmq6b.example"]);
        let embed: Vec<String> = server.embed.iter().map(ToString::to_string).collect();
        assert_eq!(embed, ["https://intranet.example", "http://10.0.0.9:3000"]);
        let empty = read("names = []\nembed = []").unwrap();
        assert_eq!((empty.names.len(), empty.embed.len()), (0, 0));
    }

    #[test]
    fn what_no_browser_sends_is_a_complaint_with_its_place() {
        for (line, wrong) in [
            (
                "names = 'wall.example.com'",
                "c:2:9: [server]: names is a text; write a list, like [\"wall.example.com\"]",
            ),
            ("names = [1]", "c:2:10: [server]: names holds a whole number; write texts"),
            ("names = ['']", "c:2:10: [server]: names \"\": it is empty; write a name like"),
            ("names = ['a', 'http://b/']", "c:2:15: [server]: names \"http://b/\": it is a URL; write a name like"),
            (
                "names = ['b:8080']",
                "c:2:10: [server]: names \"b:8080\": it contains a port, but a name is accepted with every port; write",
            ),
            ("names = ['b/wall']", "c:2:10: [server]: names \"b/wall\": it holds a path; write"),
            (
                "names = ['*.example.com']",
                "c:2:10: [server]: names \"*.example.com\": wildcards are not supported; write each",
            ),
            ("names = ['10.0.0.1']", "c:2:10: [server]: names \"10.0.0.1\": IP addresses are always accepted"),
            ("names = ['fd00::1']", "c:2:10: [server]: names \"fd00::1\": IP addresses are always accepted"),
            ("names = ['[fd00::1]']", "c:2:10: [server]: names \"[fd00::1]\": IP addresses are always accepted"),
            ("names = ['LocalHost']", "c:2:10: [server]: names \"LocalHost\": localhost is always accepted"),
            ("names = ['10.0.0.300']", "c:2:10: [server]: names \"10.0.0.300\": it is not a host name; write"),
            ("names = ['a b']", "c:2:10: [server]: names \"a b\": it is not a host name; write"),
            ("names = ['門.example']", "c:2:10: [server]: names \"門.example\": it is not ASCII; write it as browsers"),
            ("names = ['a', 'A.']", "c:2:15: [server]: names has this twice; write it once"),
            ("name = 'a'", "c:2:1: [server]: unknown key \"name\"; it belongs below [[user]] or [[camera]]"),
            ("server_name = 'a'", "c:2:1: [server]: unknown key \"server_name\"; did you mean \"names\"?"),
            (
                "embed = 'https://a'",
                "c:2:9: [server]: embed is a text; write a list, like [\"https://intranet.example\"]",
            ),
            (
                "embed = ['a.example']",
                "c:2:10: [server]: embed \"a.example\": the scheme is missing; write scheme and host",
            ),
            ("embed = ['ws://a']", "c:2:10: [server]: embed \"ws://a\": the scheme is neither http nor https; write"),
            (
                "embed = ['https://a/']",
                "c:2:10: [server]: embed \"https://a/\": it holds a path; write scheme and host",
            ),
            ("embed = ['*']", "c:2:10: [server]: embed \"*\": wildcards are not supported; write each origin"),
            ("embed = ['https://*.a']", "c:2:10: [server]: embed \"https://*.a\": wildcards are not supported"),
            ("embed = ['null']", "c:2:10: [server]: embed \"null\": pages without an origin, as from a file"),
            ("embed = ['https://u:p@a']", "c:2:10: [server]: embed: it holds a login; write"),
            ("embed = ['https://a:b']", "c:2:10: [server]: embed \"https://a:b\": this is not a host; write"),
            (
                "trusted_proxies = ['proxy.example']",
                "c:2:20: [server]: trusted_proxies \"proxy.example\": it is not an IP address; write that",
            ),
            ("trusted_proxies = ['::1', '0::1']", "c:2:27: [server]: trusted_proxies has this twice; write it once"),
            ("embed = ['http://a', 'HTTP://A:80']", "c:2:22: [server]: embed has this twice; write it once"),
        ] {
            let complaints = read(line).unwrap_err();
            assert!(complaints.len() == 1 && complaints[0].starts_with(wrong), "{line}: {complaints:#?}");
        }
        let long = format!("names = [{}]", (0..33).map(|n| format!("'n{n}',")).collect::<String>());
        assert!(read(&long).unwrap_err()[0].contains("names has 33 entries; write at most 32"));
    }
}
