//! Valid and invalid files. The texts of complaints are tested in `tests/pure/config_check.rs`.

use std::{io, path::PathBuf, time::Duration};

use super::*;
use crate::camera::{Camera, Damaged, Reader, Source, StreamSource, Transport, Trust};

mod table;

/// One password file, `secret`, next to the configuration.
fn one_secret(path: &Path) -> io::Result<SecretFile> {
    match path.to_str() {
        Some("/etc/cctv-agent/secret") => Ok(SecretFile { text: "from file\n".into(), readable_by_all: false }),
        Some("/etc/cctv-agent/open") => Ok(SecretFile { text: "x".into(), readable_by_all: true }),
        Some("/etc/cctv-agent/empty") => Ok(SecretFile { text: "\n".into(), readable_by_all: false }),
        Some("/etc/cctv-agent/lines") => Ok(SecretFile { text: "a\nb\n".into(), readable_by_all: false }),
        _ => Err(io::ErrorKind::NotFound.into()),
    }
}

fn parsed(text: &str) -> Config {
    super::parse(text, Path::new(DEFAULT_FILE), &one_secret).unwrap_or_else(|complaints| panic!("{complaints:#?}"))
}

fn complaints(text: &str) -> Vec<String> {
    let complaints = super::parse(text, Path::new("/etc/cctv-agent/c"), &one_secret).unwrap_err();
    complaints.iter().map(|complaint| complaint.to_string().replace("/etc/cctv-agent/", "")).collect()
}

/// Returns the only complaint about one camera with these `lines`, without its position.
fn camera_complaint(lines: &str) -> String {
    let all = complaints(&format!("[[camera]]\nid = \"gate\"\n{lines}\n"));
    assert_eq!(all.len(), 1, "{all:#?}");
    all[0].split_once(": ").unwrap().1.to_owned()
}

fn login(config: &Config, index: usize) -> Option<(&str, &str)> {
    let credentials = config.cameras[index].stream_source.credentials.as_ref()?;
    Some((&credentials.username, credentials.password.expose()))
}

#[test]
fn empty_file_is_a_wall_without_cameras() {
    let config = parsed("");
    assert_eq!(config.server, Server::default());
    assert_eq!(config.server.listen, ["127.0.0.1:8080".parse().unwrap()]);
    assert!(config.cameras.is_empty() && config.warnings.is_empty());
}

#[test]
fn every_key_reaches_its_field() {
    let config = parsed(
        r#"
        [server]
        listen = ["127.0.0.1:1234", "[::1]:1234"]
        names = ["Wall.example.com"]
        embed = ["https://intranet.example:8443"]
        www = "page"
        state_dir = "/state"
        discovery_port = 3703
        [watchdog]
        device = "watchdog0"
        timeout = 60
        [defaults]
        username = "viewer"
        password = "shared"
        transport = "udp"
        reader = "opencv"
        open_within = 60
        clear_password = true
        damaged = "hide"
        quality = 60
        max_fps = 12
        passthrough = false
        stall_after = 8
        [[camera]]
        id = "gate"
        name = "大門"
        ip = "192.168.1.64"
        profile = "Profile_1"
        small_profile = "Profile_2"
        onvif_port = 8000
        uuid = "urn:uuid:1"
        trust = "address"
        stream_host = "192.168.1.70"
        [[camera]]
        id = "porch"
        url = "rtsp://10.0.0.2/live?a=1"
        username = "own"
        password = ""
        transport = "tcp"
        reader = "rtsp"
        open_within = 3
        clear_password = false
        damaged = "show"
        quality = 0x5A
        max_fps = 60
        passthrough = true
        stall_after = 2.5
        enabled = true
        "#,
    );
    assert_eq!(config.server.listen.len(), 2);
    assert_eq!(config.server.www, Path::new("/etc/cctv-agent/page"));
    assert_eq!(config.server.state_dir, Path::new("/state"));
    assert_eq!(config.server.discovery_port, Some(3703));
    assert_eq!(config.server.names, ["wall.example.com"]);
    assert_eq!(config.server.embed[0].to_string(), "https://intranet.example:8443");
    let device = Some(PathBuf::from("/etc/cctv-agent/watchdog0"));
    assert_eq!(config.watchdog, Watchdog { device, timeout: Duration::from_secs(60) });
    let [gate, porch] = &config.cameras[..] else { panic!("two cameras") };
    assert_eq!((gate.id.as_str(), gate.name.as_str()), ("gate", "大門"));
    let source = Source::Onvif {
        host: Some("192.168.1.64".into()),
        port: 8000,
        profile: Some("Profile_1".into()),
        uuid: Some("urn:uuid:1".into()),
        trust: Trust::Address,
        stream_host: Some("192.168.1.70".into()),
    };
    assert_eq!(gate.stream_source.source, source);
    assert_eq!(gate.stream_source.small_profile.as_deref(), Some("Profile_2"));
    assert_eq!(
        (gate.stream_source.transport, gate.options.quality, gate.options.max_fps),
        (Some(Transport::Udp), 60, 12)
    );
    assert_eq!((gate.options.passthrough, gate.options.stall_after), (false, Duration::from_secs(8)));
    let reading = |camera: &Camera| {
        let StreamSource { reader, open_within, clear_password, .. } = camera.stream_source;
        (reader, open_within.as_secs(), clear_password, camera.options.damaged)
    };
    assert_eq!(reading(gate), (Reader::Opencv, 60, true, Damaged::Hide));
    assert_eq!(reading(porch), (Reader::Rtsp, 3, false, Damaged::Show));
    assert_eq!(login(&config, 0), Some(("viewer", "shared")));
    assert!(matches!(&porch.stream_source.source, Source::Url(uri) if uri.as_str() == "rtsp://10.0.0.2/live?a=1"));
    assert_eq!(porch.name, "porch");
    assert_eq!(
        (porch.stream_source.transport, porch.options.quality, porch.options.max_fps),
        (Some(Transport::Tcp), 90, 60)
    );
    assert_eq!((porch.options.passthrough, porch.options.stall_after), (true, Duration::from_millis(2500)));
    assert_eq!(login(&config, 1), Some(("own", "")));
}

#[test]
fn disabled_camera_is_checked_and_left_out() {
    let text = "[[camera]]\nid='a'\nip='10.0.0.1'\nenabled=false\n[[camera]]\nid='b'\nip='10.0.0.2'\n";
    assert_eq!(parsed(text).cameras.len(), 1);
    assert_eq!(complaints(&text.replace("10.0.0.1", "10.0.0.999")).len(), 1);
}

#[test]
fn uuid_alone_says_where_the_camera_is() {
    let config = parsed("[[camera]]\nid='a'\nuuid='urn:uuid:7'\n");
    assert!(matches!(
        &config.cameras[0].stream_source.source,
        Source::Onvif { host: None, uuid: Some(_), port: 80, .. }
    ));
}

#[test]
fn password_file_stands_next_to_the_configuration_and_loses_its_newline() {
    let config = parsed("[[camera]]\nid='a'\nip='gate'\nusername='u'\npassword_file='secret'\n");
    assert_eq!(login(&config, 0), Some(("u", "from file")));
}

#[test]
fn password_file_of_a_camera_goes_before_the_default_password() {
    let config =
        parsed("[defaults]\nusername='u'\npassword='p'\n[[camera]]\nid='a'\nip='gate'\npassword_file='secret'\n");
    assert_eq!(login(&config, 0), Some(("u", "from file")));
}

#[test]
fn unusable_password_files_are_complaints_without_the_path() {
    for (file, wrong) in [
        ("hunter2", "password_file cannot be read: there is no such file"),
        ("empty", "password_file names an empty file"),
        ("lines", "password_file names a file with more than one line"),
        ("", "password_file is empty"),
    ] {
        let complaint = camera_complaint(&format!("ip='gate'\nusername='u'\npassword_file='{file}'"));
        assert!(complaint.starts_with(&format!("camera \"gate\": {wrong}")), "{complaint}");
        assert!(!complaint.contains("hunter2"), "{complaint}");
    }
}

#[test]
fn password_file_open_to_all_is_a_remark_and_no_complaint() {
    let config = parsed("[[camera]]\nid='a'\nip='gate'\nusername='u'\npassword_file='open'\n");
    assert_eq!(config.warnings.len(), 1);
    assert!(config.warnings[0].to_string().starts_with("/etc/cctv-agent/cameras.toml:5:15: camera \"a\": every user"));
}

#[test]
fn half_a_login_is_a_complaint_where_its_half_stands() {
    assert!(camera_complaint("ip='gate'\nusername='u'").contains("username without a password"));
    assert!(camera_complaint("ip='gate'\npassword='hunter2'").contains("password without a username"));
    let two = "[[camera]]\nid='a'\nip='a'\n[[camera]]\nid='b'\nip='b'\n";
    let all = complaints(&format!("[defaults]\nusername='u'\n{two}"));
    assert_eq!(all.len(), 1, "once, not per camera: {all:#?}");
    assert!(all[0].starts_with("c:2:10: [defaults]: username without a password"), "{all:#?}");
}

#[test]
fn empty_user_name_means_no_login() {
    let config = parsed("[defaults]\nusername='u'\npassword='p'\n[[camera]]\nid='a'\nip='a'\nusername=''\n");
    assert_eq!(login(&config, 0), None);
}

#[test]
fn login_in_a_url_is_decoded_and_moved_out_of_it() {
    let config = parsed(
        "[defaults]\nusername='u'\npassword='p'\n\
         [[camera]]\nid='a'\nurl='rtsp://me:p%40ss%23@10.0.0.1/live'\n\
         [[camera]]\nid='b'\nurl='rtsp://me@10.0.0.1/live'\npassword='own'\n\
         [[camera]]\nid='c'\nurl='rtsp://me:@10.0.0.1/live'\n",
    );
    assert_eq!(login(&config, 0), Some(("me", "p@ss#")));
    assert_eq!(login(&config, 1), Some(("me", "own")));
    assert_eq!(login(&config, 2), Some(("me", "")));
    assert!(
        matches!(&config.cameras[0].stream_source.source, Source::Url(uri) if uri.as_str() == "rtsp://10.0.0.1/live")
    );
}

#[test]
fn login_given_twice_is_a_complaint() {
    let url = "url='rtsp://me:hunter2@10.0.0.1/live'";
    assert!(camera_complaint(&format!("{url}\nusername='u'")).contains("username is given here and in url"));
    assert!(camera_complaint(&format!("{url}\npassword='hunter2'")).contains("password is given here and in url"));
    let both = camera_complaint("ip='a'\nusername='u'\npassword='hunter2'\npassword_file='secret'");
    assert!(both.contains("password_file and password are both given"), "{both}");
}

#[test]
fn address_that_is_trusted_must_be_there() {
    let complaint = camera_complaint("uuid='urn:uuid:7'\ntrust='address'");
    assert!(complaint.contains("trust = \"address\" needs an address; add ip"), "{complaint}");
    let config = parsed("[[camera]]\nid='a'\nip='h'\ntrust='identity'\n[[camera]]\nid='b'\nip='h'\n");
    for camera in &config.cameras {
        let source = &camera.stream_source.source;
        assert!(matches!(source, Source::Onvif { trust: Trust::Identity, stream_host: None, .. }), "{source:?}");
    }
}

#[test]
fn login_in_a_url_that_would_end_a_header_line_is_a_complaint() {
    for login in ["u%0d%0ax:hunter2", "u:hunter2%00"] {
        let complaint = camera_complaint(&format!("url='rtsp://{login}@10.0.0.1/live'"));
        assert!(complaint.contains("control character") && !complaint.contains("hunter2"), "{complaint}");
    }
}

#[test]
fn url_stands_alone() {
    for key in [
        "ip='10.0.0.1'",
        "profile='p'",
        "small_profile='p'",
        "onvif_port=80",
        "uuid='u'",
        "trust='address'",
        "stream_host='h'",
    ] {
        let complaint = camera_complaint(&format!("url='rtsp://10.0.0.1/live'\n{key}"));
        assert!(complaint.contains("means nothing next to url"), "{complaint}");
    }
}

#[test]
fn url_that_only_opencv_reads_is_read_by_it_whatever_the_defaults_say() {
    let rtsp_only = "[defaults]\nreader='rtsp'\ntransport='udp'\n";
    for url in ["rtmp://u:p@10.0.0.1/live/a", "https://10.0.0.1/a.m3u8?b=c"] {
        let text = format!("{rtsp_only}[[camera]]\nid='gate'\nurl='{url}'\n");
        let source = parsed(&text).cameras.remove(0).stream_source;
        assert_eq!((source.reader, source.transport), (Reader::Auto, None));
        assert!(matches!(&source.source, Source::Url(uri) if uri.needs_opencv()));
        let complaint = camera_complaint(&format!("url='{url}'\ntransport='tcp'"));
        assert!(complaint.contains("transport means nothing for HLS and RTMP"), "{complaint}");
        let complaint = camera_complaint(&format!("url='{url}'\nreader='rtsp'"));
        assert!(complaint.contains("reads no HLS, no RTMP"), "{complaint}");
        parsed(&format!("[[camera]]\nid='gate'\nurl='{url}'\nreader='opencv'\n"));
    }
    for url in ["/dev/video0", "/dev/v4l/by-id/usb-046d_C920-video-index0?size=1280x720"] {
        let source = parsed(&format!("[[camera]]\nid='gate'\nurl='{url}'\n")).cameras.remove(0).stream_source;
        assert!(matches!(&source.source, Source::Url(uri) if uri.device().is_some()));
    }
    assert!(camera_complaint("url='/dev/sda'").contains("url is not a camera at this machine; write it like"));
    let other = parsed("[[camera]]\nid='gate'\nurl='http://10.0.0.1/live.ts'\nreader='opencv'\n");
    assert_eq!(other.cameras[0].stream_source.reader, Reader::Opencv);
    let pinned = format!("url='https://10.0.0.1/a.m3u8'\nfingerprint='sha256:{}'", "00".repeat(32));
    assert!(camera_complaint(&pinned).contains("it takes any key; remove fingerprint"));
}

#[test]
fn url_of_http_is_read_by_the_agent_whatever_the_defaults_say() {
    let rtsp_only = "[defaults]\nreader='opencv'\ntransport='udp'\n";
    let text = format!("{rtsp_only}[[camera]]\nid='gate'\nurl='http://u:p@10.0.0.1/video'\n");
    let source = parsed(&text).cameras.remove(0).stream_source;
    assert_eq!((source.reader, source.transport), (Reader::Auto, None));
    assert!(matches!(&source.source, Source::Url(uri) if uri.as_str() == "http://10.0.0.1/video"));
    assert_eq!(source.credentials.unwrap().username, "u");
    for key in ["transport = 'udp'", "reader = 'rtsp'"] {
        let complaint = camera_complaint(&format!("url='http://10.0.0.1/video'\n{key}"));
        assert!(complaint.contains("means nothing for JPEG over HTTP"), "{complaint}");
    }
    let snapshot =
        parsed(&format!("{rtsp_only}[[camera]]\nid='gate'\nsnapshot_url='http://u:p@10.0.0.1/a.jpg'\nevery=2\n"));
    let source = &snapshot.cameras[0].stream_source;
    assert!(matches!(&source.source, Source::Url(uri) if uri.as_str() == "http://10.0.0.1/a.jpg"));
    assert_eq!(
        (source.is_snapshot, source.snapshot_every, source.reader),
        (true, Duration::from_secs(2), Reader::Auto)
    );
    for (lines, wrong) in [
        ("every=3", "every is 3 s, and stall_after, 5 s, is less than twice that; write stall_after = 6"),
        ("ip='10.0.0.1'", "ip means nothing next to snapshot_url"),
        ("url='rtsp://10.0.0.1/'", "url means nothing next to snapshot_url"),
        ("transport='udp'", "transport means nothing for JPEG over HTTP"),
    ] {
        let complaint = camera_complaint(&format!("snapshot_url='http://10.0.0.1/a.jpg'\n{lines}"));
        assert!(complaint.contains(wrong), "{complaint}");
    }
    let complaint = camera_complaint("snapshot_url='rtsp://10.0.0.1/'");
    assert!(complaint.contains("snapshot_url is not an address of HTTP"), "{complaint}");
    let pinned = format!("url='http://10.0.0.1/'\nfingerprint='sha256:{}'", "00".repeat(32));
    assert!(camera_complaint(&pinned).contains("write url = \"https://…\""));
}

#[test]
fn url_that_is_none_is_a_complaint_that_does_not_show_it() {
    for bad in ["ftp://u:hunter2@h/", "rtsp://u:hun/ter2@h/live", "10.0.0.1", "", "rtsp://h/a b"] {
        let complaint = camera_complaint(&format!("url='{bad}'"));
        assert!(complaint.contains("url is not an address of RTSP, HTTP or RTMP"), "{complaint}");
        assert!(!complaint.contains("hun"), "{complaint}");
    }
}

#[test]
fn listen_twice_or_covered_is_a_complaint() {
    for (listen, wrong) in [
        ("['127.0.0.1:80', '127.0.0.1:80']", "has 127.0.0.1:80 twice"),
        ("['0.0.0.0:80', '127.0.0.1:80']", "one covers the other"),
        ("[]", "is an empty list"),
        ("'127.0.0.1'", "the port is missing"),
        ("':80'", "the address is missing"),
        ("'localhost:80'", "names are not taken"),
        ("'127.0.0.1:99999'", "a port is a number"),
        ("8080", "listen is a whole number"),
        ("[true]", "listen is true"),
        ("'::1'", "brackets and port are missing"),
    ] {
        let all = complaints(&format!("[server]\nlisten = {listen}\n"));
        assert!(all.len() == 1 && all[0].contains(wrong), "{listen}: {all:#?}");
    }
    assert_eq!(parsed("[server]\nlisten=['0.0.0.0:80', '127.0.0.1:81', '[::1]:80']").server.listen.len(), 3);
}

#[test]
fn hardware_watchdog_is_left_alone_unless_named_and_not_set_to_reset_healthy_machines() {
    assert_eq!(parsed("").watchdog, Watchdog { device: None, timeout: Duration::from_secs(30) });
    assert_eq!(parsed("[watchdog]\ndevice = '/dev/watchdog1'\n").watchdog.timeout.as_secs(), 30);
    for (wrong, words) in [
        ("timeout = 5", "from 10 to 600"),
        ("timeout = '30'", "from 10 to 600"),
        ("device = ''", "like \"/dev/watchdog\""),
        ("device = true", "like \"/dev/watchdog\""),
        ("devise = '/dev/watchdog'", "did you mean \"device\"?"),
        ("listen = '127.0.0.1:80'", "it belongs below [server]"),
    ] {
        let all = complaints(&format!("[watchdog]\n{wrong}\n"));
        assert!(all.len() == 1 && all[0].contains("[watchdog]: ") && all[0].contains(words), "{all:?}");
    }
    assert_eq!(complaints("[[watchdog]]\n").len(), 1);
    assert!(complaints("[server]\ndevice = '/dev/watchdog'\n")[0].contains("it belongs below [watchdog]"));
    assert!(complaints("[watchdoc]\n")[0].contains("did you mean [watchdog]?"));
}

#[test]
fn discovery_port_is_one_that_anybody_may_bind() {
    for wrong in ["80", "0", "65536", "'3703'"] {
        let all = complaints(&format!("[server]\ndiscovery_port = {wrong}\n"));
        assert!(all.len() == 1 && all[0].contains("a whole number from 1024 to 65535"), "{wrong}: {all:#?}");
    }
    assert_eq!(parsed("").server.discovery_port, None);
}

#[test]
fn sixty_four_cameras_are_taken_and_one_more_is_not() {
    let cameras =
        |count: usize| -> String { (0..count).map(|n| format!("[[camera]]\nid='c{n}'\nip='10.0.0.{n}'\n")).collect() };
    assert_eq!(parsed(&cameras(64).replace("10.0.0.0'", "10.0.1.1'")).cameras.len(), 64);
    let all = complaints(&cameras(65).replace("10.0.0.0'", "10.0.1.1'"));
    assert_eq!(all, ["c:193:1: camera \"c64\": one of 65 cameras; at most 64 fit on the wall"]);
}

#[test]
fn values_outside_their_range_or_kind_are_complaints() {
    for (line, wrong) in [
        ("quality = 0", "quality is 0; write a whole number from 1 to 100"),
        ("quality = 101", "quality is 101"),
        ("quality = 80.0", "quality is a number with a fraction"),
        ("quality = '80'", "quality is a text; write a whole number from 1 to 100, without quotation marks"),
        ("quality = 99999999999999999999", "quality is 99999999999999999999; write"),
        ("max_fps = 61", "max_fps is 61; write a whole number from 1 to 60"),
        ("stall_after = 0.5", "stall_after is 0.5; write a number from 1.0 to 60.0"),
        ("stall_after = nan", "stall_after is nan; write"),
        ("onvif_port = 0", "onvif_port is 0; write a whole number from 1 to 65535"),
        ("onvif_port = 65536", "onvif_port is 65536"),
        ("enabled = 'yes'", "enabled is a text; write true or false"),
        ("passthrough = 'off'", "passthrough is a text; write true or false"),
        ("enabled = 1", "enabled is a whole number; write true or false"),
        ("transport = 'TCP'", "transport \"TCP\" is unknown; write \"tcp\" or \"udp\" or \"multicast\" or \"http\""),
        ("reader = 'ffmpeg'", "reader \"ffmpeg\" is unknown; write \"auto\" or \"rtsp\" or \"opencv\""),
        ("open_within = 2", "open_within is 2; write a whole number from 3 to 120"),
        ("clear_password = 'no'", "clear_password is a text; write true or false"),
        ("damaged = true", "damaged is true; write a text in quotation marks, like \"show\""),
        ("name = ''", "name is empty"),
        ("name = 5", "name is a whole number"),
        ("profile = \"a\\nb\"", "profile holds a line break"),
        ("password = 12345678", "password is a whole number; write a text in quotation marks"),
        ("uuid = []", "uuid is a list"),
        ("trust = 'me'", "trust \"me\" is unknown; write \"identity\" or \"address\""),
        ("stream_host = '10.0.0.300'", "stream_host \"10.0.0.300\" is not an IP address; write it like 192.168.1.20"),
        ("stream_host = '10.0.0.2:554'", "stream_host \"10.0.0.2:554\" holds a port; write \"10.0.0.2\""),
    ] {
        let complaint = camera_complaint(&format!("ip='10.0.0.1'\n{line}"));
        assert!(complaint.starts_with(&format!("camera \"gate\": {wrong}")), "{line}: {complaint}");
        assert!(!complaint.contains("12345678"));
    }
}

#[test]
fn unknown_keys_name_the_key_or_the_section_that_was_meant() {
    for (text, wrong) in [
        ("[[camera]]\nid='a'\nipp='10.0.0.1'", "c:3:1: camera \"a\": unknown key \"ipp\"; did you mean \"ip\"?"),
        ("[server]\nport=80", "c:2:1: [server]: unknown key \"port\"; did you mean \"listen\"?"),
        (
            "[server]\nquality=80",
            "c:2:1: [server]: unknown key \"quality\"; it belongs below [defaults] or [template.NAME] or [[camera]] or [[recorder]]",
        ),
        (
            "listen='127.0.0.1:80'",
            "c:1:1: outside of any section: key \"listen\" has no section; it belongs below [server]",
        ),
        ("[[cameras]]\nid='a'", "c:1:3: [cameras]: unknown section; did you mean [[camera]]?"),
        ("[sever]", "c:1:2: [sever]: unknown section; did you mean [server]?"),
        ("[camera]\nid='a'", "c:1:2: [camera]: cameras form a list; write [[camera]], with two brackets"),
        (
            "[[server]]\nwww='/a'",
            "c:1:3: [[server]]: this section can occur only once; write [server], with single brackets",
        ),
        ("server = 1", "c:1:1: [server]: this is a section; write [server] on a line of its own"),
        ("camera = 1", "c:1:1: [[camera]]: this is a section; write [[camera]] on a line of its own"),
        ("camera = [1]", "c:1:11: camera 1: this is a whole number; write a section [[camera]]"),
        (
            "[defaults]\nfoo=1",
            "c:2:1: [defaults]: unknown key \"foo\"; known here are username, password, password_file, transport, reader, open_within, clear_password, quality, max_fps, passthrough, stall_after, damaged, aspect, crop, mirror, rotate, ptz, home_after, sound",
        ),
    ] {
        assert_eq!(complaints(text), [wrong]);
    }
}

#[test]
fn missing_keys_are_complaints_at_the_camera() {
    assert_eq!(
        complaints("\n[[camera]]\nname = 'x'\n"),
        [
            "c:2:1: camera 1: id is missing; add one of letters, digits, - and _, like \"gate\"",
            "c:2:1: camera 1: nothing says where the camera is; add ip, or uuid, or url",
        ]
    );
}

#[test]
fn syntax_errors_are_told_all_at_once_and_bring_no_others_with_them() {
    let text = "[[camera]]\nid = gate\nip = 192.168.1.64\nname = \"Gate\nusername: admin\nquality 80\n\
                [[camera]]\nid = 'b'\nip = '10.0.0.1'\nenabled = yes\n";
    let all = complaints(text);
    let lines: Vec<&str> = all.iter().map(|c| c.split(':').nth(1).unwrap()).collect();
    assert_eq!(lines, ["2", "3", "4", "5", "6", "10"], "{all:#?}");
    assert!(all[1].contains("not a number; write numbers like 80, and text such as an address in quotation marks"));
}

#[test]
fn syntax_errors_never_quote_the_file() {
    for broken in [
        "password = hunter2",
        "password = \"hunter2",
        "password = 'hunter2' hunter2 = 3",
        "password = \"x\"hunter2\"",
        "password = \"\\hunter2\"",
        "password hunter2 = 5",
        "password = \"\"\"hunter2",
        "password: \"hunter2\"",
        "= \"hunter2\"",
        "password = [\"hunter2\"",
        "password = {hunter2 = 1",
        "password = hunter2@#!'\"",
    ] {
        for complaint in complaints(&format!("[[camera]]\nid='a'\nip='10.0.0.1'\nusername='u'\n{broken}\n")) {
            assert!(!complaint.contains("hunter2"), "{broken} gave {complaint}");
        }
    }
}

#[test]
fn debug_of_a_configuration_shows_no_password() {
    let text = "[[camera]]\nid='a'\nurl='rtsp://me:hunter2@h/user=x_password=hunter2_'\n";
    let shown = format!("{:?}", parsed(text));
    assert!(!shown.contains("hunter2"), "{shown}");
}

const SHIPPED: &str = include_str!("../../cameras.toml");

/// Returns the shipped file with every example uncommented, except those that `leave` accepts.
fn uncommented(leave: impl Fn(&str) -> bool) -> String {
    let example =
        |line: &str| line.starts_with("#[") || (line.starts_with('#') && line.contains(" = ") && &line[1..2] != " ");
    let lines = SHIPPED.lines().map(|line| match line.strip_prefix('#') {
        Some(rest) if example(line) && !leave(rest) => rest,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Whether the key cannot stand beside another one of the shipped file.
fn is_alternative(line: &str) -> bool {
    ["password_file", "token =", "wall ="].iter().any(|key| line.starts_with(key))
}

#[test]
fn shipped_file_works_as_it_is() {
    let config = parsed(SHIPPED);
    assert_eq!(config.server, Server::default());
    assert!(config.cameras.is_empty());
}

#[test]
fn examples_in_the_shipped_file_work() {
    let with_password = uncommented(is_alternative);
    let config = parsed(&with_password);
    // Four cameras, and the channels of a recorder.
    assert_eq!(config.cameras.len(), 4 + 16);
    assert_eq!(
        (login(&config, 0), login(&config, 1)),
        (Some(("guard", "something else")), Some(("viewer", "change me")))
    );
    let with_file = uncommented(|line| ["password =", "wall ="].iter().any(|key| line.starts_with(key)));
    assert_eq!(login(&parsed(&with_file), 1), Some(("viewer", "from file")));
}

#[test]
fn examples_in_the_shipped_file_show_the_defaults() {
    let bare = parsed("[[camera]]\nid = 'gate'\nip = '192.168.1.64'\n");
    let shown = &parsed(&uncommented(is_alternative)).cameras[0];
    assert_eq!(bare.cameras[0].options, shown.options);
    // If left out, it is TCP, unless the address that the camera gives says otherwise.
    assert_eq!((bare.cameras[0].stream_source.transport, shown.stream_source.transport), (None, Some(Transport::Tcp)));
}

#[test]
fn megabyte_of_mistakes_is_answered_in_one_go() {
    let text = "x\n'\n=\n[\n".repeat(20_000);
    assert_eq!(complaints(&text).len(), 200);
}

/// Tries every typing mistake of two characters: no complaint may show a password.
#[test]
fn no_slip_of_the_hand_makes_a_complaint_show_a_password() {
    const SLIPS: &[&str] = &["", "\"", "'", "=", "\n", "\\", "#", "[", "]", " ", "\"\"\"", "@", ":", "{", ",", "é"];
    let good = "[defaults]\nusername = \"viewer\"\npassword = \"hunter2\"\n[[camera]]\nid = \"a\"\nip = \"gate\"\n\
                [[camera]]\nid = \"b\"\nurl = \"rtsp://me:hunter2@10.0.0.1/live\"\n";
    let mut answered = 0;
    for (first, second) in (0..good.len()).zip((0..good.len()).cycle().skip(7)) {
        for (slip, other) in SLIPS.iter().zip(SLIPS.iter().cycle().skip(first % SLIPS.len())) {
            let mut text = good.to_owned();
            text.replace_range(first.max(second)..first.max(second) + 1, slip);
            text.replace_range(first.min(second)..first.min(second) + usize::from(first % 2 == 0), other);
            let Err(complaints) = super::parse(&text, Path::new("c"), &one_secret) else { continue };
            answered += complaints.len();
            for complaint in complaints {
                assert!(!complaint.to_string().contains("hunter2"), "{text}\ngave {complaint}");
            }
        }
    }
    assert!(answered > 1000, "{answered}");
}

#[test]
fn any_cut_of_a_file_is_answered_and_not_a_crash() {
    let text = SHIPPED.replace("\n#", "\n");
    for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)).step_by(7) {
        let _ = super::parse(&text[..end], Path::new("c"), &one_secret);
    }
}

#[test]
fn listen_is_found_whatever_else_is_wrong() {
    let path = std::env::temp_dir().join(format!("cctv-listen-{}.toml", std::process::id()));
    for (text, expected) in [
        ("[server]\nlisten = '127.0.0.9:81'\ncolour = 1\n[[camera]]\nid = 7\n", "127.0.0.9:81"),
        ("[server]\nlisten = '127.0.0.9:81'\n[[camera]]\nid = \"open\n", "127.0.0.9:81"),
        ("[server]\nlisten = 'everywhere'\n", "127.0.0.1:8080"),
        ("", "127.0.0.1:8080"),
    ] {
        std::fs::write(&path, text).unwrap();
        assert_eq!(startup(&path).unwrap().listen, [expected.parse().unwrap()], "{text}");
    }
    std::fs::remove_file(&path).unwrap();
    assert!(startup(&path).unwrap_err()[0].text.contains("no such file"));
}
