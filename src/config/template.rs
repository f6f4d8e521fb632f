//! `[template.NAME]`: what cameras have in common that share a pattern of addresses.

use std::collections::BTreeMap;

use super::{
    camera_defaults::CameraDefaults,
    credentials::SecretReader,
    diagnostics::Diagnostics,
    keys,
    section::{Located, Section},
    wording::quoted,
};

/// What can stand in braces in the addresses of a template.
const PLACEHOLDERS: [&str; 3] = ["ip", "channel", "n"];

/// The templates of a file by their names.
pub(super) type Templates = BTreeMap<String, Template>;

/// One template. Its addresses hold known placeholders only.
pub(super) struct Template {
    /// Its head, for complaints.
    place: String,
    pub(super) defaults: CameraDefaults,
    /// The address of the stream, or of one JPEG.
    pub(super) url: Option<String>,
    pub(super) is_snapshot: bool,
    pub(super) small_url: Option<String>,
}

/// What one camera puts in place of the placeholders.
#[derive(Default)]
pub(super) struct Values {
    pub(super) ip: Option<String>,
    pub(super) channel: Option<u16>,
    /// The number at the end of its identifier.
    pub(super) n: Option<String>,
}

/// Reads all templates, each with its name. `defaults`: what applies to cameras without a template.
pub(super) fn all(
    sections: &[(String, Section<'_>)],
    defaults: &CameraDefaults,
    base: &std::path::Path,
    read_secret: SecretReader<'_>,
    diagnostics: &mut Diagnostics<'_>,
) -> Templates {
    let mut templates = Templates::new();
    for (name, section) in sections {
        section.refuse_unknown(diagnostics);
        let own = CameraDefaults::read(section, base, read_secret, diagnostics);
        let url = section.text(&keys::TEMPLATE_URL, diagnostics);
        let small_url = section.text(&keys::TEMPLATE_SMALL_URL, diagnostics);
        let snapshot_url = section.text(&keys::TEMPLATE_SNAPSHOT_URL, diagnostics);
        for (key, written) in [
            (keys::TEMPLATE_URL.name, &url),
            (keys::TEMPLATE_SMALL_URL.name, &small_url),
            (keys::TEMPLATE_SNAPSHOT_URL.name, &snapshot_url),
        ] {
            if let Some(Located { at, value }) = written
                && let Some(unknown) = placeholders(value).find(|name| !PLACEHOLDERS.contains(name))
            {
                let words = format!("{key} has{} in braces; write {{ip}}, {{channel}} or {{n}}", quoted(unknown));
                section.report(*at, words, diagnostics);
            }
        }
        if let (Some(Located { at, .. }), true) = (&snapshot_url, url.is_some() || small_url.is_some()) {
            section.report(*at, "snapshot_url takes the place of url and small_url; remove one of them", diagnostics);
        }
        let template = Template {
            is_snapshot: snapshot_url.is_some(),
            place: section.place.clone(),
            defaults: own.or(defaults),
            url: url.or(snapshot_url).map(|url| url.value),
            small_url: small_url.map(|url| url.value),
        };
        templates.insert(name.clone(), template);
    }
    templates
}

impl Template {
    /// Returns the address `pattern` of this template for one camera.
    ///
    /// # Errors
    /// What the camera lacks for it.
    pub(super) fn filled(&self, pattern: &str, values: &Values) -> Result<String, String> {
        let mut text = pattern.to_owned();
        for name in PLACEHOLDERS {
            let mark = format!("{{{name}}}");
            if !pattern.contains(&mark) {
                continue;
            }
            let (value, right) = match name {
                "ip" => (values.ip.clone(), "add ip"),
                "channel" => (values.channel.map(|channel| channel.to_string()), "add channel"),
                _ => (values.n.clone(), "let id end with a number, like \"dock-7\""),
            };
            let value = value.ok_or_else(|| format!("{} has {mark} in an address; {right}", self.place))?;
            text = text.replace(&mark, &value);
        }
        Ok(text)
    }
}

/// Returns the number at the end of `id`, if there is one: `7` of `dock-7`.
pub(super) fn number_of(id: &str) -> Option<String> {
    let number = &id[id.trim_end_matches(|c: char| c.is_ascii_digit()).len()..];
    (!number.is_empty()).then(|| number.to_owned())
}

/// The words in braces in `pattern`.
fn placeholders(pattern: &str) -> impl Iterator<Item = &str> {
    pattern.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::{
        camera::{Source, StreamSource},
        config::{Config, changes::Changes, parse},
    };

    const ACME: &str = "[defaults]\nusername = 'u'\npassword = 'p'\nquality = 50\n\
                        [template.acme]\nurl = 'rtsp://{ip}:554/ch{channel}/{n}'\nsmall_url = 'rtsp://{ip}/{channel}/small'\n\
                        password = 'own'\ntransport = 'udp'\n";

    fn read(text: &str) -> Result<Config, Vec<String>> {
        let no_files = |_: &Path| Err(std::io::ErrorKind::NotFound.into());
        let config = parse(text, Path::new("c"), &no_files);
        config.map_err(|complaints| complaints.iter().map(ToString::to_string).collect())
    }

    fn addresses(source: &StreamSource) -> (String, Option<String>) {
        let Source::Url(url) = &source.source else { panic!("asked by ONVIF: {source:?}") };
        (url.as_str().to_owned(), source.small_url.as_ref().map(|url| url.as_str().to_owned()))
    }

    #[test]
    fn camera_takes_from_its_template_what_it_does_not_have_itself() {
        let camera = "[[camera]]\nid = 'dock-07'\ntemplate = 'acme'\nip = '10.0.0.7'\nchannel = 2\n";
        let config = read(&format!("{ACME}{camera}")).unwrap();
        let source = &config.cameras[0].stream_source;
        let small = Some("rtsp://10.0.0.7/2/small".to_owned());
        assert_eq!(addresses(source), ("rtsp://10.0.0.7:554/ch2/07".to_owned(), small.clone()));
        let login = source.credentials.as_ref().unwrap();
        assert_eq!((login.username.as_str(), login.password.expose()), ("u", "own"));
        assert_eq!((source.transport, config.cameras[0].options.quality), (Some(crate::camera::Transport::Udp), 50));
        let own = "quality = 7\npassword = 'mine'\ntransport = 'tcp'\nurl = 'rtsp://10.0.0.9/a'\n";
        let config = read(&format!("{ACME}{camera}{own}")).unwrap();
        let source = &config.cameras[0].stream_source;
        assert_eq!(addresses(source), ("rtsp://10.0.0.9/a".to_owned(), small));
        assert_eq!(source.credentials.as_ref().unwrap().password.expose(), "mine");
        assert_eq!((source.transport, config.cameras[0].options.quality), (Some(crate::camera::Transport::Tcp), 7));
    }

    #[test]
    fn template_without_an_address_is_for_cameras_with_onvif() {
        let text = "[template.acme]\nusername = 'u'\npassword = 'p'\n[[camera]]\nid = 'a'\nip = '10.0.0.1'\ntemplate = 'acme'\nprofile = 'x'\n";
        let config = read(text).unwrap();
        assert!(matches!(config.cameras[0].stream_source.source, Source::Onvif { .. }));
        assert_eq!(config.cameras[0].stream_source.credentials.as_ref().unwrap().username, "u");
    }

    #[test]
    fn snapshots_may_come_from_a_template() {
        let text = "[template.acme]\nsnapshot_url = 'http://{ip}/snap{n}.jpg'\n\
                    [[camera]]\nid = 'a-7'\nip = '10.0.0.1'\ntemplate = 'acme'\nevery = 2\n\
                    [[camera]]\nid = 'b'\nurl = 'rtsp://10.0.0.2/x'\ntemplate = 'acme'\n";
        let config = read(text).unwrap();
        let [a, b] = &config.cameras[..] else { panic!("{config:?}") };
        let uri = |camera: &crate::camera::Camera| match &camera.stream_source.source {
            Source::Url(uri) => uri.as_str().to_owned(),
            other => panic!("{other:?}"),
        };
        assert_eq!((uri(a), a.stream_source.is_snapshot), ("http://10.0.0.1/snap7.jpg".into(), true));
        assert_eq!((uri(b), b.stream_source.is_snapshot), ("rtsp://10.0.0.2/x".into(), false));
    }

    #[test]
    fn small_address_stands_beside_the_main_one_and_changes_alone() {
        let text = "[[camera]]\nid = 'a'\nurl = 'rtsp://10.0.0.1/a'\n";
        let (without, with) = (read(text).unwrap(), read(&format!("{text}small_url = 'rtsp://10.0.0.1/b'\n")).unwrap());
        assert!(with.cameras[0].stream_source.has_small() && !without.cameras[0].stream_source.has_small());
        let changes = Changes::between(&without, &with);
        assert!(changes.small_changed.len() == 1 && changes.reconnect.is_empty(), "{changes}");
    }

    #[test]
    fn what_template_and_camera_do_not_have_for_each_other_is_a_complaint() {
        let camera = |lines: &str| format!("{ACME}[[camera]]\nid = 'dock-7'\ntemplate = 'acme'\n{lines}\n");
        for (text, told) in [
            (camera("ip = '10.0.0.7'"), "[template.acme] has {channel} in an address; add channel"),
            (camera("channel = 1"), "[template.acme] has {ip} in an address; add ip"),
            (camera("ip = '10.0.0.7'\nchannel = 1\nprofile = 'x'"), "profile means nothing next to url"),
            (camera("ip = '10.0.0.7'\nchannel = 1").replace("dock-7", "dock"), "let id end with a number"),
            (camera("ip = '10.0.0.7'\nchannel = 1").replace("= 'acme'", "= 'acne'"), "there is no template \"acne\""),
            (
                ACME.replace("{n}", "{n}'\nsnapshot_url = 'http://{ip}/x.jpg"),
                "snapshot_url takes the place of url and small_url",
            ),
            (
                "[template.a]\nsnapshot_url = 'rtsp://{ip}/'\n[[camera]]\nid = 'a'\nip = 'a'\ntemplate = 'a'\n".into(),
                "snapshot_url is not an address of HTTP",
            ),
            (ACME.replace("{n}", "{x}"), "url has \"x\" in braces; write {ip}, {channel} or {n}"),
            ("[template]\nurl = 'rtsp://{ip}/'\n".into(), "[template]: it has a name; write [template.NAME]"),
            ("[[camera]]\nid = 'a'\nip = 'a'\nchannel = 3\n".into(), "channel needs a template with {channel}"),
            ("[[camera]]\nid = 'a'\nip = 'a'\nsmall_url = 'rtsp://a/'\n".into(), "small_url needs url"),
            (
                "[[camera]]\nid = 'a'\nurl = 'rtsp://a/'\nsmall_url = 'a'\n".into(),
                "small_url is not an address of RTSP, HTTP or RTMP",
            ),
            (
                "[[camera]]\nid = 'a'\nurl = 'rtsp://a/'\nsmall_url = 'rtsp://u:p@a/'\n".into(),
                "small_url has a login in it",
            ),
        ] {
            let all = read(&text).unwrap_err();
            assert!(all.iter().any(|one| one.contains(told)), "{text}: {all:#?}");
            assert!(all.iter().all(|one| one.contains(told)), "{text}: {all:#?}");
        }
    }
}
