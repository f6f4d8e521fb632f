//! Quirks of content: addresses, media services, profiles, and malformed XML.

use std::{net::TcpListener, time::Duration};

use cctv_agent::{
    camera::Transport,
    onvif::{Error, Hint, Kind, Limits, Resolved, Synchronization, resolve_within},
};

use super::{is_public, resolved, uris};
use crate::support::onvif_camera::{Answer, Camera, Request, envelope, md5_hex, ordinary};

#[test]
fn quirk_37_profile_without_a_stream_says_so() {
    let camera = Camera::start(|request| ordinary(request, 0));
    let error = resolved(&camera.target(), Some("meta")).unwrap_err();
    assert_eq!(error.kind(), Kind::Refused);
    assert!(error.to_string().contains("no stream for profile \"meta\""), "{error}");
}

#[test]
fn quirk_36_camera_without_get_services_is_asked_for_its_capabilities() {
    let camera = Camera::start(|request| match request.name() {
        "GetServices" => Answer::fault(400, &[], "Method 'GetServices' not implemented"),
        _ => ordinary(request, 0),
    });
    assert_eq!(uris(&resolved(&camera.target(), Some("000")).unwrap()), ["rtsp://127.0.0.1/sub"]);
}

#[test]
fn quirk_36_media_service_that_is_not_named_is_found_at_a_usual_place() {
    let camera = Camera::start(|request| match (request.name(), request.path.as_str()) {
        ("GetServices" | "GetCapabilities", _) => Answer::http(404, "", "<html>no</html>"),
        ("GetStreamUri", path) if path != "/onvif/media" => Answer::http(404, "", ""),
        _ => ordinary(request, 0),
    });
    assert_eq!(uris(&resolved(&camera.target(), Some("000")).unwrap()), ["rtsp://127.0.0.1/sub"]);
}

#[test]
fn quirk_14_first_media_service_stands_in_for_a_broken_second_one() {
    for broken in ["", "HTTP/1.1 500 Error\r\nContent-Type: text/html\r\n\r\n<!DOCTYPE html><html><br></html>"] {
        let camera = Camera::start(move |request| match request.path.as_str() {
            "/onvif/Media2" => Answer::raw(broken),
            _ => ordinary(request, 0),
        });
        assert_eq!(uris(&resolved(&camera.target(), Some("000")).unwrap()), ["rtsp://127.0.0.1/sub"]);
        assert_eq!(resolved(&camera.target(), None).unwrap().profile.token, "0 & main");
    }
}

#[test]
fn quirk_14_profiles_listed_bare_are_filled_in_from_the_other_service() {
    let camera = Camera::start(|request| match (request.name(), request.path.as_str()) {
        ("GetProfiles", "/onvif/Media2") => {
            Answer::soap("<R><tr2:Profiles token=\"000\"><tr2:Name>S</tr2:Name></tr2:Profiles></R>")
        }
        _ => ordinary(request, 0),
    });
    let found = resolved(&camera.target(), None).unwrap();
    assert_eq!((found.profile.name.as_str(), found.profile.encoding.as_deref()), ("S", Some("H264")));
}

#[test]
fn quirk_14_key_frame_is_asked_of_the_service_that_gives_one() {
    let camera = Camera::start(|request| match (request.name(), request.path.as_str()) {
        ("SetSynchronizationPoint", "/onvif/Media2") => Answer::fault(500, &["ter:ActionNotSupported"], "no"),
        ("SetSynchronizationPoint", _) => {
            let token = request.operation().text_at(&["ProfileToken"]);
            assert_eq!(token, Some("0 & main"));
            Answer::soap("<SetSynchronizationPointResponse/>")
        }
        _ => ordinary(request, 0),
    });
    let target = camera.target();
    smol::block_on(async {
        let mut synchronization = Synchronization::begin(&target, None, Limits::default()).await.unwrap();
        for _ in 0..3 {
            synchronization.request("0 & main").await.unwrap();
        }
    });
    let requests = camera.requests();
    let asked: Vec<_> = requests.iter().filter(|request| request.name() == "SetSynchronizationPoint").collect();
    let refused = asked.iter().filter(|request| request.path == "/onvif/Media2").count();
    assert_eq!((asked.len() - refused, refused), (3, 1), "{asked:?}");
}

/// Checks the resolved stream address of a camera that gives its address as `given`, in XML.
fn check_stream(given: &'static str, expected: &[&str]) -> Resolved {
    let camera = Camera::start(move |request| match request.name() {
        "GetStreamUri" => Answer::soap(&format!("<R><Uri>{given}</Uri></R>")),
        _ => ordinary(request, 0),
    });
    let found = resolved(&camera.target_without_login(), Some("000")).unwrap();
    assert_eq!(uris(&found), expected, "{given}");
    found
}

#[test]
fn quirk_03_stream_on_another_host_is_tried_here_and_there() {
    check_stream("rtsp://192.168.7.7:554/a", &["rtsp://127.0.0.1:554/a", "rtsp://192.168.7.7:554/a"]);
    // This camera also names another address for its services.
    let camera = Camera::start(|request| ordinary(request, 0));
    assert_eq!(uris(&resolved(&camera.target(), Some("000")).unwrap()), ["rtsp://127.0.0.1/sub"]);
}

#[test]
fn quirk_04_hosts_that_mean_nothing_are_replaced() {
    check_stream("rtsp://0.0.0.0:8554/a", &["rtsp://127.0.0.1:8554/a"]);
    check_stream("rtsp://169.254.1.2/a", &["rtsp://127.0.0.1/a"]);
    check_stream("rtsp://[::]:554/a", &["rtsp://127.0.0.1:554/a"]);
}

#[test]
fn quirk_05_port_may_be_missing_double_or_that_of_the_web() {
    check_stream("rtsp://127.0.0.1/a", &["rtsp://127.0.0.1/a"]);
    check_stream("rtsp://127.0.0.1:80:554/a", &["rtsp://127.0.0.1:554/a"]);
    check_stream("rtsp://127.0.0.1:80/a", &["rtsp://127.0.0.1:80/a", "rtsp://127.0.0.1:554/a"]);
    // The camera names a service on port 80, where nothing listens; it is called on the port by
    // which the device was reached.
    let camera = Camera::start(|request| match request.name() {
        "GetServices" => Answer::soap(
            "<R><Service><Namespace>http://www.onvif.org/ver10/media/wsdl</Namespace><XAddr>http://127.0.0.1:1/onvif/Media</XAddr></Service></R>",
        ),
        _ => ordinary(request, 0),
    });
    assert_eq!(uris(&resolved(&camera.target(), Some("000")).unwrap()), ["rtsp://127.0.0.1/sub"]);
}

#[test]
fn quirk_06_bare_ampersand_in_uri_is_read() {
    check_stream("rtsp://127.0.0.1/a?x=1&y=2&amp;z", &["rtsp://127.0.0.1/a?x=1&y=2&z"]);
}

#[test]
fn quirk_07_login_in_the_path_is_kept_byte_for_byte_and_never_shown_or_stored() {
    let odd = "rtsp://127.0.0.1/user=admin_password=tlJwpbo6_channel=1_stream=0&onvif=0.sdp?real_stream";
    let found = check_stream(odd, &[odd]);
    assert!(!format!("{found:?} {}", found.streams[0]).contains("tlJwpbo6"));
    assert_eq!(found.streams_without_login().count(), 0);
    assert_eq!(check_stream("rtsp://127.0.0.1/a", &["rtsp://127.0.0.1/a"]).streams_without_login().count(), 1);
}

#[test]
fn quirk_08_login_in_the_stream_address_is_kept_apart() {
    let found = check_stream(" RTSP://own:p%40ss@127.0.0.1/a ", &["rtsp://127.0.0.1/a"]);
    let own = found.camera_credentials.unwrap();
    assert_eq!((own.username.as_str(), own.password.expose()), ("own", "p@ss"));
    assert_eq!(check_stream("rtsp://127.0.0.1/a", &["rtsp://127.0.0.1/a"]).camera_credentials, None);
    // This login is reported even if another is configured: the configured one is for the camera,
    // this one for the host that the camera names.
    let camera = Camera::start(|request| match request.name() {
        "GetStreamUri" => Answer::soap("<R><Uri>rtsp://own:p%40ss@127.0.0.1/a</Uri></R>"),
        _ => ordinary(request, 0),
    });
    assert!(resolved(&camera.target(), Some("000")).unwrap().camera_credentials.is_some());
}

#[test]
fn line_breaks_written_as_references_make_no_stream_address() {
    for reference in ["&#13;&#10;", "&#xd;&#xA;", "&#10;", "&#0;", "&#x85;", " ", "\n"] {
        let camera = Camera::start(move |request| match request.name() {
            "GetStreamUri" => {
                Answer::soap(&format!("<R><tt:Uri>rtsp://127.0.0.1:6379/{reference}SET a b{reference}x</tt:Uri></R>"))
            }
            _ => ordinary(request, 0),
        });
        let error = resolved(&camera.target(), Some("000")).unwrap_err();
        assert!(matches!(error, Error::BadUri { .. }), "{reference}: {error:?}");
        assert!(!error.to_string().contains(char::is_control), "{reference}: {error}");
    }
}

#[test]
fn quirk_09_special_characters_in_a_login_do_no_harm() {
    // The camera's login contains all of them; the camera checks it with its own implementation.
    let camera = Camera::start(|request| {
        let known = request.has_good_token(0) || request.has_good_digest("1", md5_hex);
        match request.name() {
            _ if is_public(request) || known => ordinary(request, 0),
            "GetProfiles" => {
                Answer::http(401, "WWW-Authenticate: Digest realm=\"the realm\", nonce=\"1\", qop=auth\r\n", "")
            }
            _ => Answer::fault(400, &["ter:NotAuthorized"], ""),
        }
    });
    let found = resolved(&camera.target(), Some("000")).unwrap();
    assert_eq!(uris(&found), ["rtsp://127.0.0.1/sub"]);
    assert_eq!(found.device.model, "Eye 1");
}

#[test]
fn quirk_08_password_that_hides_the_host_is_told_without_being_shown() {
    let camera = Camera::start(|request| match request.name() {
        "GetStreamUri" => Answer::soap("<R><Uri>rtsp://user:geh/eim@cam.example/a</Uri></R>"),
        _ => ordinary(request, 0),
    });
    let error = resolved(&camera.target(), Some("000")).unwrap_err();
    assert_eq!(error.kind(), Kind::Malformed);
    let text = format!("{error} {error:?}");
    assert!(text.contains("unusable stream address") && !text.contains("eim"), "{text}");
}

#[test]
fn quirk_08_login_that_is_not_encoded_is_taken_out_and_never_shown() {
    let raw = "rtsp://admin:@ : / ? # &amp;geheim@127.0.0.1:554/live";
    let found = check_stream(raw, &["rtsp://127.0.0.1:554/live"]);
    let own = found.camera_credentials.clone().unwrap();
    assert_eq!((own.username.as_str(), own.password.expose()), ("admin", "@ : / ? # &geheim"));
    assert!(!format!("{found:?} {}", found.streams[0]).contains("geheim"), "{found:?}");
}

#[test]
fn quirk_48_port_0_means_the_usual_port() {
    check_stream("rtsp://127.0.0.1:0/a", &["rtsp://127.0.0.1/a"]);
    let camera = Camera::start(|request| match request.name() {
        "GetServices" => Answer::soap(
            "<R><Service><Namespace>http://www.onvif.org/ver10/media/wsdl</Namespace><XAddr>http://127.0.0.1:0/onvif/Media</XAddr></Service></R>",
        ),
        _ => ordinary(request, 0),
    });
    assert_eq!(uris(&resolved(&camera.target(), Some("000")).unwrap()), ["rtsp://127.0.0.1/sub"]);
}

#[test]
fn quirk_49_scheme_that_names_the_transport_is_obeyed() {
    let found = check_stream("RTSPU://127.0.0.1/a", &["rtspu://127.0.0.1/a"]);
    assert_eq!(found.streams[0].transport(), Some(Transport::Udp));
    assert_eq!(found.streams[0].with_credentials(None).expose(), "rtsp://127.0.0.1/a");
    assert_eq!(
        check_stream("rtspt://127.0.0.1/a", &["rtspt://127.0.0.1/a"]).streams[0].transport(),
        Some(Transport::Tcp)
    );
}

#[test]
fn quirk_35_camera_that_refuses_the_action_is_asked_without() {
    let camera = Camera::start(|request| {
        if request.header("content-type").unwrap().contains("action") {
            Answer::http(400, "", "")
        } else {
            ordinary(request, 0)
        }
    });
    resolved(&camera.target(), Some("000")).unwrap();
    assert_eq!(camera.requests().len(), 8, "{:?}", camera.names());
}

#[test]
fn quirk_24_camera_of_soap_1_1_is_understood() {
    let camera = Camera::start(|request| match request.header("soapaction") {
        Some(_) => ordinary(request, 0),
        None => Answer::http(415, "", ""),
    });
    resolved(&camera.target(), Some("000")).unwrap();
}

#[test]
fn camera_with_an_ipv6_address_is_resolved() {
    let Ok(listener) = TcpListener::bind("[::1]:0") else {
        println!("skipped: this machine has no IPv6");
        return;
    };
    let camera = Camera::listen(listener, |request| match request.name() {
        "GetStreamUri" => Answer::soap("<R><Uri>rtsp://[fe80::1]:8554/a</Uri></R>"),
        _ => ordinary(request, 0),
    });
    let found = resolved(&camera.target(), Some("000")).unwrap();
    assert_eq!(uris(&found), ["rtsp://[::1]:8554/a"]);
    let port = camera.target().port;
    assert!(camera.requests().iter().all(|request| request.header("host") == Some(&format!("[::1]:{port}"))));
}

/// Resolves a camera whose well-framed responses are modified by `change`.
fn check_written(change: impl Fn(&str) -> Vec<u8> + Send + 'static) {
    let camera = Camera::start(move |request| {
        let answer = String::from_utf8(ordinary(request, 0).bytes).unwrap();
        let body = change(answer.split_once("\r\n\r\n").unwrap().1);
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        Answer::raw([head.into_bytes(), body].concat())
    });
    let found = resolved(&camera.target(), Some("000")).unwrap();
    assert_eq!((found.profile.token.as_str(), uris(&found)), ("000", vec!["rtsp://127.0.0.1/sub"]));
    assert_eq!(found.device.serial, "77");
}

#[test]
fn quirk_14_camera_with_the_second_media_service_alone_is_resolved() {
    let camera = Camera::start(|request| match (request.name(), request.path.as_str()) {
        ("GetServices", _) => Answer::soap(&format!(
            "<R><Service><Namespace>http://www.onvif.org/ver20/media/wsdl</Namespace><XAddr>http://127.0.0.1:{}/onvif/Media2</XAddr></Service></R>",
            request.port
        )),
        (_, "/onvif/Media") => Answer::http(404, "", ""),
        _ => ordinary(request, 0),
    });
    let found = resolved(&camera.target(), Some("0 & main")).unwrap();
    assert_eq!(found.profile.encoding.as_deref(), Some("H265"));
}

#[test]
fn quirk_14_profile_that_only_one_service_lists_is_asked_of_that_one() {
    // Media2 does not list it, and returns another profile's stream for its token.
    let camera = Camera::start(|request| match (request.name(), request.path.as_str()) {
        ("GetProfiles", "/onvif/Media2") => Answer::soap(
            "<R><Profiles token='new'><Name>N</Name><Configurations><VideoEncoder><Encoding>H265</Encoding></VideoEncoder></Configurations></Profiles></R>",
        ),
        ("GetStreamUri", "/onvif/Media2") => Answer::soap("<R><Uri>rtsp://127.0.0.1/wrong</Uri></R>"),
        _ => ordinary(request, 0),
    });
    assert_eq!(uris(&resolved(&camera.target(), Some("000")).unwrap()), ["rtsp://127.0.0.1/sub"]);
}

#[test]
fn quirk_23_any_prefix_or_none_is_read_and_the_usual_ones_are_sent() {
    check_written(|body| {
        body.replace("tt:", "").replace("tds:", "undeclared:").replace("E:", "SOAP-ENV:").into_bytes()
    });
    check_written(|body| {
        let body = body.replace("E:", "").replace("xmlns:E=", "xmlns=").replace("tt:", "").replace("trt:", "");
        body.replace("<R>", "<R xmlns='http://www.onvif.org/ver10/device/wsdl'>").into_bytes()
    });
    let camera = Camera::start(|request| ordinary(request, 0));
    resolved(&camera.target(), Some("000")).unwrap();
    for request in camera.requests() {
        assert_eq!(request.envelope.attribute("tt"), Some("http://www.onvif.org/ver10/schema"));
    }
}

#[test]
fn quirk_24_fault_of_soap_1_1_is_read() {
    let camera = Camera::start(|request| match request.name() {
        "GetStreamUri" => Answer::http(
            500,
            "",
            "<S:Envelope><S:Body><S:Fault><faultcode>S:Server</faultcode><faultstring>Encoder is rebooting</faultstring></S:Fault></S:Body></S:Envelope>",
        ),
        _ => ordinary(request, 0),
    });
    let error = resolved(&camera.target(), Some("000")).unwrap_err();
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("Encoder is rebooting"), "{error:?}");
}

#[test]
fn quirk_25_byte_order_marks_are_skipped() {
    check_written(|body| format!("\u{feff}{body}").into_bytes());
    check_written(|body| format!("\u{feff}{body}").encode_utf16().flat_map(u16::to_le_bytes).collect());
    check_written(|body| format!("\u{feff}{body}").encode_utf16().flat_map(u16::to_be_bytes).collect());
}

#[test]
fn quirk_26_other_encodings_cost_only_names() {
    // "Gate" in GB2312, whatever the declaration says, and broken UTF-8.
    for name in [b"\xb4\xf3\xc3\xc5".as_slice(), b"\xe9\x96"] {
        check_written(move |body| {
            let body = body.replace("?>", " encoding=\"GB2312\"?>");
            let (before, after) = body.split_once("Sub stream").unwrap_or((&body, ""));
            let name = if after.is_empty() { b"".as_slice() } else { name };
            [before.as_bytes(), name, after.as_bytes()].concat()
        });
    }
}

#[test]
fn quirk_27_references_and_character_data_are_resolved_exactly_once() {
    check_stream("<![CDATA[rtsp://127.0.0.1/a?x=1&y=2]]>", &["rtsp://127.0.0.1/a?x=1&y=2"]);
    check_stream("rtsp://127.0.0.1/a?x=1&#38;y=2&#x26;z", &["rtsp://127.0.0.1/a?x=1&y=2&z"]);
    check_stream("rtsp://127.0.0.1/a?x=1&amp;amp;y", &["rtsp://127.0.0.1/a?x=1&amp;y"]);
}

#[test]
fn quirk_28_white_space_and_upper_case_do_not_matter_and_empty_is_no_stream() {
    check_stream("\n   Rtsp://127.0.0.1/A \t", &["rtsp://127.0.0.1/A"]);
    let camera = Camera::start(|request| match request.name() {
        "GetStreamUri" => Answer::soap("<R><Uri> </Uri></R>"),
        _ => ordinary(request, 0),
    });
    let error = resolved(&camera.target(), Some("000")).unwrap_err();
    assert!(error.to_string().contains("no stream for profile \"000\""), "{error}");
}

#[test]
fn quirk_35_action_is_named_and_nothing_stands_behind_it() {
    let camera = Camera::start(|request| {
        let expected = format!("/{}\"", request.name());
        let kind = request.header("content-type").unwrap();
        if kind.contains("; action=\"http://www.onvif.org/") && kind.ends_with(&expected) {
            ordinary(request, 0)
        } else {
            Answer::http(500, "", "")
        }
    });
    resolved(&camera.target(), Some("000")).unwrap();
    assert_eq!(camera.requests().len(), 7, "{:?}", camera.names());
}

#[test]
fn quirk_36_odd_service_path_on_a_host_by_name_is_asked_here() {
    let camera = Camera::start(|request| match (request.name(), request.path.as_str()) {
        ("GetServices", _) => Answer::soap(&format!(
            "<R><Service><Namespace>http://www.onvif.org/ver10/media/wsdl</Namespace><XAddr>http://camera.example:{}/onvif/devices?x=1</XAddr></Service></R>",
            request.port
        )),
        ("GetProfiles" | "GetStreamUri", path) if path != "/onvif/devices?x=1" => Answer::http(404, "", ""),
        _ => ordinary(request, 0),
    });
    assert_eq!(uris(&resolved(&camera.target(), Some("000")).unwrap()), ["rtsp://127.0.0.1/sub"]);
}

#[test]
fn quirk_37_token_is_kept_as_it_is_and_comes_before_a_name() {
    let tokens = ["quality h264", " 000 ", "0", "<&\">"];
    for token in tokens {
        let camera = Camera::start(move |request| match request.name() {
            "GetProfiles" => {
                let profile = |token: &str, name: &str| {
                    format!("<Profiles token=\"{}\"><Name>{name}</Name></Profiles>", cctv_agent::xml::escape(token))
                };
                // The name of another profile equals this token.
                Answer::soap(&format!(
                    "<R>{}{}</R>",
                    profile("other", &cctv_agent::xml::escape(token)),
                    profile(token, "x")
                ))
            }
            "GetStreamUri" => {
                let sent = format!("{:?}", request.operation().child("ProfileToken").unwrap());
                let good = sent.contains(&format!("content: {token:?}"));
                Answer::soap(&format!("<R><Uri>rtsp://127.0.0.1/{}</Uri></R>", if good { "good" } else { "wrong" }))
            }
            _ => ordinary(request, 0),
        });
        let found = resolved(&camera.target(), Some(token)).unwrap();
        assert_eq!((found.profile.token.as_str(), uris(&found)), (token, vec!["rtsp://127.0.0.1/good"]));
    }
}

#[test]
fn quirk_37_faults_of_single_profiles_do_not_hide_the_others() {
    let camera = Camera::start(|request| match request.operation().text_at(&["ProfileToken"]) {
        Some("0 & main") => Answer::fault(500, &["ter:Action", "ter:IncompleteConfiguration"], ""),
        _ => ordinary(request, 0),
    });
    assert_eq!(resolved(&camera.target(), None).unwrap().profile.token, "000");
}

#[test]
fn quirk_37_name_of_a_profile_is_not_sent_as_a_token() {
    // For an unknown token this camera returns its first stream.
    let camera = Camera::start(|request| match (request.name(), request.operation().text_at(&["ProfileToken"])) {
        ("GetStreamUri", token) if token != Some("000") => Answer::soap("<R><Uri>rtsp://127.0.0.1/first</Uri></R>"),
        _ => ordinary(request, 0),
    });
    let found = resolved(&camera.target(), Some("Sub stream")).unwrap();
    assert_eq!((found.profile.token.as_str(), uris(&found)), ("000", vec!["rtsp://127.0.0.1/sub"]));
    let error = resolved(&camera.target(), Some("Nosuch")).unwrap_err();
    assert_eq!(error.kind(), Kind::NoSuchProfile, "{error}");
}

/// A recorder of many channels, each with two profiles.
fn recorder(request: &Request, channels: usize) -> Answer {
    match request.name() {
        "GetProfiles" => {
            let encoder = "<VideoEncoderConfiguration><Encoding>H264</Encoding></VideoEncoderConfiguration>";
            let profile =
                |at: usize| format!("<Profiles token=\"{at:03}\"><Name>ch{}</Name>{encoder}</Profiles>", at / 2);
            Answer::soap(&format!("<R>{}</R>", (0..2 * channels).map(profile).collect::<String>()))
        }
        "GetStreamUri" => {
            let token = request.operation().text_at(&["ProfileToken"]).unwrap();
            Answer::soap(&format!("<R><Uri>rtsp://127.0.0.1/{token}</Uri></R>"))
        }
        _ => ordinary(request, 0),
    }
}

#[test]
fn quirk_41_recorder_with_dozens_of_profiles_is_asked_for_the_one_wanted() {
    let camera = Camera::start(|request| recorder(request, 64));
    assert_eq!(uris(&resolved(&camera.target(), Some("117")).unwrap()), ["rtsp://127.0.0.1/117"]);
    assert_eq!(camera.names().iter().filter(|name| *name == "GetStreamUri").count(), 1);
}

#[test]
fn quirk_41_recorder_too_slow_to_list_its_profiles_is_asked_by_token() {
    let camera = Camera::start(|request| match request.name() {
        "GetProfiles" => Answer { keep_open: true, ..Answer::raw("") },
        _ => recorder(request, 64),
    });
    let limits = Limits { call: Duration::from_millis(500), ..Limits::default() };
    let found = smol::block_on(resolve_within(&camera.target(), Some("117"), &Hint::default(), limits)).unwrap();
    assert_eq!(uris(&found), ["rtsp://127.0.0.1/117"]);
    assert_eq!(camera.names().iter().filter(|name| *name == "GetProfiles").count(), 1);
    // The profile is known by then, so the next call does not wait for the list.
    camera.forget();
    smol::block_on(resolve_within(&camera.target(), Some("117"), &found.hint(), limits)).unwrap();
    assert!(!camera.names().contains(&"GetProfiles".to_owned()));
}

#[test]
fn quirk_45_profiles_are_never_asked_for_by_type_all() {
    let camera = Camera::start(|request| ordinary(request, 0));
    resolved(&camera.target(), None).unwrap();
    let lists: Vec<_> = camera.requests().into_iter().filter(|request| request.name() == "GetProfiles").collect();
    assert!(!lists.is_empty());
    for list in lists.iter().filter(|list| list.path == "/onvif/Media2") {
        let types: Vec<_> = list.operation().all("Type").map(|kind| kind.text()).collect();
        assert_eq!(types, ["VideoEncoder", "VideoSource"]);
    }
}

#[test]
fn quirk_45_plain_text_called_soap_is_told() {
    let camera = Camera::start(|_| {
        let text = "Error: cannot read property of undefined";
        Answer::http(500, "Content-Type: application/soap+xml\r\n", text)
    });
    let error = resolved(&camera.target(), Some("000")).unwrap_err();
    assert!(error.to_string().contains("HTTP status 500 and no ONVIF message"), "{error}");
}

#[test]
fn document_types_in_answers_are_refused() {
    let bomb = "<!DOCTYPE a [<!ENTITY b \"bbbb\"><!ENTITY c \"&b;&b;&b;\">]>".to_owned() + &envelope("<R>&c;</R>");
    let camera = Camera::start(move |_| Answer::http(200, "", &bomb));
    assert_eq!(resolved(&camera.target(), Some("000")).unwrap_err().kind(), Kind::Malformed);
}
