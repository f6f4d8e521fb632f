//! The login of the camera's RTSP server: Digest with counters; a fault can refuse every login.

use std::sync::{Arc, OnceLock};

use gstreamer::glib::{self, subclass::prelude::*};
use gstreamer_rtsp_server::{
    RTSP_AUTH_CHECK_CONNECT, RTSP_AUTH_CHECK_TRANSPORT_CLIENT_SETTINGS, RTSP_AUTH_CHECK_URL,
    RTSP_TOKEN_MEDIA_FACTORY_ROLE, RTSPAuth, RTSPContext, RTSPToken, gst_rtsp::RTSPAuthMethod, prelude::*,
    subclass::prelude::*,
};

use crate::camera::{Camera, count};

/// The role of every logged-in user: may see all streams.
pub const VIEWER: &str = "viewer";

glib::wrapper! {
    /// Digest authentication that counts, and that can refuse every login.
    pub struct CameraAuth(ObjectSubclass<LoginCheck>) @extends RTSPAuth;
}

impl CameraAuth {
    pub fn new(camera: &Arc<Camera>) -> Self {
        let auth: Self = glib::Object::new();
        auth.set_supported_methods(RTSPAuthMethod::Digest);
        if let Some(login) = &camera.settings.login {
            let token = RTSPToken::builder().field(RTSP_TOKEN_MEDIA_FACTORY_ROLE, VIEWER).build();
            auth.add_digest(&login.user, &login.password, &token);
        }
        auth.imp().camera.set(Arc::clone(camera)).ok().expect("set once, here");
        auth
    }
}

fn carries_proof(context: &RTSPContext) -> bool {
    context.request().is_some_and(|request| !request.parse_auth_credentials().is_empty())
}

#[derive(Default)]
pub struct LoginCheck {
    camera: OnceLock<Arc<Camera>>,
}

#[glib::object_subclass]
impl ObjectSubclass for LoginCheck {
    const NAME: &'static str = "VirtualCameraAuth";
    type Type = CameraAuth;
    type ParentType = RTSPAuth;
}

impl ObjectImpl for LoginCheck {}

impl RTSPAuthImpl for LoginCheck {
    fn authenticate(&self, context: &RTSPContext) -> bool {
        let camera = self.camera.get().expect("set before the server starts");
        let proof = carries_proof(context);
        let fine = camera.faults().wrong_password || self.parent_authenticate(context);
        if proof && context.token().is_none() {
            count(&camera.counters.failed_logins);
        }
        fine
    }

    fn check(&self, context: &RTSPContext, check: &glib::GString) -> bool {
        let camera = self.camera.get().expect("set before the server starts");
        if check.as_str() == RTSP_AUTH_CHECK_TRANSPORT_CLIENT_SETTINGS.as_str() {
            // No client may direct the stream to another host.
            return false;
        }
        let open = camera.settings.login.is_none() && !camera.faults().wrong_password;
        // Counts once per request, also without a challenge; `authenticate` is not called in that
        // case.
        if check.as_str() == RTSP_AUTH_CHECK_URL.as_str() && carries_proof(context) {
            camera.counters.count_proof("RTSP");
        }
        // The parent begins TLS, if there is a certificate.
        let connects = check.as_str() == RTSP_AUTH_CHECK_CONNECT.as_str();
        (open && !connects) || self.parent_check(context, check)
    }
}
