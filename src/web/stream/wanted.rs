//! What one viewer of one camera asks for.

use std::sync::Arc;

use crate::{
    hub::{Channel, ViewerOrigin},
    media::RenditionRequest,
    web::admission::principal::Principal,
};

/// A camera that exists for the principal who asks for it, and the pictures wanted of it.
pub struct Wanted {
    pub channel: Arc<Channel>,
    pub rendition_request: RenditionRequest,
    pub principal: Principal,
    pub origin: ViewerOrigin,
}
