//! Announces a camera by WS-Discovery and SSDP at its address, while it has power.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use crate::{
    camera::{Camera, Place},
    http,
    responder::{Responder, v4},
    ssdp::{self, Ssdp},
    wsd::{self, WsDiscovery},
};

pub struct Discovery {
    camera: Arc<Camera>,
    onvif_port: u16,
    /// Serves the UPnP description if there is SSDP.
    description: Option<http::Server>,
    present: Mutex<Option<Present>>,
}

/// The responders of the camera, and the address they announce.
struct Present {
    place: Place,
    responders: Vec<Responder>,
}

impl Discovery {
    /// Announces the camera as its settings specify.
    pub fn start(camera: Arc<Camera>, onvif_port: u16) -> io::Result<Self> {
        let description = if camera.settings.announcement.ssdp {
            let described = Arc::clone(&camera);
            let address = SocketAddr::new(camera.place().ip, 0);
            Some(http::Server::start(address, move |request| ssdp::description(&described, onvif_port, request))?)
        } else {
            None
        };
        let discovery = Self { camera, onvif_port, description, present: Mutex::new(None) };
        discovery.follow()?;
        Ok(discovery)
    }

    /// Stops without power; starts again, with a Hello, with power or at a new address.
    pub fn follow(&self) -> io::Result<()> {
        let powered = !self.camera.faults().refuse;
        let place = self.camera.place();
        let mut present = self.present.lock().expect("nobody panics while holding the responders");
        if let Some(description) = &self.description {
            if description.address().ip() != place.ip {
                description.move_to(place.ip)?;
            }
            description.set_open(powered)?;
        }
        if powered && present.as_ref().is_some_and(|present| present.place == place) {
            return Ok(());
        }
        // Without a Bye: a camera that moves or loses power cannot send one.
        *present = None;
        if powered {
            *present = Some(Present { place, responders: self.responders(place)? });
        }
        Ok(())
    }

    fn responders(&self, place: Place) -> io::Result<Vec<Responder>> {
        let announcement = &self.camera.settings.announcement;
        let mut responders = Vec::new();
        if announcement.wsd {
            let speaker = WsDiscovery::new(Arc::clone(&self.camera), self.onvif_port);
            responders.push(Responder::start(&wsd::GROUP, v4(place.ip)?, announcement.any_port, speaker)?);
        }
        if let Some(description) = &self.description {
            let speaker = Ssdp::new(Arc::clone(&self.camera), description.address().port());
            responders.push(Responder::start(&ssdp::GROUP, v4(place.ip)?, announcement.any_port, speaker)?);
        }
        Ok(responders)
    }

    /// Sends Bye.
    pub fn end(&self) {
        let present = self.present.lock().expect("nobody panics while holding the responders").take();
        present.into_iter().flat_map(|present| present.responders).for_each(Responder::end);
    }
}
