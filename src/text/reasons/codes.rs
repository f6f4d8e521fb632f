//! The codes, and their texts in English.

macro_rules! codes {
    ($($code:ident $word:literal $english:literal)*) => {
        /// What one part of a reason says. Its [word](Code::word) is fixed: programs rely on it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code {
            $($code,)*
        }

        impl Code {
            pub const ALL: &[Self] = &[$(Self::$code),*];

            /// The code in the API.
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$code => $word,)*
                }
            }

            /// The text in English, with placeholders for [`fill`](super::fill).
            pub fn english(self) -> &'static str {
                match self {
                    $(Self::$code => $english,)*
                }
            }
        }
    };
}

impl Code {
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.word() == word)
    }
}

codes! {
    // On the way.
    Starting "starting" "starting"
    NotNeeded "not_needed" "not open, as nobody needs it"
    Asking "asking" "asking {host} for its stream"
    WaitingForPicture "waiting_for_picture" "waiting for the first picture"
    ConfigChanged "config_changed" "its configuration has changed"
    ConnectingAgain "connecting_again" "connecting again"
    StreamChanged "stream_changed" "the stream of the last time is no longer that of the profile"
    OpeningNamedStream "opening_named_stream" "opening the one the camera names"
    StandIn "stand_in" "the {shown} stream stands in for the {wanted} one, which is {state}"

    // What the agent does.
    WorkerHung "worker_hung" "its worker hung and was killed"
    Retry "retry" "trying again in {seconds:.0} s (attempt {attempt})"
    RetryAfterReload "retry_after_reload" "trying again in {minutes} min or after a reload"
    RetryAtOnce "retry_at_once" "beginning again at once"

    // Frames.
    NoFrame "no_frame" "no frame for {seconds:.1} s"
    FewFrames "few_frames" "only one frame in {seconds:.1} s arrives"
    RaiseStallAfter "raise_stall_after" "stall_after is {seconds:.1} s and must be at least twice as long"
    NoFirstKeyFrame "no_first_key_frame" "frames arrive, but no key frame within {seconds:.0} s"
    SetKeyFrameInterval "set_key_frame_interval" "set the camera's key frame interval to 10 s or less"
    NoKeyFrame "no_key_frame" "frames arrive, but no key frame for {seconds:.0} s"
    NotDecoded "not_decoded" "frames arrive, but the decoder has given no picture for {seconds:.1} s"
    NoPictureYet "no_picture_yet" "no picture was decoded within {seconds:.1} s"
    WaitingForKeyFrame "waiting_for_key_frame" "waiting for a key frame, {seconds:.0} s so far"
    SwitchOffSmartCodec "switch_off_smart_codec"
        "switch off the camera's smart codec (H.264+, H.265+), or set its key frame interval to 10 s or less"
    PictureDamaged "picture_damaged" "picture damaged[: {percent:.1} % of packets lost]"
    Snapshots "snapshots" "snapshots instead of the stream, at most one picture every {seconds:.1} s"
    InPieces "in_pieces" "the stream comes in pieces (HLS): the picture is some seconds old"
    VideoDeviceMissing "video_device_missing" "{device} is not there"
    VideoDeviceDenied "video_device_denied" "the agent may not open {device}"
    VideoDeviceFailed "video_device_failed" "cannot open {device}: {error}"
    NoVideoDevice "no_video_device" "{device} gives no pictures: it is no camera, or another program uses it"
    CheckVideoDevice "check_video_device" "check the cable of the camera, and its name with ls -l /dev/v4l/by-id"
    AddToVideoGroup "add_to_video_group"
        "give the agent's user the group video, and the service the device (docs/installing.md)"
    StreamTriedAgain "stream_tried_again" "the stream is tried again instead of snapshots"
    OpencvReader "opencv_reader" "the agent cannot follow this camera's protocol, so OpenCV reads it"

    // Opening the stream.
    ConnectionRefused "connection_refused" "cannot connect to {host}: connection refused"
    CannotConnect "cannot_connect" "cannot connect to {host}[: {error}]"
    CannotResolve "cannot_resolve" "cannot find the address of {host}[: {error}]"
    OpenTimeout "open_timeout" "the stream did not open within {seconds} s"
    NoSteadyVideo "no_steady_video" "the camera sent no steady video within {seconds} s of calling it"
    NoVideo "no_video" "the stream holds no video, or the camera closed the connection"
    CameraEnded "camera_ended" "the camera ended the stream"
    StreamEndedBecause "stream_ended_because" "the stream ended:"
    UnsupportedCodec "unsupported_codec" "the video is encoded as \"{codec}\""
    CodecNotInBrowsers "codec_not_in_browsers" "no browser decodes {codec}, so the pages show JPEG"
    GradualRefresh "gradual_refresh"
        "the camera sends no key frames and refreshes the picture part by part, so the pages show JPEG"
    SetKeyFrames "set_key_frames" "better would be a key frame every 10 s or less, without gradual (intra) refresh"
    BetterCodec "better_codec" "better would be H.264, if the camera has it"
    PassthroughOff "passthrough_off" "passthrough = false, so the pages show JPEG"
    SetCodec "set_codec" "set the camera to H.264, H.265 or JPEG"
    StreamLoginRefused "stream_login_refused" "the camera refused the login ({answer})"
    CheckLogin "check_login" "check username and password"
    NoSuchStream "no_such_stream" "the camera knows no such stream ({answer})"
    CheckProfileOrUrl "check_profile_or_url" "check profile or url"
    TransportRefused "transport_refused" "the camera refused the transport ({answer})"
    OtherTransport "other_transport" "the camera answered with another transport"
    NoTunnel "no_tunnel" "the camera's web server passes no RTSP on ({answer})"
    TryOtherTransport "try_other_transport" "try another one"
    NoRoom "no_room" "the camera has no room for another viewer ({method}: {answer})"
    CloseOthers "close_others" "close other programs that watch it, or raise its limit of sessions"
    MethodRefused "method_refused" "the camera refused {method} ({answer})"
    ForeignStreamHost "foreign_stream_host" "the camera names another host for its stream, {host}"
    ForeignHostLogin "foreign_host_login" "that wants a login and was sent none"
    AllowStreamHost "allow_stream_host" "if it may have the login, write stream_host = \"{host}\""
    NoStreamNamed "no_stream_named" "the camera named no stream"

    // RTSP, as the agent reads it.
    ConnectTimeout "connect_timeout" "{host} does not answer: no connection within {seconds:.0} s"
    NoAnswer "no_answer" "{host} gave no answer to {method} within {seconds:.0} s"
    ClosedUnanswered "closed_unanswered" "{host} closed the connection instead of answering {method}"
    ClosesEachConnection "closes_each_connection"
        "{host} closes each connection without an answer, as cameras do that have no room for another viewer"
    ConnectionClosed "connection_closed" "the camera closed the connection"
    ConnectionReset "connection_reset" "the connection to the camera was reset"
    RequestsNotTaken "requests_not_taken" "the camera takes no requests: no progress for {seconds:.0} s"
    ClearPassword "clear_password"
        "the camera takes the password of its stream in clear text only (Basic), and was not sent it"
    AllowClearPassword "allow_clear_password"
        "switch on Digest for RTSP in the camera, or write clear_password = true"
    AllowBasicToKey "allow_basic_to_key"
        "switch on Digest for RTSP in the camera, or write fingerprint = \"{key}\""
    StreamLoginUnsupported "stream_login_unsupported"
        "the camera asks for a login by {schemes}, which is not supported"
    EnableRtspDigest "enable_rtsp_digest" "switch on Digest for RTSP in the camera"
    TooManyViewers "too_many_viewers" "the camera has no room for another viewer ({answer})"
    NoTransport "no_transport" "the camera sends neither over TCP nor over UDP ({answer})"
    NoUdpPorts "no_udp_ports" "this machine has no pair of UDP ports free"
    UseTcp "use_tcp" "write transport = \"tcp\""
    GroupPortTaken "group_port_taken" "another program of this machine has UDP port {port} of the group {group} for itself"
    FreeGroupPort "free_group_port"
        "end that program, let the camera send to another port, or write transport = \"tcp\""
    SessionLost "session_lost" "the camera has lost the session ({answer})"
    StreamElsewhere "stream_elsewhere" "the camera redirects to {location}, which is not followed"
    TooManyRedirects "too_many_redirects" "the camera redirects again and again"
    NoDescription "no_description" "the camera does not describe its stream"
    StreamWithoutVideo "stream_without_video" "the stream has no video"
    StreamEncrypted "stream_encrypted" "the stream is encrypted (SRTP), which is not supported"
    SwitchOffEncryption "switch_off_encryption" "switch off the encryption of the stream in the camera"
    NoPackets "no_packets" "no video over {transport} within {seconds:.0} s after PLAY"
    CheckFirewall "check_firewall" "a firewall may drop it: write transport = \"tcp\""
    CheckMulticast "check_multicast" "switches must forward the group to this machine (IGMP): write transport = \"tcp\" if they do not"
    OutOfStep "out_of_step" "the camera's data makes no sense: {bytes} bytes were skipped"
    MessageTooLong "message_too_long" "the camera sends a message that is too long"
    SaidBye "said_bye" "the camera said that its video ends (BYE)"
    NewSessionWanted "new_session_wanted" "the camera asked for a new session"
    AnotherCodec "another_codec" "the camera sends another codec than it described"

    // Sound.
    NoSound "no_sound" "the stream has no sound"
    SwitchOnSound "switch_on_sound" "switch on the microphone and the sound of this stream in the camera"
    UnsupportedSound "unsupported_sound" "the sound is encoded as \"{codec}\""
    SetSoundCodec "set_sound_codec" "set the sound of the camera to G.711 or AAC"
    SilentSound "silent_sound" "no sound for {seconds:.0} s"
    SoundNeedsLive "sound_needs_live" "sound is read only beside a live picture that the agent reads by RTSP"

    // JPEG over HTTP.
    NotJpeg "not_jpeg" "the camera sends {type} instead of JPEG"
    BadHttpAnswer "bad_http_answer" "the camera's answer cannot be read as HTTP[: {error}]"
    AllowHttpClearPassword "allow_http_clear_password"
        "switch on Digest for HTTP in the camera, or write clear_password = true"
    AllowHttpBasicToKey "allow_http_basic_to_key"
        "switch on Digest for HTTP in the camera, or write fingerprint = \"{key}\""
    EnableHttpDigest "enable_http_digest" "switch on Digest for HTTP in the camera"

    // TLS to a camera.
    TlsKeyChanged "tls_key_changed" "{host} has another TLS key than before, so nothing was sent to it"
    TlsKeyNotPinned "tls_key_not_pinned" "{host} has another TLS key than fingerprint says, so nothing was sent to it"
    ForgetTlsKey "forget_tls_key"
        "if it is the camera, run cctv-agent keys --forget CAMERA, or write fingerprint = \"{key}\""
    AllowTlsKey "allow_tls_key" "if it is the camera, write fingerprint = \"{key}\""
    TlsTooOld "tls_too_old" "{host} speaks only TLS 1.0 or 1.1, which are not safe"
    TlsNoCipher "tls_no_cipher" "{host} and the agent have no TLS encryption in common"
    UpdateForTls "update_for_tls" "update the firmware of the camera, or use it without TLS"
    TlsWeakKey "tls_weak_key" "the TLS key of {host} has only {bits} bits, which proves nothing"
    RenewCertificate "renew_certificate" "make a new certificate in the camera, with an RSA key of 2048 bits or more"
    TlsNotSpoken "tls_not_spoken" "{host} does not speak TLS"
    CheckTlsPort "check_tls_port" "check the port, and that HTTPS or RTSPS is switched on in the camera"
    TlsTimeout "tls_timeout" "{host} did not finish the TLS handshake within {seconds:.0} s"
    TlsClosed "tls_closed" "{host} closed the connection in the TLS handshake"
    TlsRefused "tls_refused" "{host} refused the TLS handshake ({alert})"
    TlsFailed "tls_failed" "the TLS handshake with {host} failed[: {error}]"

    // ONVIF.
    OnvifUnreachable "onvif_unreachable" "cannot reach the ONVIF service at {device}[: {error}]"
    OnvifSlow "onvif_slow" "{device} did not answer {request} within {seconds} s"
    OnvifUnfinished "onvif_unfinished" "{device} did not finish telling its stream within {seconds} s"
    OnvifClosed "onvif_closed" "{device} closed the connection without answering {request}[: {error}]"
    OnvifMalformed "onvif_malformed" "cannot understand the answer of {device} to {request}[: {error}]"
    OnvifForbidden "onvif_forbidden" "{device} forbids {request} (HTTP status 403)"
    AccountLockedOrWeak "account_locked_or_weak" "the account may be locked or lack the right"
    OnvifStatus "onvif_status" "{device} answered {request} with HTTP status {status} and no ONVIF message"
    CheckOnvif "check_onvif" "check that ONVIF is switched on in the camera, and its port"
    OnvifHttpsOnly "onvif_https_only" "{device} answers {request} only by HTTPS"
    AllowHttp "allow_http" "allow HTTP in the camera"
    OnvifElsewhere "onvif_elsewhere" "{device} sends {request} elsewhere, to {location}"
    CheckOnvifPort "check_onvif_port" "check the ONVIF port"
    OnvifFault "onvif_fault" "{device} refused {request}[: {error}]"
    LoginNeeded "login_needed" "{device} wants a login for {request}"
    SetLogin "set_login" "set username and password"
    UnsupportedLogin "unsupported_login"
        "{device} asks for a login by {schemes} for {request}, which is not spoken as it does not protect the \
         password"
    EnableDigest "enable_digest" "switch on Digest or WS-UsernameToken in the camera"
    LoginRefused "login_refused" "{device} refused {request} for user \"{username}\"[: {error}]"
    RightMissing "right_missing" "the login itself is right: give the camera's user the right to see live video"
    CheckOnvifUser "check_onvif_user" "check username and password, and that the camera has an ONVIF user of that name"
    ClockUnknown "clock_unknown" "its clock, which it does not tell, may be wrong"
    LockoutNear "lockout_near" "it counts failed logins and may lock the account"
    NoSuchProfile "no_such_profile" "{device} has no media profile \"{profile}\""
    ProfilesOffered "profiles_offered" "it offers {profiles}"
    AmbiguousProfile "ambiguous_profile"
        "{device} calls several profiles \"{profile}\", which may show different cameras: {profiles}"
    WriteToken "write_token" "write the token of one as profile"
    SeveralSources "several_sources" "{device} shows several cameras, and no profile says which"
    NameProfile "name_profile" "name one as profile"
    UnknownSource "unknown_source" "{device} does not say which profiles belong to one channel"
    NameSmallProfile "name_small_profile" "name small_profile"
    NoSmallProfile "no_small_profile" "{device} has no smaller profile of the same video source"
    NameOrRemoveSmallProfile "name_or_remove_small_profile" "name small_profile, or remove it"
    ChannelsUnknown "channels_unknown" "{device} does not say which profiles belong to which channel"
    NameEachChannel "name_each_channel" "write a [[camera]] with its profile for each channel"
    NoSuchChannel "no_such_channel" "{device} has no channel {number}: it has {count} channels"
    CorrectChannels "correct_channels" "correct channels of the recorder"
    NoChannelVideo "no_channel_video" "channel {number} of {device} has no profile with video"
    NoSmallChannel "no_small_channel" "channel {number} of {device} has no smaller stream"
    SetUpSmallOrNone "set_up_small_or_none" "set up a smaller one in the recorder, or write small_streams = false"
    NoVideoProfile "no_video_profile" "{device} has no media profile with video"
    NoStream "no_stream" "{device} has no stream for profile \"{profile}\""
    NoStreamBecause "no_stream_because" "{device} has no stream for profile \"{profile}\":"
    BadStreamUri "bad_stream_uri" "{device} gives an unusable stream address for profile \"{profile}\": {uri}"

    // Steering.
    NotMoved "not_moved" "the camera was not moved"
    MayStillMove "may_still_move" "the camera does not confirm that it stands"
    NotFoundYet "not_found_yet" "it has not been found yet"
    NoPtzService "no_ptz_service" "{device} has no PTZ service"
    NoPtz "no_ptz" "{device} has no PTZ for profile \"{profile}\""
    NoSuchPreset "no_such_preset" "{device} does not know the preset \"{preset}\""
    NoHome "no_home" "{device} has no home position, and no preset 1"
    PtzRightMissing "ptz_right_missing" "the login itself is right: give the camera's user the right to move it"

    // Who answers.
    OtherDevice "other_device" "another device, or one that does not say who it is, answers at {host}"
    OtherAnswer "other_answer" "{host} does not answer as the camera did"
    LoginWithheld "login_withheld" "no login was sent to it"
    TrustAddress "trust_address" "if it is the camera, write trust = \"address\""
    SearchedJustNow "searched_just_now" "it was looked for on the network just now"
    NotOnNetwork "not_on_network" "no device with its identity answers on the network"
    SeveralClaimants "several_claimants" "several devices say that they are it, at {hosts}"
    WriteIp "write_ip" "write the right ip"

    // The worker.
    WorkerStart "worker_start" "cannot start a worker[: {error}]"
    WorkerMissing "worker_missing" "the program cctv-worker is not installed: expected at {program}"
    InstallWorker "install_worker" "install it, or watch with a browser that decodes the camera's own video"
    ReaderMissing "reader_missing" "the program cctv-reader is not installed: expected at {program}"
    InstallReader "install_reader" "install it, which cameras of RTSP need only with reader = \"opencv\""
    WorkerOtherVersion "worker_other_version" "the worker's program is of another version than the agent"
    RestartAgent "restart_agent" "restart the service cctv-agent"
    WorkerKilled "worker_killed" "the worker was killed by {signal}[ after saying \"{last_line}\"]"
    WorkerForbidden "worker_forbidden"
        "the worker was ended at a system call that its sandbox forbids[, after saying \"{last_line}\"]"
    SeeKernelLog "see_kernel_log" "the log of the kernel may name the call"
    WorkerSandbox "worker_sandbox" "this kernel does not give the worker its whole sandbox: it lacks {missing}"
    SandboxRequired "sandbox_required" "upgrade the kernel, or remove sandbox = \"required\" below [limits]"
    WorkerExited "worker_exited" "the worker exited with code {status}[ after saying \"{last_line}\"]"
    WorkerClosed "worker_closed" "the worker closed its socket[ after saying \"{last_line}\"]"
    WorkerNonsense "worker_nonsense" "the worker sent nonsense[: {error}]"
    WorkerUnresponsive "worker_unresponsive" "the worker takes no messages"
    WorkerMemory "worker_memory" "the worker takes {used} MiB of memory, more than the {limit} MiB it may"
    MemoryFull "memory_full" "no memory for one more worker: agent and workers hold {used} of {limit} MiB"
    MemoryShort "memory_short"
        "its worker was the largest, with {worker} MiB, when memory ran short: agent and workers hold {used} of \
         {limit} MiB"
    SeeTotalMemory "see_total_memory" "see total_memory below [limits]"

    // The wall.
    NotConfigured "not_configured" "not in cameras.toml"
    Removed "removed" "no longer in the configuration"
    TooManyRenditions "too_many_renditions"
        "{limit} different sizes, qualities and rates of this camera are being watched, as many as `renditions` \
         below [limits] allows"
    TooManyRenditionsOfAddress "too_many_renditions_of_address"
        "your address watches {limit} sizes, qualities and rates of this camera that nobody else does, as many as \
         `renditions_per_address` below [limits] allows"
    AskForOneOfThem "ask_for_one_of_them" "ask for one of them, try again later, or raise it"
    Text "text" "{text}"
}
